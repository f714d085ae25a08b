"""Exits of a recording, page by page: a Source."""

import select
import sqlite3
from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from heapq import merge
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from exitsnoop.model.batch import Exits
from exitsnoop.store import query as queries
from exitsnoop.store.decode import Decoder, rows_of
from exitsnoop.store.moments import Range, ranges
from exitsnoop.store.opening import DAMAGED, Gone, Opened, Tick
from exitsnoop.store.query import Condition, Query

PAGE = 500
"""So many rows are read at a time; no transaction lasts longer."""
_TRIES = 3
_ABOVE_ALL = (1 << 62) - 1


class File(NamedTuple):
    """A file of the recording, and which ids are to be taken from it: from first up to last."""

    path: Path
    first: int
    last: int


class Selection:
    """The exits that match a query.

    Attributes:
        ended: whether all have been given.
        unexplained: how many of those given have an unknown cause.
        undecided: 0; whoever filters counts what a filter could not decide about.
        last_id: the id of the exit that was given last; 0 before the first.
        unreadable: files that are damaged, or cannot be read; exits may be missing.
    """

    def __init__(
        self,
        files: Callable[[], list[File]],
        query: Query,
        count_lost: Callable[[], int],
        tick: Tick | None = None,
    ) -> None:
        self.ended = False
        self.unexplained = 0
        self.undecided = 0
        self.last_id = 0
        self.unreadable: list[Path] = []
        self._files = files
        self._query = query
        self._count_lost = count_lost
        self._tick = tick

    @cached_property
    def lost(self) -> int:
        """How many exits were not recorded in the time of the query."""
        return self._count_lost()

    def batches(self, reader: int | None = None) -> Iterator[Exits]:
        """Iterate over the exits, at most PAGE at a time.

        Files may come and go meanwhile: exits that are dropped before their turn are missing.

        Args:
            reader: the writing end of a pipe or socket: iteration ends when its reader is gone.

        Raises NotReadable, StoreTooNew.
        """
        left = self._query.limit
        for ids, exits in self._pages():
            if reader is not None and _is_gone(reader):
                break
            if left is not None and len(exits) > left:
                exits, ids = exits[:left], ids[:left]
            if not len(exits):
                continue
            self.last_id = ids[-1]
            for cause in exits.column("cause"):
                if cause is not None and cause.kind == "unknown":
                    self.unexplained += 1
            yield exits
            if left is not None:
                left -= len(exits)
                if not left:
                    break
        self.ended = True

    def _pages(self) -> Iterator[tuple[list[int], Exits]]:
        query = self._query
        first, last = query.after_id + 1, (query.before_id or _ABOVE_ALL + 1) - 1
        tries = 0
        while first <= last:
            file = self._next(first, last)
            if file is None:
                return
            try:
                for number, ids, exits in self._of_file(file, first, last):
                    if query.newest_first:
                        last = number - 1
                    else:
                        first = number + 1
                    tries = 0
                    yield ids, exits
            except Gone:
                continue  # the list is made anew
            except sqlite3.OperationalError:
                tries += 1
                if tries < _TRIES:
                    continue
                self._cannot_read(file.path)
            except DAMAGED:
                self._cannot_read(file.path)
            tries = 0
            if query.newest_first:
                last = file.first - 1
            else:
                first = file.last + 1

    def _next(self, first: int, last: int) -> File | None:
        """Return the file that is next to be read."""
        for file in sorted(self._files(), reverse=self._query.newest_first, key=_first):
            if file.last >= first and file.first <= last:
                return file
        return None

    def _of_file(self, file: File, first: int, last: int) -> Iterator[tuple[int, list[int], Exits]]:
        """Return pages, each with the number of the last row looked at, and the ids in it."""
        opened = Opened(file.path, self._tick)
        try:
            query = self._query
            connection = opened.connection
            first, last = max(first, file.first), min(last, file.last)
            found = ranges(connection, query.since_ns, query.until_ns, query.boot_id)
            if not found:
                return
            decoder = Decoder(connection)
            for part in reversed(found) if query.newest_first else found:
                part = part._replace(first=max(part.first, first), last=min(part.last, last))
                for page in map(_in_order, _rows(connection, query, part)):
                    exits, rows = self._decoded(opened, decoder, page)
                    if not opened.is_valid():
                        raise sqlite3.OperationalError("it changed while it was read")
                    ids = [row[0] for row in rows]
                    number = page[-1][0]
                    walls = exits.column("wall_ns") if ids else []
                    keep = [self._is_meant(wall_ns) for wall_ns in walls]
                    kept = [at for at, is_kept in zip(ids, keep, strict=True) if is_kept]
                    yield number, kept, exits.where(keep)
        finally:
            opened.close()

    def _decoded(
        self, opened: Opened, decoder: Decoder, page: list[tuple[Any, ...]]
    ) -> tuple[Exits, list[tuple[Any, ...]]]:
        """Return the exits of a page, and their rows: without those that are damaged."""
        try:
            return decoder.exits(opened.connection, page), page
        except ValueError:
            self._cannot_read(opened.path)
        sound = []
        for row in page:
            try:
                decoder.exits(opened.connection, [row])
                sound.append(row)
            except ValueError:
                continue
        return decoder.exits(opened.connection, sound), sound

    def _cannot_read(self, path: Path) -> None:
        if path not in self.unreadable:
            self.unreadable.append(path)

    def _is_meant(self, wall_ns: int) -> bool:
        query = self._query
        return (query.since_ns is None or wall_ns >= query.since_ns) and (
            query.until_ns is None or wall_ns <= query.until_ns
        )


def _first(file: File) -> int:
    return file.first


def _rows(
    connection: sqlite3.Connection, query: Query, part: Range
) -> Iterator[list[tuple[Any, ...]]]:
    """Return the rows of a range of ids, PAGE at a time."""
    try:
        wanted = queries.condition(connection, query)
    except queries.Nothing:
        return
    order = "DESC" if query.newest_first else "ASC"
    where = "id BETWEEN ? AND ? AND boot_ns BETWEEN ? AND ?"
    if wanted.sql:
        where += f" AND {wanted.sql}"
    if wanted.many and _are_few(wanted, query):
        yield from _of_origins(connection, query, part, wanted.origins)
        return
    if wanted.parts and query.limit is not None:
        yield from _merged(connection, query, part, wanted.parts)
        return
    if wanted.many:  # SQLite would sort all of them for each page
        numbers = array("q")
        for (number,) in connection.execute(
            f"SELECT id FROM rows WHERE {where} ORDER BY id {order}", part
        ):
            numbers.append(number)
        for at in range(0, len(numbers), PAGE):
            yield _numbered(connection, numbers[at : at + PAGE].tolist(), order)
        return
    sql = f"{rows_of(connection)} WHERE {where} ORDER BY id {order} LIMIT {PAGE}"
    yield from _pages_of(connection, sql, part, newest_first=query.newest_first)


def _pages_of(
    connection: sqlite3.Connection, sql: str, part: Range, *, newest_first: bool
) -> Iterator[list[tuple[Any, ...]]]:
    """Return what a statement finds in a range, which is its parameters, PAGE rows at a time."""
    low, high, *times = part
    while low <= high:
        page = connection.execute(sql, (low, high, *times)).fetchall()
        if page:
            yield page
        if len(page) < PAGE:
            return
        if newest_first:
            high = page[-1][0] - 1
        else:
            low = page[-1][0] + 1


def _merged(
    connection: sqlite3.Connection, query: Query, part: Range, parts: list[str]
) -> Iterator[list[tuple[Any, ...]]]:
    """Return the rows that meet one of some conditions, PAGE at a time; each uses an index."""
    order = "DESC" if query.newest_first else "ASC"
    each = " UNION ALL ".join(
        f"SELECT id FROM (SELECT id FROM rows WHERE id BETWEEN ?1 AND ?2 "
        f"AND boot_ns BETWEEN ?3 AND ?4 AND {one} ORDER BY id {order} LIMIT {PAGE})"
        for one in parts
    )
    sql = (
        f"{rows_of(connection)} WHERE id IN (SELECT id FROM ({each}) "
        f"ORDER BY id {order} LIMIT {PAGE}) ORDER BY id {order}"
    )
    yield from _pages_of(connection, sql, part, newest_first=query.newest_first)


def _are_few(wanted: Condition, query: Query) -> bool:
    """Return whether to ask each of the origins anew for each page."""
    return len(wanted.origins) > 0 and (
        query.limit is not None or len(wanted.origins) <= queries.MOST_PARTS
    )


def _of_origins(
    connection: sqlite3.Connection, query: Query, part: Range, origins: Sequence[int]
) -> Iterator[list[tuple[Any, ...]]]:
    """Return the rows of some origins, PAGE at a time.

    Those of a page are of the origins that have the first rows: of so many at most as the page has.
    """
    order = "DESC" if query.newest_first else "ASC"
    each = (
        "SELECT id FROM rows WHERE origin = {} AND id BETWEEN ? AND ? AND boot_ns BETWEEN ? AND ? "
        f"ORDER BY id {order}"
    )
    listed = ", ".join(map(str, origins))
    nearest = (
        f"SELECT id FROM (SELECT o.id AS id, ({each.format('o.id')} LIMIT 1) AS first "
        f"FROM origins o WHERE o.id IN ({listed})) WHERE first NOTNULL ORDER BY first {order} "
        f"LIMIT {PAGE}"
    )
    low, high, *times = part

    def first_numbers() -> list[int]:
        here = (low, high, *times)
        found = [
            map(_first_cell, connection.execute(each.format("?"), (origin, *here)))
            for (origin,) in connection.execute(nearest, here).fetchall()
        ]
        return [*islice(merge(*found, reverse=query.newest_first), PAGE)]

    while low <= high:
        numbers = first_numbers()  # no statement stays open: it would be a transaction
        if numbers:
            yield _numbered(connection, numbers, order)
        if len(numbers) < PAGE:
            return
        if query.newest_first:
            high = numbers[-1] - 1
        else:
            low = numbers[-1] + 1


def _numbered(
    connection: sqlite3.Connection, numbers: Sequence[int], order: str
) -> list[tuple[Any, ...]]:
    marks = ", ".join("?" * len(numbers))
    sql = f"{rows_of(connection)} WHERE id IN ({marks}) ORDER BY id {order}"
    return connection.execute(sql, numbers).fetchall()


def _first_cell(row: tuple[int]) -> int:
    return row[0]


def _in_order(page: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return a page; raise sqlite3.DatabaseError if its ids are not in order."""
    ids = [row[0] for row in page]
    if ids not in (sorted(set(ids)), sorted(set(ids), reverse=True)):
        raise sqlite3.DatabaseError("the order of rows is damaged")
    return page


def _is_gone(reader: int) -> bool:
    poll = select.poll()
    poll.register(reader, 0)
    return bool(poll.poll(0))
