"""All files of a recording as one: the views `exits` and `hours`, for SQL that can only read."""

import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from exitsnoop.store import opening, rollups
from exitsnoop.store.moments import ranges
from exitsnoop.store.opening import DAMAGED, Gone, Opened
from exitsnoop.store.schema import VIEW, present
from exitsnoop.store.selection import File

NAME = "exits"
HOURS = {
    "hour": "strftime('%Y-%m-%dT%H:00:00Z', h.hour * 3600, 'unixepoch')",
    "comm": "n.text",
    "exe": "x.text",
    "unit": "p.unit",
    "container": "p.container",
    "container_name": "p.container_name",
    "pod_name": "p.pod_name",
    "namespace": "p.namespace",
    "cause": "nullif(h.cause, '')",
    "status": "h.status",
    "exits": "h.count",
}
"""The columns of the view `hours`: how many exits of an hour ended in one way."""
_HOUR_NS = 3600 * 1_000_000_000
_READING = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
}
_HARMLESS = {"table_info", "table_xinfo", "database_list", "table_list"}


class During(NamedTuple):
    """A time: nanoseconds since the epoch, both ends included, and a boot. None: no limit."""

    since_ns: int | None = None
    until_ns: int | None = None
    boot_id: str | None = None


ALWAYS = During()


class _Part(NamedTuple):
    """A file in the views: its schema, the columns it has, and which rows and hours belong.

    A file of an older version may lack columns, also in its table of places.
    """

    schema: str
    columns: set[str]
    condition: str
    hours: str
    places: set[str]


def connect(
    files: Sequence[File], sql: str, during: During, unreadable: set[Path]
) -> sqlite3.Connection:
    """Return a connection that has the view; see Recording.connect().

    Adds the files that cannot be read to `unreadable`. Raises Gone if one was removed meanwhile.
    """
    connection = sqlite3.connect(":memory:", uri=True, isolation_level=None)
    connection.text_factory = opening.text
    try:
        in_order = _attached(connection, files, during, unreadable)
    except Gone:
        connection.close()
        raise
    _create(connection, in_order, list(VIEW))
    _create_hours(connection, in_order)
    needed = _columns(connection, sql)
    if needed != list(VIEW):
        connection.execute(f"DROP VIEW {NAME}")
        _create(connection, in_order, needed)
    connection.execute("PRAGMA query_only=1")
    connection.set_authorizer(_only_reading)
    return connection


def _attached(
    connection: sqlite3.Connection, files: Sequence[File], during: During, unreadable: set[Path]
) -> list[_Part]:
    """Attach the files, and return them in their order."""
    with contextlib.ExitStack() as stack:
        found = []
        for nth, file in enumerate(files, start=int(not files or files[0].first != 0)):
            try:
                found.append(
                    (nth, file, stack.enter_context(contextlib.closing(Opened(file.path))))
                )
            except sqlite3.DatabaseError:
                unreadable.add(file.path)
        parts = {}
        joined = 0
        for nth, file, opened in sorted(found, key=lambda part: not part[2].is_alone):
            schema = "kept" if file.first == 0 else f"s{nth}"
            try:
                opened.attach(connection, schema)
                if file.first == 0:
                    joined = rollups.joined(connection, schema)
                columns = present(opened.connection, NAME)
                condition = _condition(opened.connection, file, during)
                places = present(opened.connection, "places")
                parts[nth] = _Part(schema, columns, condition, _hours(file, during), places)
            except DAMAGED:
                if not file.path.exists():
                    raise Gone(file.path) from None
                unreadable.add(file.path)
    for nth, file, _ in found:
        if nth in parts and rollups.has(joined, file.first):
            parts[nth] = parts[nth]._replace(hours="0")
    return [parts[nth] for nth in sorted(parts)]


def _condition(connection: sqlite3.Connection, file: File, during: During) -> str:
    """Return which rows of a file belong to the view."""
    terms = [f"id <= {file.last}"] if file.first == 0 else []
    if during != ALWAYS:
        found = ranges(connection, *during)
        if not found:
            return "0"
        first, last = min(part.first for part in found), max(part.last for part in found)
        terms.append(f"id BETWEEN {first} AND {last}")  # the rest looks at each row
    limits = [
        f"wall_ns {sign} {int(limit)}"
        for sign, limit in ((">=", during.since_ns), ("<=", during.until_ns))
        if limit is not None
    ]
    if limits:
        low, high = _surely_within(connection, during)
        terms.append(f"(id BETWEEN {low} AND {high} OR ({' AND '.join(limits)}))")
    if during.boot_id is not None:
        quoted = during.boot_id.replace("'", "''")
        terms.append(f"boot_id = '{quoted}'")
    return " AND ".join(terms) or "1"


def _surely_within(connection: sqlite3.Connection, during: During) -> tuple[int, int]:
    """Return the ids between which no time needs to be compared, which is what costs most."""
    low, high = 0, (1 << 63) - 1
    if during.since_ns is not None:
        low = max([low, *(part.last + 1 for part in ranges(connection, None, during.since_ns))])
    if during.until_ns is not None:
        high = min([high, *(part.first - 1 for part in ranges(connection, during.until_ns, None))])
    return low, high


def _hours(file: File, during: During) -> str:
    """Return which of the counts by the hour in a file belong to the view; hours are whole."""
    terms = [f"h.segment <= {file.last}"]  # kept.db has those of segments that are there, too
    if during.since_ns is not None:
        terms.append(f"h.hour >= {during.since_ns // _HOUR_NS}")
    if during.until_ns is not None:
        terms.append(f"h.hour <= {during.until_ns // _HOUR_NS}")
    return " AND ".join(terms)


def _create_hours(connection: sqlite3.Connection, parts: Sequence[_Part]) -> None:
    selects = [
        f"SELECT {_listed_of_hours(part)} FROM {part.schema}.hours h "
        f"LEFT JOIN {part.schema}.texts n ON n.id = h.name "
        f"LEFT JOIN {part.schema}.texts x ON x.id = h.exe "
        f"LEFT JOIN {part.schema}.places p ON p.id = h.place WHERE {part.hours}"
        for part in parts
    ]
    if selects:
        connection.execute(f"CREATE TEMP VIEW hours AS {' UNION ALL '.join(selects)}")


def _listed_of_hours(part: _Part) -> str:
    return ", ".join(
        f'NULL AS "{name}"'
        if sql.startswith("p.") and sql.removeprefix("p.") not in part.places
        else f'{sql} AS "{name}"'
        for name, sql in HOURS.items()
    )


def _create(connection: sqlite3.Connection, parts: Sequence[_Part], columns: Sequence[str]) -> None:
    selects = []
    for part in parts:
        listed = ", ".join(
            f'"{column}"' if column in part.columns else f'NULL AS "{column}"' for column in columns
        )
        selects.append(f"SELECT {listed} FROM {part.schema}.{NAME} WHERE {part.condition}")
    if not selects:
        selects = [f"SELECT {', '.join(f'NULL AS {column!r}' for column in columns)} WHERE 0"]
    connection.execute(f"CREATE TEMP VIEW {NAME} AS {' UNION ALL '.join(selects)}")


def _columns(connection: sqlite3.Connection, sql: str) -> list[str]:
    """Return the columns of the view that a statement reads; all if SQLite cannot say."""
    read = {"id"}  # a view has at least one column

    def note(
        action: int, table: str | None, column: str | None, schema: str | None, _: object
    ) -> int:
        if action == sqlite3.SQLITE_READ and table == NAME and schema == "temp" and column:
            read.add(column)
        return sqlite3.SQLITE_OK

    connection.set_authorizer(note)
    try:
        connection.execute(f"EXPLAIN {sql}")  # compiles it, and does nothing
    except (sqlite3.Error, sqlite3.Warning, ValueError):  # the error comes again when it is run
        return list(VIEW)
    return [column for column in VIEW if column in read]


def _only_reading(action: int, argument: str | None, *_: str | None) -> int:
    """Decide what a statement may do."""
    if action == sqlite3.SQLITE_PRAGMA:
        return sqlite3.SQLITE_OK if argument in _HARMLESS else sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK if action in _READING else sqlite3.SQLITE_DENY
