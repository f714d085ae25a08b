"""The segment that is written to."""

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from exitsnoop.model.batch import Exits
from exitsnoop.store import directory
from exitsnoop.store.damage import judged, told_as_damage
from exitsnoop.store.encode import NUMBERED, Encoder
from exitsnoop.store.eras import Eras
from exitsnoop.store.redact import Kept
from exitsnoop.store.schema import PAGE, has_origins

_COUNT = (
    "INSERT INTO hours (segment, hour, name, exe, place, cause, status, count) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (segment, hour, name, exe, place, cause, status) "
    "DO UPDATE SET count = count + excluded.count"
)
_COVER = (
    "INSERT OR REPLACE INTO coverage "
    "(segment, id, era, from_ns, to_ns, offset_ns, ended, filters) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_LOSE = (
    "INSERT INTO losses (segment, id, era, from_ns, to_ns, offset_ns, count, why) "
    "SELECT ?, ifnull(max(id), 0) + 1, ?, ?, ?, ?, ?, ? FROM losses"
)


LEAST_AT_ONCE = 16
"""So many exits are never too many for one commit."""


class TooMuch(Exception):
    """The exits would take too much of the segment in one commit."""


_SMALL = 256


class Segment:
    """A segment, open for writing. Opening raises sqlite3.Error, StoreTooNew.

    Attributes:
        path: its file.
        connection: to it.
        first_id: the least id that an exit in it can have.
        next_id: the id of the next exit.
    """

    def __init__(self, path: Path, most_bytes: int, kept: Kept) -> None:
        self.path = path
        self.connection = directory.connect(path)
        try:
            with told_as_damage():
                self._open(most_bytes, kept)
        except BaseException:
            self.connection.close()
            raise

    def _open(self, most_bytes: int, kept: Kept) -> None:
        self._long_bytes = most_bytes // 8
        pages = most_bytes // PAGE
        self.connection.execute(f"PRAGMA wal_autocheckpoint={max(16, min(1000, pages // 8))}")
        self.connection.execute(f"PRAGMA max_page_count={pages + max(100, pages // 4)}")
        self.first_id: int = self._one("SELECT value FROM about WHERE key = 'first_id'")
        self.next_id: int = max(self.first_id, self._one("SELECT max(id) FROM rows") + 1)
        self._coverage_id: int = self._one("SELECT max(id) FROM coverage")
        apart = () if has_origins(self.connection) else ("origins",)
        numbers = {
            table: self._one(f"SELECT max(id) FROM {table}")
            for table in NUMBERED
            if table not in apart
        }
        self._encoder = Encoder(numbers, kept)

    def _one(self, query: str) -> int:
        return int(self.connection.execute(query).fetchone()[0] or 0)

    def about(self, key: str) -> int:
        """Return a number from the table `about`; 0 if it is not there."""
        query = "SELECT max(value) FROM about WHERE key = ?"
        return int(self.connection.execute(query, (key,)).fetchone()[0] or 0)

    def cover_anew(self) -> None:
        """Begin another stretch of coverage."""
        self._coverage_id += 1

    def write(
        self,
        batches: Sequence[tuple[Exits, int]],
        eras: Eras,
        covered: tuple[int, int, str | None, str | None],
        losses: Sequence[tuple[int, int, int, str]] = (),
    ) -> None:
        """Write exits in one commit, or nothing.

        Raises sqlite3.Error, TooMuch; the segment must then be opened again.

        Args:
            batches: exits, each with the number of their era.
            eras: the eras, with the current one.
            covered: the current coverage: from, to (by the boot clock), why it ended, with which
                filters.
            losses: from, to, how many, why.
        """
        connection, encoder = self.connection, self._encoder
        next_id = self.next_id
        try:
            connection.execute("BEGIN IMMEDIATE")
            eras.write(connection)
            for exits, era in _not_small(batches):
                encoder.add(exits, range(next_id, next_id + len(exits)), era)
                next_id += len(exits)
                if encoder.long_bytes > self._long_bytes and next_id - self.next_id > LEAST_AT_ONCE:
                    raise TooMuch  # noqa: TRY301 - it is rolled back as any failure
            self._insert(encoder)
            since, until, *more = covered
            here = (self.first_id, self._coverage_id, eras.current)
            connection.execute(_COVER, (*here, since, until, eras.offset_ns, *more))
            for start, end, count, why in losses:
                cells = (self.first_id, eras.current, start, end, eras.offset_ns, count, why)
                connection.execute(_LOSE, cells)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self.abandon()
            raise judged(error) from error
        except BaseException:
            self.abandon()
            raise
        encoder.written()
        self.next_id = next_id

    def _insert(self, encoder: Encoder) -> None:
        encoder.rows.insert(self.connection)
        first = self.first_id
        counted = [(first, *key, count) for key, count in encoder.hours.items()]
        self.connection.executemany(_COUNT, counted)

    def bytes(self) -> int:
        """Return the size of its file and of its log."""
        return directory.size(self.path)

    def is_there(self) -> bool:
        """Return whether the file is still in the directory: somebody may have removed it."""
        return self.path.exists()

    def end(self) -> None:
        """Take no more exits, and free what that took: a reader may keep it open for long."""
        del self._encoder
        self.connection.execute("PRAGMA shrink_memory")

    def seal(self) -> bool:
        """Close it as one file; return False, and leave it open, if a reader prevents that."""
        return directory.seal(self.connection)

    def abandon(self) -> None:
        """Close it whatever its state."""
        try:
            self.connection.close()
        except sqlite3.Error:
            pass


def _not_small(batches: Sequence[tuple[Exits, int]]) -> Iterator[tuple[Exits, int]]:
    """Return the batches of each era, small ones joined: each costs as much as 20 exits."""
    for era, run in groupby(batches, key=itemgetter(1)):
        waiting: list[Exits] = []
        count = 0
        for exits, _ in run:
            waiting.append(exits)
            count += len(exits)
            if count >= _SMALL:
                yield _as_one(waiting), era
                waiting, count = [], 0
        if waiting:
            yield _as_one(waiting), era


def _as_one(batches: Sequence[Exits]) -> Exits:
    return batches[0] if len(batches) == 1 else Exits.joined(batches)
