"""The tables of one file of the recording, and the public view `exits`.

Every segment, and kept.db, has all of them: each file can be read alone. docs/recorder.md describes
the view. Columns are only ever added: raise VERSION then, and add a golden file to tests/store.

There are two layouts of `rows`: see ORIGIN.
"""

import sqlite3
from collections.abc import Iterable

from exitsnoop.model.status import describe, signal_name
from exitsnoop.store.alike import BASE, OF_IMAGE
from exitsnoop.store.errors import StoreTooNew
from exitsnoop.store.layout import CAUSE, ORIGIN, PLACE, PLAIN, ROW, json_of_chain

VERSION = 8
_NO_VERSION = 1000  # a file with this version, or a higher one, is damaged
APPLICATION_ID = 0x65786974  # "exit"
PAGE = 4096


def quoted(column: str) -> str:
    """Return a column's name as SQL takes it: LIMIT is a word of SQL."""
    return f'"{column}"'


def _integers(columns: Iterable[str]) -> str:
    return ", ".join([f"{name} INTEGER" for name in columns])


_TABLES = f"""
CREATE TABLE about (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE texts (id INTEGER PRIMARY KEY, text TEXT NOT NULL, raw BLOB);
CREATE TABLE places (id INTEGER PRIMARY KEY, {", ".join(PLACE)});
CREATE TABLE images (id INTEGER PRIMARY KEY, args TEXT NOT NULL, truncated INTEGER,
    {", ".join(BASE)});
CREATE TABLE chains (id INTEGER PRIMARY KEY, pid INTEGER NOT NULL, comm INTEGER NOT NULL,
    above INTEGER NOT NULL);
CREATE TABLE causes (id INTEGER PRIMARY KEY, {", ".join(map(quoted, CAUSE))});
CREATE TABLE rows (id INTEGER PRIMARY KEY, {{rows}});
CREATE TABLE times (id INTEGER PRIMARY KEY, era INTEGER NOT NULL, offset_ns INTEGER NOT NULL,
    until_ns INTEGER NOT NULL);
CREATE TABLE eras (id INTEGER PRIMARY KEY, boot_id TEXT NOT NULL, offset_ns INTEGER NOT NULL,
    stepped_ns INTEGER NOT NULL);
CREATE TABLE boots (boot_id TEXT PRIMARY KEY, kernel TEXT, hostname TEXT, machine_id TEXT,
    began_ns INTEGER NOT NULL, stepped_ns INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE coverage (segment INTEGER NOT NULL, id INTEGER NOT NULL, era INTEGER NOT NULL,
    from_ns INTEGER NOT NULL, to_ns INTEGER NOT NULL, offset_ns INTEGER NOT NULL, ended TEXT,
    filters TEXT, PRIMARY KEY (segment, id)) WITHOUT ROWID;
CREATE TABLE losses (segment INTEGER NOT NULL, id INTEGER NOT NULL, era INTEGER NOT NULL,
    from_ns INTEGER NOT NULL, to_ns INTEGER NOT NULL, offset_ns INTEGER NOT NULL,
    count INTEGER NOT NULL, why TEXT NOT NULL, PRIMARY KEY (segment, id)) WITHOUT ROWID;
CREATE TABLE hours (segment INTEGER NOT NULL, hour INTEGER NOT NULL, name INTEGER NOT NULL,
    exe INTEGER NOT NULL, place INTEGER NOT NULL, cause TEXT NOT NULL, status INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (segment, hour, name, exe, place, cause, status)) WITHOUT ROWID;
CREATE TABLE signals (number INTEGER PRIMARY KEY, name TEXT NOT NULL, words TEXT NOT NULL);
"""

_INDEXES = """
CREATE INDEX texts_text ON texts (text);
CREATE INDEX places_unit ON places (unit) WHERE unit IS NOT NULL;
CREATE INDEX places_container ON places (container) WHERE container IS NOT NULL;
CREATE INDEX places_container_name ON places (container_name) WHERE container_name IS NOT NULL;
CREATE INDEX places_pod_name ON places (pod_name) WHERE pod_name IS NOT NULL;
CREATE INDEX places_pod ON places (pod) WHERE pod IS NOT NULL;
CREATE INDEX places_user ON places (user);
CREATE INDEX rows_pid ON rows (pid);
CREATE INDEX rows_failed ON rows (failed) WHERE failed = 1;
"""
_APART = """
CREATE INDEX rows_name ON rows (name);
CREATE INDEX rows_exe ON rows (exe);
CREATE INDEX rows_place ON rows (place);
"""
_TOGETHER = f"""
CREATE TABLE origins (id INTEGER PRIMARY KEY, {_integers(ORIGIN)});
CREATE INDEX origins_name ON origins (name);
CREATE INDEX origins_exe ON origins (exe);
CREATE INDEX origins_place ON origins (place);
CREATE INDEX rows_origin ON rows (origin);
"""
_ROW = ("origin", *[name for name in ROW if name not in ORIGIN])

# The wall clock at an exit: the boot clock, how far the wall clock was ahead of it, and by how much
# the wall clock has been stepped since in this boot.
_WALL = "e.boot_ns + t.offset_ns + b.stepped_ns - r.stepped_ns"


def _of_time(expression: str) -> str:
    return (
        f"(SELECT {expression} FROM times t JOIN eras r ON r.id = t.era "
        "JOIN boots b ON b.boot_id = r.boot_id WHERE t.id <= e.id ORDER BY t.id DESC LIMIT 1)"
    )


def rfc3339(ns: str) -> str:
    """Return the SQL that writes nanoseconds since the epoch as JSON lines have them."""
    return (
        f"strftime('%Y-%m-%dT%H:%M:%S', ({ns}) / 1000000000, 'unixepoch') "
        f"|| printf('.%06dZ', ({ns}) / 1000 % 1000000)"
    )


def _text(column: str) -> str:
    return f"(SELECT text FROM texts WHERE id = e.{column})"


def _of_cause(column: str) -> str:
    if column == "address":
        return "(SELECT printf('0x%x', address) FROM causes WHERE id = e.cause AND address NOTNULL)"
    if column == "stack":
        return "(SELECT s.text FROM causes c JOIN texts s ON s.id = c.stack WHERE c.id = e.cause)"
    return f'(SELECT "{column}" FROM causes WHERE id = e.cause)'


_NOT_A_SIGNAL = "e.status & 127 = 0"

# Joined are the tables that are searched by what they hold; for the rest, joins cost every count.
VIEW: dict[str, str] = {
    "id": "e.id",
    "time": _of_time(rfc3339(_WALL)),
    "wall_ns": _of_time(_WALL),
    "boot_id": _of_time("r.boot_id"),
    "boot_ns": "e.boot_ns",
    "start_boot_ns": "e.boot_ns - e.age_ns",
    "pid": "e.pid",
    "tid": "ifnull(e.tid, e.pid)",
    "ppid": "e.ppid",
    "comm": "n.text",
    "raw_comm": "CASE WHEN n.raw IS NULL THEN substr(lower(hex(n.text)) || "
    f"'{'0' * 32}', 1, 32) ELSE lower(hex(n.raw)) END",
    "age": "e.age_ns / 1000 / 1000000.0",
    "exit_code": f"CASE WHEN {_NOT_A_SIGNAL} THEN e.status >> 8 & 255 END",
    "signal": f"CASE WHEN NOT ({_NOT_A_SIGNAL}) THEN e.status & 127 END",
    "signal_name": "'SIG' || (SELECT name FROM signals WHERE number = e.status & 127)",
    "core_dumped": "e.status & 128 <> 0",
    "exit": f"CASE WHEN e.status = 0 THEN '0' WHEN {_NOT_A_SIGNAL} "
    "THEN 'code ' || (e.status >> 8 & 255) "
    "ELSE (SELECT words FROM signals WHERE number = e.status & 127) "
    "|| CASE WHEN e.status & 128 THEN ', core dumped' ELSE '' END END",
    "status": "e.status",
    "failed": "e.failed",
    "last_thread": "e.last_thread",
    "cause": "(SELECT kind FROM causes WHERE id = e.cause)",
    **{f"cause_{column}": _of_cause(column) for column in CAUSE if column != "kind"},
    "args": f"({OF_IMAGE.format('e.image')})",
    "args_truncated": "(SELECT truncated FROM images WHERE id = e.image)",
    "exe": "x.text",
    "nspid": "CASE e.nspid WHEN -1 THEN e.pid ELSE e.nspid END",
    "parent_comm": "(SELECT text FROM texts WHERE id = o.parent)",
    "ancestors": f"CASE WHEN e.chain NOTNULL THEN ({json_of_chain('e.chain')}) END",
    "ancestors_truncated": "e.chain_truncated",
    **{"container_runtime" if name == "runtime" else name: f"p.{name}" for name in PLACE},
    **{
        name: (
            _text(name)
            if kind == "text"
            else f"e.{name} / 1000000000.0"
            if kind == "seconds"
            else f"e.{name}"
        )
        for name, kind in PLAIN.items()
    },
}

_SELECT = "CREATE VIEW exits AS SELECT " + ", ".join(
    f'{sql} AS "{name}"' for name, sql in VIEW.items()
)
# Each row has an origin. Behind a LEFT JOIN, SQLite would not use the indexes of origins.
_VIEW = (
    _SELECT + " FROM rows e JOIN origins o ON o.id = e.origin LEFT JOIN texts n ON n.id = o.name "
    "LEFT JOIN texts x ON x.id = o.exe LEFT JOIN places p ON p.id = o.place"
)
_VIEW_APART = (
    _SELECT.replace("o.parent", "e.parent") + " FROM rows e LEFT JOIN texts n ON n.id = e.name "
    "LEFT JOIN texts x ON x.id = e.exe LEFT JOIN places p ON p.id = e.place"
)

_COLUMNS = {"places": PLACE, "causes": CAUSE, "images": BASE, "coverage": ("filters",)}


def create(connection: sqlite3.Connection, first_id: int, *, apart: bool = False) -> None:
    """Make the tables in a file that is empty. apart: without the table `origins`."""
    tables = _TABLES.format(rows=_integers(ROW if apart else _ROW))
    more, view = (_APART, _VIEW_APART) if apart else (_TOGETHER, _VIEW)
    connection.execute(f"PRAGMA page_size={PAGE}")
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute("BEGIN IMMEDIATE")
    for statement in (tables + _INDEXES + more).split(";")[:-1]:
        connection.execute(statement)
    connection.execute(view)
    connection.executemany(
        "INSERT INTO signals (number, name, words) VALUES (?, ?, ?)",
        [(number, signal_name(number), describe(number)) for number in range(1, 128)],
    )
    connection.execute("INSERT INTO about (key, value) VALUES ('first_id', ?)", (first_id,))
    connection.execute(f"PRAGMA user_version={VERSION}")
    connection.execute("COMMIT")


def version(connection: sqlite3.Connection) -> int:
    """Return the version of a file's tables. Raises StoreTooNew, sqlite3.DatabaseError."""
    found = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if not 0 <= found < _NO_VERSION:
        raise sqlite3.DatabaseError("the version of the tables is damaged")
    if found > VERSION:
        raise StoreTooNew(
            f"a newer exitsnoop wrote this recording (schema {found}; this version reads up to "
            f"{VERSION}): read it with that exitsnoop, or record to another directory"
        )
    return found


def upgrade(connection: sqlite3.Connection) -> None:
    """Bring a file to VERSION in one transaction; others may read it meanwhile.

    It adds the columns that are missing, and makes the view again: also where damage has changed
    the name of a column, without which nothing could be written.
    """
    apart = not has_origins(connection)
    tables = {**_COLUMNS, "rows": ROW if apart else _ROW}
    if version(connection) == VERSION and all(
        present(connection, table).issuperset(columns) for table, columns in tables.items()
    ):
        return
    connection.execute("BEGIN IMMEDIATE")
    for table, columns in tables.items():
        there = present(connection, table)
        for column in columns:
            if column not in there:
                connection.execute(f"ALTER TABLE {table} ADD COLUMN {quoted(column)}")
    connection.execute("DROP VIEW IF EXISTS exits")
    connection.execute(_VIEW_APART if apart else _VIEW)
    connection.execute(f"PRAGMA user_version={VERSION}")
    connection.execute("COMMIT")


def has_origins(connection: sqlite3.Connection, schema: str = "main") -> bool:
    """Return whether a file has the table `origins`: whether ORIGIN is one number in `rows`."""
    return bool(connection.execute(f"PRAGMA {schema}.table_info(origins)").fetchone())


def present(connection: sqlite3.Connection, table: str) -> set[str]:
    """Return the columns that a table or view of a file has."""
    return {name for (_, name, *_) in connection.execute(f"PRAGMA table_info({table})")}
