"""Exits of a recording that pass filters: the store finds them by its indexes, and maybe others."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from exitsnoop.cli.output import complain
from exitsnoop.cli.stretch import Stretch
from exitsnoop.filters.filters import Filters
from exitsnoop.filters.globs import for_sqlite, literal_for_sqlite
from exitsnoop.filters.match import match
from exitsnoop.model.batch import Exits
from exitsnoop.store.query import Query
from exitsnoop.store.recording import Recording


def query(filters: Filters, stretch: Stretch) -> Query:
    """Return the query that finds all exits that these filters can pass, and maybe more."""
    names, users, cgroups, containers = (
        () if name in filters.excluding else getattr(filters, name)
        for name in ("names", "users", "cgroups", "containers")
    )
    _, codes = filters.statuses()
    patterns = [for_sqlite(name) for name in names]
    return Query(
        since_ns=stretch.since_ns,
        until_ns=stretch.until_ns,
        boot_id=stretch.boot_id,
        pids=filters.pids,
        names=() if "*" in patterns else patterns,
        containers=[f"{literal_for_sqlite(os.fsencode(name))}*" for name in containers],
        users=list(users),
        cgroups=[os.fsencode(path).decode("utf-8", "replace") for path in cgroups],
        or_unknown=True,
        failed=(filters.failed and not filters.asked) or 0 not in codes,
    )


class Matching:
    """The exits of a recording that pass filters.

    Attributes:
        filters: the filters.
        undecided: how many the recording does not know enough about; they are left out.
        unreadable: files that are damaged, or cannot be read.
    """

    def __init__(self, recording: Recording, filters: Filters) -> None:
        self.undecided = 0
        self.unreadable: set[Path] = set()
        self._recording = recording
        self.filters = filters

    def batches(self, wanted: Query, reader: int | None) -> Iterator[Exits]:
        """Iterate over the exits of a query that pass, until the reader of a pipe is gone.

        Raises StoreError.
        """
        selection = self._recording.select(wanted)
        try:
            for exits in selection.batches(reader):
                verdicts = match(self.filters, exits)
                self.undecided += verdicts.count(None)
                passing = exits.where([verdict is True for verdict in verdicts])
                if len(passing):
                    yield passing
        finally:
            self.unreadable.update(selection.unreadable)

    def last(self, count: int, wanted: Query, reader: int) -> list[Exits]:
        """Return the last of them, in the order in which they were recorded."""
        found: list[Exits] = []
        left = count
        for exits in self.batches(replace(wanted, newest_first=True), reader):
            found.append(exits[:left][::-1])
            left -= len(found[-1])
            if not left:
                break
        return found[::-1]

    def say_what_is_undecided(self) -> None:
        """Say on standard error how many exits are left out because not enough is known."""
        if self.undecided:
            exits = "1 exit is" if self.undecided == 1 else f"{self.undecided:,} exits are"
            complain(
                f"{exits} left out: the recording does not say whether these filters let them pass"
            )
