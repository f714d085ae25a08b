"""Retention: drops a segment, and keeps its last failures and its counts by the hour.

Before a segment is removed, the last KEEP failures of each group are copied into kept.db. A group
is an executable in a unit or a container; elsewhere an executable below a parent of some name. If
the recorder is killed in between, the next one does the same again: exits keep their ids, so none
is added twice. From kept.db, readers take only exits that are older than the oldest segment.
"""

import os
import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

from exitsnoop.model.batch import Exits
from exitsnoop.store import directory, opening, rollups
from exitsnoop.store.decode import Decoder, rows_of
from exitsnoop.store.directory import Directory
from exitsnoop.store.encode import NUMBERED, Encoder
from exitsnoop.store.layout import PLAIN
from exitsnoop.store.limits import kept_bytes
from exitsnoop.store.redact import Kept
from exitsnoop.store.schema import has_origins

KEEP = 100
_CACHE_KIB = 500  # of each database: what is taken once is never given back
_PAGE = 500
_ALL = 1 << 40
_MANY, _LEAST = 20_000, 16
_GROUP = (
    "ifnull(p.unit, ''), ifnull(p.container, ''), ifnull(x.text, n.text), "
    "CASE WHEN p.unit IS NULL AND p.container IS NULL THEN ifnull(u.text, '') END"
)
_RANKED = (
    "SELECT e.id AS id, row_number() OVER (PARTITION BY " + _GROUP + " ORDER BY e.id DESC) AS nth "
    "FROM {schema}.rows e {origins} LEFT JOIN {schema}.texts n ON n.id = {o}.name "
    "LEFT JOIN {schema}.texts x ON x.id = {o}.exe LEFT JOIN {schema}.texts u ON u.id = {o}.parent "
    "LEFT JOIN {schema}.places p ON p.id = {o}.place WHERE e.failed = 1"
)
_TEXTS = "".join(
    f" UNION SELECT {name} FROM rows WHERE {name} NOTNULL"
    for name, kind in PLAIN.items()
    if kind == "text"
)
_UNUSED = f"""
DELETE FROM images WHERE id NOT IN (SELECT image FROM rows WHERE image NOTNULL);
DELETE FROM causes WHERE id NOT IN (SELECT cause FROM rows WHERE cause NOTNULL);
DELETE FROM chains WHERE id NOT IN (WITH RECURSIVE up (id) AS (
    SELECT chain FROM rows WHERE chain NOTNULL UNION
    SELECT c.above FROM up JOIN chains c ON c.id = up.id) SELECT id FROM up);
DELETE FROM places WHERE id NOT IN (
    SELECT place FROM rows WHERE place NOTNULL UNION SELECT place FROM hours);
DELETE FROM texts WHERE id NOT IN (
    SELECT name FROM rows UNION SELECT exe FROM rows WHERE exe NOTNULL
    UNION SELECT parent FROM rows WHERE parent NOTNULL UNION SELECT comm FROM chains
    UNION SELECT name FROM hours UNION SELECT exe FROM hours{_TEXTS});
DELETE FROM times WHERE id NOT IN (
    SELECT (SELECT max(id) FROM times WHERE id <= rows.id) FROM rows);
DELETE FROM eras WHERE id NOT IN (
    SELECT era FROM times UNION SELECT era FROM coverage UNION SELECT era FROM losses);
DELETE FROM boots WHERE boot_id NOT IN (SELECT boot_id FROM eras);
"""
# Each segment notes the stretches in which it was written to: of each, the first and the last stay.
_SUPERSEDED = """
DELETE FROM coverage WHERE (segment, id) IN (
    SELECT segment, id FROM (
        SELECT c.segment, c.id,
            row_number() OVER (stretch ORDER BY c.segment, c.id) AS first,
            row_number() OVER (stretch ORDER BY c.segment DESC, c.id DESC) AS last
        FROM coverage c JOIN eras r ON r.id = c.era
        WINDOW stretch AS (PARTITION BY r.boot_id, c.from_ns))
    WHERE first > 1 AND last > 1)
"""
_LOSS_BYTES = 64
# Losses of an hour for one reason become one: there may be one a second for days.
_BY_HOUR = """
CREATE TEMP TABLE by_hour AS SELECT segment, id, era, from_ns, last_ns, offset_ns, total, why FROM (
    SELECT *, max(to_ns) OVER alike AS last_ns, sum(count) OVER alike AS total,
        row_number() OVER (alike ORDER BY segment, id) AS nth
    FROM losses WINDOW alike AS (PARTITION BY era, why, from_ns / 3600000000000)) WHERE nth = 1;
DELETE FROM losses;
INSERT INTO losses (segment, id, era, from_ns, to_ns, offset_ns, count, why) SELECT * FROM by_hour;
DROP TABLE by_hour;
"""


class Retention:
    """Drops segments, the oldest first. It may run beside the recorder's own thread."""

    def __init__(self, directory_: Directory) -> None:
        self._directory = directory_

    def drop(self, path: Path, allowed: int, *, failures: bool = True) -> None:
        """Copy the last failures and the counts of a segment, then remove it.

        Args:
            path: the oldest segment, which nobody writes to.
            allowed: how many bytes all files may have.
            failures: False if they are too old to be kept.

        Failures that are damaged are left out. Raises sqlite3.Error, OSError; the segment may then
        still be there.
        """
        most = kept_bytes(allowed)
        kept = directory.connect(self._directory.create_kept(), _CACHE_KIB)
        try:
            kept.execute(f"PRAGMA max_page_count={max(64, most // 4096)}")
            kept.execute("PRAGMA wal_autocheckpoint=0")
            kept.execute("ATTACH ? AS old", (directory.uri(path, "mode=rw"),))
            kept.execute(f"PRAGMA old.cache_size=-{_CACHE_KIB}")
            _merge(kept, most, failures=failures)
            kept.execute("DETACH old")
        except (TypeError, ValueError) as error:  # what is damaged may be well-formed for SQLite
            raise sqlite3.DatabaseError(f"damaged: {error}") from error
        finally:
            if not directory.seal(kept):
                kept.close()
        self._directory.remove(path)
        self._directory.sync()

    def expire(self, before_ns: int) -> None:
        """Remove the failures that are older from kept.db. Raises sqlite3.Error."""
        if not self._directory.kept.exists():
            return
        kept = directory.connect(self._directory.kept, _CACHE_KIB)
        try:
            kept.execute("BEGIN IMMEDIATE")
            kept.execute(
                "DELETE FROM rows WHERE (SELECT wall_ns FROM exits WHERE id = rows.id) < ?",
                (before_ns,),
            )
            _clean(kept)
            kept.execute("COMMIT")
        finally:
            if not directory.seal(kept):
                kept.close()


class _Room(NamedTuple):
    """How much of what may be kept.

    Attributes:
        keep: failures of each group.
        most: failures in all.
        named: counts by the hour with names.
        most_bytes: the most that kept.db may have.
    """

    keep: int
    most: int
    named: int
    most_bytes: int


def _merge(kept: sqlite3.Connection, most_bytes: int, *, failures: bool) -> None:
    """Copy from the attached segment; fewer of each group if kept.db has no room for all."""
    named = rollups.named_within(most_bytes)
    about = dict(kept.execute("SELECT key, value FROM about"))
    room = _Room(about.get("keep", KEEP), _ALL, min(named, about.get("named", named)), most_bytes)
    while True:
        try:
            kept.execute("BEGIN IMMEDIATE")
            _copy_about(kept, most_bytes)
            if failures:
                _copy_failures(kept, room)
            _trim(kept, room)
            grows = 2 if _fill(kept) < 0.4 else 1
            values = {"keep": min(KEEP, grows * room.keep), "named": min(named, grows * room.named)}
            kept.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", values.items())
            kept.execute("COMMIT")
        except sqlite3.OperationalError:
            if kept.in_transaction:
                kept.execute("ROLLBACK")
            if room.most < _LEAST or not _may_be_full(kept, most_bytes):
                raise
            room = _less(kept, room)
            _make_room(kept, room)
        else:
            return


def _less(kept: sqlite3.Connection, room: _Room) -> _Room:
    """Return half of it: of what each group has, then of all groups together."""
    if room.keep > 1:
        named = max(rollups.named_within(room.most_bytes) // 8, room.named // 2)
        return room._replace(keep=room.keep // 2, named=named)
    failures = kept.execute("SELECT count(*) FROM rows").fetchone()[0]
    return room._replace(most=min(room.most, failures + _MANY) // 2)


def _make_room(kept: sqlite3.Connection, room: _Room) -> None:
    kept.execute("BEGIN IMMEDIATE")
    _trim(kept, room)
    if kept.execute("SELECT count(*) FROM rows").fetchone()[0] < _LEAST:
        rollups.halve(kept)
    _clean(kept)
    kept.execute("COMMIT")
    kept.execute("PRAGMA wal_checkpoint(PASSIVE)")


def _may_be_full(kept: sqlite3.Connection, most_bytes: int) -> bool:
    """Return whether an error can mean that kept.db is full, rather than the disk."""
    path = next(row[2] for row in kept.execute("PRAGMA database_list") if row[1] == "main")
    found = os.statvfs(path)
    grows = most_bytes - os.stat(path).st_size
    return _fill(kept) >= 0.8 or found.f_frsize * found.f_bavail > 2 * grows


def _fill(kept: sqlite3.Connection) -> float:
    """Return which share of the pages that kept.db may have is in use."""
    count, free, most = (
        kept.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "max_page_count")
    )
    return float((count - free) / most)


def _copy_about(kept: sqlite3.Connection, most_bytes: int) -> None:
    """Copy boots, coverage, losses and counts by the hour."""
    for table in ("boots", "eras", "coverage", "losses"):
        there = {row[1] for row in kept.execute(f"PRAGMA old.table_info({table})")}
        named = ", ".join(there)  # a segment that an older version wrote has fewer
        kept.execute(f"INSERT OR REPLACE INTO {table} ({named}) SELECT {named} FROM old.{table}")
    kept.execute(_SUPERSEDED)
    if kept.execute("SELECT count(*) FROM losses").fetchone()[0] > most_bytes // _LOSS_BYTES // 8:
        for statement in _BY_HOUR.split(";")[:-1]:
            kept.execute(statement)
    rollups.add(kept)


def _ranked(kept: sqlite3.Connection, schema: str) -> str:
    """Return the SQL for the ids of failures, and which of its group each is, from the last on."""
    if has_origins(kept, schema):
        origins = f"LEFT JOIN {schema}.origins o ON o.id = e.origin"
        return _RANKED.format(schema=schema, origins=origins, o="o")
    return _RANKED.format(schema=schema, origins="", o="e")


def _copy_failures(kept: sqlite3.Connection, room: _Room) -> None:
    """Copy the last failures of each group."""
    ranked = _ranked(kept, "old")
    wanted = kept.execute(
        f"SELECT id FROM ({ranked}) WHERE nth <= ? AND id NOT IN (SELECT id FROM main.rows) "
        "ORDER BY id DESC LIMIT ?",
        (room.keep, room.most),
    ).fetchall()
    wanted.reverse()
    path = next(row[2] for row in kept.execute("PRAGMA database_list") if row[1] == "old")
    old = sqlite3.connect(directory.uri(Path(path), "mode=ro"), uri=True, isolation_level=None)
    old.text_factory = opening.text
    old.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
    try:
        numbers = {
            table: kept.execute(f"SELECT ifnull(max(id), 0) FROM main.{table}").fetchone()[0]
            for table in NUMBERED
            if table != "origins"
        }
        select = rows_of(old)
        encoder, decoder = Encoder(numbers, Kept()), Decoder(old)
        for at in range(0, len(wanted), _PAGE):
            ids = [number for (number,) in wanted[at : at + _PAGE]]
            for era, correction_ns, of_era in _by_era(old, ids):
                marks = ", ".join("?" * len(of_era))
                rows = old.execute(f"{select} WHERE id IN ({marks}) ORDER BY id", of_era).fetchall()
                for exits, numbered in _sound(old, decoder, rows):
                    encoder.add(exits, numbered, era, correction_ns, apart=True)
            encoder.rows.insert(kept)
            encoder.written()
    finally:
        old.close()


def _sound(
    old: sqlite3.Connection, decoder: Decoder, rows: list[tuple[Any, ...]]
) -> list[tuple[Exits, list[int]]]:
    """Return the exits of rows with their ids; without those that are damaged."""
    try:
        return [(decoder.exits(old, rows), [row[0] for row in rows])]
    except ValueError:
        if len(rows) == 1:
            return []
        return [one for row in rows for one in _sound(old, decoder, [row])]


def _by_era(old: sqlite3.Connection, ids: list[int]) -> list[tuple[int, int, list[int]]]:
    """Return ids by their era, with what times of it are corrected by."""
    found: list[tuple[int, int, list[int]]] = []
    for number in ids:
        row = old.execute(
            "SELECT t.era, b.stepped_ns - r.stepped_ns FROM times t JOIN eras r ON r.id = t.era "
            "JOIN boots b ON b.boot_id = r.boot_id WHERE t.id <= ? ORDER BY t.id DESC LIMIT 1",
            (number,),
        ).fetchone()
        if row is None:  # that is damaged
            continue
        era, correction_ns = row
        if not found or found[-1][0] != era:
            found.append((era, correction_ns, []))
        found[-1][2].append(number)
    return found


def _trim(kept: sqlite3.Connection, room: _Room) -> None:
    """Remove failures, except the last of each group, and counts for which there is no room."""
    ranked = _ranked(kept, "main")
    removed = kept.execute(
        f"DELETE FROM rows WHERE id IN (SELECT id FROM ({ranked}) WHERE nth > ?)",
        (room.keep,),
    ).rowcount
    removed += kept.execute(
        "DELETE FROM rows WHERE id IN (SELECT id FROM rows ORDER BY id DESC LIMIT -1 OFFSET ?)",
        (room.most,),
    ).rowcount
    removed += rollups.bound(kept, room.named, room.most_bytes)
    if removed:
        _clean(kept)


def _clean(kept: sqlite3.Connection) -> None:
    """Remove rows that no exit and no count refers to."""
    for statement in _UNUSED.split(";")[:-1]:
        kept.execute(statement)
