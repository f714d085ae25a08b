"""The table: the original tool's columns and widths."""

from collections.abc import Iterable
from functools import lru_cache

from exitsnoop import clock
from exitsnoop.records import Exit
from exitsnoop.sinks.escape import escape
from exitsnoop.status import describe

EXIT_WIDTH = 29  # of EXIT_CODE, where a column follows: "signal 11 (SEGV), core dumped"


class Table:
    """Rows for people, and for `sort`, `grep` and `awk`.

    Args:
        timestamp: start with the time of the exit; utc: in UTC, not local time.
        label: a text that starts each row (after the time), None for none.
        why: end with the cause.
        ascii_only: escape what is not ASCII in names.
    """

    def __init__(
        self,
        *,
        timestamp: bool = False,
        utc: bool = False,
        label: str | None = None,
        why: bool = False,
        ascii_only: bool = False,
    ) -> None:
        self._utc = utc
        self._why = why
        self._ascii_only = ascii_only
        self._time = f"TIME-{clock.zone_name(utc=utc)}" if timestamp or utc else None
        self._time_width = max(len(self._time or ""), len("00:00:00.000"))
        self._label = None if label is None else escape(label.encode(), ascii_only=ascii_only)
        self._label_width = max(len(self._label or ""), len("LABEL"))

        @lru_cache(maxsize=1024)  # names repeat, so most are escaped once
        def name(raw_comm: bytes) -> str:
            return escape(raw_comm.partition(b"\0")[0], ascii_only=ascii_only)

        self._name = name

    def header(self) -> str:
        """Return the line that names the columns."""
        columns = f"{'PCOMM':<16} {'PID':<6} {'PPID':<6} {'TID':<6} {'AGE(s)':<7} "
        exit_code = f"{'EXIT_CODE':<{EXIT_WIDTH}} CAUSE\n" if self._why else "EXIT_CODE\n"
        return self._lead(self._time, "LABEL") + columns + exit_code

    def rows(self, exits: Iterable[Exit]) -> str:
        """Return a line for each exit."""
        if self._time is None and self._label is None:
            return "".join(map(self._row, exits))
        return "".join([self._lead(self._time_of(e), self._label) + self._row(e) for e in exits])

    def _row(self, e: Exit) -> str:
        age = (e.boot_ns - e.start_boot_ns) / clock.SECOND_NS
        return (
            f"{self._name(e.raw_comm):<16} {e.pid:<6} {e.ppid:<6} {e.tid:<6} "
            f"{age:<7.2f} {self._end(e) if self._why else describe(e.status)}\n"
        )

    def _end(self, e: Exit) -> str:
        if e.cause is None:
            return describe(e.status)
        cause = escape(e.cause.text.encode(), ascii_only=self._ascii_only, spaces=False)
        return f"{describe(e.status):<{EXIT_WIDTH}} {cause}"

    def _time_of(self, e: Exit) -> str:
        return clock.time_of_day(e.wall_ns, utc=self._utc)

    def _lead(self, time: str | None, label: str | None) -> str:
        lead = "" if self._time is None else f"{time:<{self._time_width}} "
        return lead if self._label is None else f"{lead}{label:<{self._label_width}} "
