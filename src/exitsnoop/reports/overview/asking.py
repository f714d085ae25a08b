"""SQL that counts over a recording, for a period; progress is reported while SQLite works."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from exitsnoop.host.clock import SECOND_NS
from exitsnoop.reports.overview.period import HOUR_NS, Period
from exitsnoop.store.errors import StoreError
from exitsnoop.store.opening import INSTRUCTIONS
from exitsnoop.store.recording import Recording
from exitsnoop.store.view import During

Tick = Callable[[str], None]
"""Called again and again meanwhile, with what is being done."""

ENDED = "last_thread = 1"
FAILED = f"failed = 1 AND {ENDED}"
"""Conditions for processes that ended, and for those that failed; threads are left out."""


class Asking:
    """Questions to a recording about a period.

    Args:
        recording: the recording.
        period: the period.
        tick: is called while it works.

    Attributes:
        complete_ns: from when on all exits are there, within the period: where its first whole hour
            begins, or the period itself. Before that only counts by the hour are complete.
    """

    def __init__(self, recording: Recording, period: Period, tick: Tick) -> None:
        self.recording = recording
        self.period = period
        self._tick = tick
        complete_ns = recording.complete_since()
        self.complete_ns = period.from_ns
        if complete_ns is not None and complete_ns > period.from_ns:
            self.complete_ns = min(-(-complete_ns // HOUR_NS) * HOUR_NS, period.to_ns)

    def say(self, doing: str) -> None:
        """Report what is being done."""
        self._tick(doing)

    def complete(self, doing: str, sql: str) -> Iterator[tuple[Any, ...]]:
        """Return the rows of a statement over that part of the period of which all is there."""
        return self.rows(doing, sql, During(self.complete_ns, self.period.to_ns - 1))

    def during(self, doing: str, sql: str) -> Iterator[tuple[Any, ...]]:
        """Return the rows of a statement over the whole period."""
        return self.rows(doing, sql, During(self.period.from_ns, self.period.to_ns - 1))

    def dropped(self, doing: str, sql: str) -> Iterator[tuple[Any, ...]]:
        """Return the rows of a statement over the counts by the hour of the part before that."""
        if self.complete_ns == self.period.from_ns:
            return iter(())
        return self.rows(doing, sql, During(self.period.from_ns, self.complete_ns - 1))

    def rows(self, doing: str, sql: str, during: During) -> Iterator[tuple[Any, ...]]:
        """Iterate over the rows of a statement. Raises StoreError."""
        self._tick(doing)

        def tick() -> int:
            self._tick(doing)
            return 0

        with contextlib.closing(self.recording.connect(sql, during)) as connection:
            connection.set_progress_handler(tick, INSTRUCTIONS)
            try:
                yield from connection.execute(sql)
            except sqlite3.Error as error:
                raise StoreError(
                    f"a file of the recording cannot be read ({error}): exitsnoop past shows the "
                    "others"
                ) from None


def hour_ns(text: str) -> int:
    """Return the time of an hour, as the view `hours` has it, in nanoseconds since the epoch."""
    import calendar
    import time

    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")) * SECOND_NS


def among(column: str, values: Sequence[str]) -> str:
    """Return the condition that a column has one of some values, which are words."""
    return f"{column} IN ({', '.join(repr(value) for value in values)})"
