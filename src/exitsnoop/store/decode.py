"""Rows of the tables of one file -> exits."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from json import loads
from typing import Any

from exitsnoop.model.batch import Exits
from exitsnoop.model.cause import At
from exitsnoop.model.context import Ancestor
from exitsnoop.store.alike import OF_IMAGE
from exitsnoop.store.layout import CAUSE, CAUSE_PARTS, ORIGIN, PLACE_FIELDS, PLAIN, ROW, Parts
from exitsnoop.store.schema import has_origins, present, quoted

_MOST_REMEMBERED = 1024
_AT_A_TIME = 500
_UNSIGNED = {"address", "limit"}
_ALWAYS = {"boot_ns", "age_ns", "pid", "ppid", "status", "last_thread", "name"}
_NONE = type(None)


def rows_of(connection: sqlite3.Connection) -> str:
    """Return the SELECT for the rows that a Decoder takes; a condition may follow.

    A file of an older version may lack columns.
    """
    return f"SELECT id, {_listed(connection, 'rows', ('origin', *ROW))} FROM rows"


def _listed(connection: sqlite3.Connection, table: str, columns: Sequence[str]) -> str:
    there = present(connection, table)
    return ", ".join([quoted(name) if name in there else "NULL" for name in columns])


def _listed_of_cause(connection: sqlite3.Connection) -> str:
    listed = _listed(connection, "causes", CAUSE)
    return listed.replace('"stack"', "(SELECT text FROM texts WHERE texts.id = causes.stack)")


class _Shared:
    """Values that exits share, by number: those that were needed lately."""

    def __init__(self, query: str, make: Callable[[tuple[Any, ...]], Any]) -> None:
        self._query = query
        self._make = make
        self._known: dict[int | None, Any] = {None: None}

    def get(
        self, connection: sqlite3.Connection, numbers: Iterable[int | None]
    ) -> dict[int | None, Any]:
        """Return what these numbers stand for, and maybe more; None for None."""
        if len(self._known) > _MOST_REMEMBERED:
            self._known = {None: None}
        wanted = list({*numbers} - self._known.keys())
        for at in range(0, len(wanted), _AT_A_TIME):
            some = wanted[at : at + _AT_A_TIME]
            query = self._query.format(", ".join("?" * len(some)))
            for number, *cells in connection.execute(query, some):
                self._known[number] = self._make(tuple(cells))
        return self._known


class Decoder:
    """Makes exits of rows, for one file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._texts = _Shared("SELECT id, text FROM texts WHERE id IN ({})", lambda cells: cells[0])
        self._names = _Shared("SELECT id, text, raw FROM texts WHERE id IN ({})", _raw_name)
        self._places = _Shared(
            f"SELECT id, {_listed(connection, 'places', PLACE_FIELDS)} FROM places "
            "WHERE id IN ({})",
            lambda cells: cells,
        )
        self._origins = None
        if has_origins(connection):
            query = f"SELECT id, {', '.join(ORIGIN)} FROM origins WHERE id IN ({{}})"
            self._origins = _Shared(query, lambda cells: cells)
        args = "args"
        if "base" in present(connection, "images"):
            args = f"({OF_IMAGE.format('one.id')})"
        self._images = _Shared(
            f"SELECT id, {args}, truncated FROM images one WHERE id IN ({{}})", _image
        )
        self._causes = _Shared(
            f"SELECT id, {_listed_of_cause(connection)} FROM causes WHERE id IN ({{}})",
            _cause,
        )
        self._links: dict[int, tuple[int, int, int]] = {}

    def exits(self, connection: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> Exits:
        """Return the exits of rows, as rows_of() selects them, in the order of their ids.

        Besides the fields of an exit there are the columns `id` and `boot_id`: the number of the
        row in the recording, and the boot in which the process ended.

        Raises sqlite3.Error; ValueError if a row is damaged.
        """
        if not rows:
            return Exits({})
        ids, origins, *cells = map(list, zip(*rows, strict=True))
        row = dict(zip(ROW, cells, strict=True))
        if self._origins:
            row |= _of_origins(origins, self._origins.get(connection, origins))
        for name, column in row.items():
            if not {int, *([] if name in _ALWAYS else [_NONE])}.issuperset(map(type, column)):
                raise ValueError(f"a row has a damaged {name}")
        try:
            return self._exits(connection, ids, row)
        except (LookupError, TypeError, OverflowError, RecursionError) as error:
            raise ValueError("a row is damaged") from error

    def _exits(
        self, connection: sqlite3.Connection, ids: list[int], row: dict[str, list[Any]]
    ) -> Exits:
        boot_ns, pid = row["boot_ns"], row["pid"]
        plain_texts = [row[name] for name, kind in PLAIN.items() if kind == "text"]
        texts = self._texts.get(connection, {*row["parent"], *row["exe"]}.union(*plain_texts))
        names = self._names.get(connection, row["name"])
        places = self._places.get(connection, row["place"])
        images = self._images.get(connection, row["image"])
        causes = self._causes.get(connection, row["cause"])
        pairs = [images[image] or (None, None) for image in row["image"]]
        whose = [places[place] or (None,) * len(PLACE_FIELDS) for place in row["place"]]
        wall_ns, boots = self._walls(connection, ids, boot_ns)
        columns: dict[str, Sequence[Any]] = {
            "id": ids,
            "boot_id": boots,
            "boot_ns": boot_ns,
            "start_boot_ns": [end - age for end, age in zip(boot_ns, row["age_ns"], strict=True)],
            "pid": pid,
            "tid": [of if tid is None else tid for tid, of in zip(row["tid"], pid, strict=True)],
            "ppid": row["ppid"],
            "status": row["status"],
            "last_thread": list(map(bool, row["last_thread"])),
            "wanted": [True] * len(ids),
            "raw_comm": [names[name] for name in row["name"]],
            "wall_ns": wall_ns,
            "cause": [causes[cause] for cause in row["cause"]],
            "args": [pair[0] for pair in pairs],
            "args_truncated": [pair[1] for pair in pairs],
            "exe": [texts[exe] for exe in row["exe"]],
            "nspid": [
                of if nspid == -1 else nspid for nspid, of in zip(row["nspid"], pid, strict=True)
            ],
            "parent_comm": [texts[parent] for parent in row["parent"]],
            "ancestors": self._chains(connection, row["chain"]),
            "ancestors_truncated": [_flag(flag) for flag in row["chain_truncated"]],
            **dict(zip(PLACE_FIELDS, zip(*whose, strict=True), strict=True)),
        }
        for name, kind in PLAIN.items():
            columns[name] = _plain(kind, row[name], texts)
        return Exits(columns)

    def _walls(
        self, connection: sqlite3.Connection, ids: Sequence[int], boot_ns: Sequence[int]
    ) -> tuple[list[int], list[str | None]]:
        """Return when exits were by the wall clock, and in which boots.

        The times are corrected by what the clock was stepped by since.
        """
        times = connection.execute(
            "SELECT t.id, t.offset_ns + b.stepped_ns - r.stepped_ns, r.boot_id FROM times t "
            "JOIN eras r ON r.id = t.era JOIN boots b ON b.boot_id = r.boot_id "
            "WHERE t.id >= (SELECT ifnull(max(id), 0) FROM times WHERE id <= ?) AND t.id <= ? "
            "ORDER BY t.id DESC",
            (min(ids), max(ids)),
        )
        ahead = list(times)
        walls = dict.fromkeys(ids, 0)
        boots: dict[int, str | None] = dict.fromkeys(ids)
        for number, boot in sorted(zip(ids, boot_ns, strict=True), reverse=True):
            while ahead and ahead[0][0] > number:
                ahead.pop(0)
            walls[number] = boot
            if ahead:
                walls[number] += ahead[0][1]
                boots[number] = ahead[0][2]
        return list(walls.values()), list(boots.values())

    def _chains(
        self, connection: sqlite3.Connection, chains: Sequence[int | None]
    ) -> list[tuple[Ancestor, ...] | None]:
        if len(self._links) > _MOST_REMEMBERED:
            self._links.clear()
        wanted = [number for number in {*chains} - {None, 0} if number not in self._links]
        for at in range(0, len(wanted), _AT_A_TIME):
            some = wanted[at : at + _AT_A_TIME]
            for number, *link in connection.execute(
                "WITH RECURSIVE up (id, pid, comm, above) AS (SELECT id, pid, comm, above "
                f"FROM chains WHERE id IN ({', '.join('?' * len(some))}) UNION "
                "SELECT c.id, c.pid, c.comm, c.above FROM up JOIN chains c ON c.id = up.above) "
                "SELECT id, pid, comm, above FROM up",
                some,
            ):
                self._links[number] = (link[0], link[1], link[2])
        comms = {self._links[number][1] for number in self._links}
        texts = self._texts.get(connection, comms)
        made: dict[int | None, tuple[Ancestor, ...] | None] = {None: None}
        for chain in {*chains} - {None}:
            found = []
            number = chain or 0
            while number in self._links:
                pid, comm, number = self._links[number]
                found.append(Ancestor(pid, texts[comm]))
            made[chain] = tuple(found)
        return [made[chain] for chain in chains]


def _of_origins(
    origins: Sequence[int], known: dict[int | None, Any]
) -> dict[str, list[int | None]]:
    """Return the columns that origins stand for. Raises ValueError if one is not known."""
    if not {*origins} <= known.keys() - {None}:
        raise ValueError("a row has a damaged origin")
    columns = zip(*[known[origin] for origin in origins], strict=True)
    return dict(zip(ORIGIN, map(list, columns), strict=True))


def _raw_name(cells: tuple[Any, ...]) -> bytes:
    text, raw = cells
    return bytes(raw) if raw is not None else text.encode().ljust(16, b"\0")


def _image(cells: tuple[Any, ...]) -> tuple[tuple[str, ...], bool | None]:
    return tuple(loads(cells[0])), _flag(cells[1])


def _flag(cell: int | None) -> bool | None:
    return None if cell is None else bool(cell)


def _cause(cells: tuple[Any, ...]) -> Any:
    return _record(CAUSE_PARTS, dict(zip(CAUSE, cells, strict=True)))


def _record(parts: Parts, cells: dict[str, Any]) -> Any:
    """Return a record, of the columns that its parts are in; None if it was None."""
    values: list[Any] = []
    for name, column, inner in parts.parts:
        cell = cells.get(column)
        if inner:
            values.append(_record(inner, cells))
        elif name in ("args", "earlier"):
            values.append(None if cell is None else tuple(loads(cell)))
        elif name == "ancestors":
            values.append(None if cell is None else _ancestors(cell))
        elif name == "args_truncated":
            values.append(bool(cell))
        elif name == "stack":
            values.append(cell and tuple(At(**one) for one in loads(cell)))
        elif name in ("reraised", "stack_complete"):
            values.append(_flag(cell))
        elif name in _UNSIGNED and cell is not None:
            values.append(cell & (1 << 64) - 1)
        else:
            values.append(cell)
    return None if values[0] is None else parts.kind(*values)  # the first is always known


def _ancestors(cell: str) -> tuple[Ancestor, ...]:
    return tuple([Ancestor(one["pid"], one["comm"]) for one in loads(cell)])


def _plain(kind: str, column: Sequence[Any], texts: dict[int | None, Any]) -> Sequence[Any]:
    if kind == "text":
        return [texts[number] for number in column]
    if kind == "seconds":
        return [None if ns is None else ns / 1_000_000_000 for ns in column]
    if kind == "flag":
        return [_flag(flag) for flag in column]
    return column
