"""Counts by the hour in kept.db: those of all segments that were dropped, in bounded room.

Counts of the same hour are one row, however many segments it had. Where very many names come and
go, the rarest give up their names: their exits are counted as those of nobody, so that totals hold.
Where even that is too much, the oldest hours go, and `counted_from` says so. These keys of the
table `about` belong to the counts:

joined        segments with a lower id have their counts in rows of segment 0. The others have rows
              of their own: a reader that still finds the segment leaves these out.
next_id       the id after the last exit that is counted here.
counted_from  the first hour from which on all exits are counted; it is not there if all are.
"""

import sqlite3
import time

_YEAR_HOURS = 366 * 24
_ROW_BYTES = 400  # of a count with texts of its own; an executable may have a long path
_NAMELESS_BYTES = 128
_APART = 8
_KEY = "segment, hour, name, exe, place, cause, status"
_SUM = f"ON CONFLICT ({_KEY}) DO UPDATE SET count = count + excluded.count"
NAMELESS = "name = 0 AND exe = 0 AND place = 0"
"""The condition for counts without names."""
_NAMED = f"NOT ({NAMELESS})"


def named_within(most_bytes: int) -> int:
    """Return how many counts may keep their names where kept.db has room for so many bytes."""
    return most_bytes // _ROW_BYTES


def add(kept: sqlite3.Connection) -> None:
    """Add the counts of the attached segment `old`, unless they are there."""
    first = _about(kept, "first_id", "old")
    _join(kept)
    if kept.execute("SELECT 1 FROM hours WHERE segment = ? LIMIT 1", (first,)).fetchone():
        return
    kept.execute(
        "CREATE TEMP TABLE IF NOT EXISTS renumbered (kind TEXT, old INTEGER, new INTEGER, "
        "PRIMARY KEY (kind, old))"  # without types the index would not be used
    )
    kept.execute("DELETE FROM renumbered")
    for column, table in (("name", "texts"), ("exe", "texts"), ("place", "places")):
        _renumber(kept, column, table)
    kept.execute(
        f"INSERT INTO hours ({_KEY}, count) "
        "SELECT h.segment, h.hour, ifnull(n.new, 0), ifnull(x.new, 0), ifnull(p.new, 0), h.cause, "
        "h.status, sum(h.count) FROM old.hours h "
        "LEFT JOIN renumbered n ON n.kind = 'texts' AND n.old = h.name "
        "LEFT JOIN renumbered x ON x.kind = 'texts' AND x.old = h.exe "
        "LEFT JOIN renumbered p ON p.kind = 'places' AND p.old = h.place "
        "GROUP BY 1, 2, 3, 4, 5, 6, 7"
    )
    _note_what_was_skipped(kept, first)


def bound(kept: sqlite3.Connection, named: int, most_bytes: int) -> int:
    """Keep the counts within bounds: so many with names, the others within their share of bytes.

    Returns how many rows are gone.
    """
    gone = 0
    if _count(kept, _NAMED) > named:
        gone += _forget_names(kept, _count(kept, _NAMED) - named * 3 // 4)
    nameless = most_bytes // 4 // _NAMELESS_BYTES
    oldest = int(time.time()) // 3600 - _YEAR_HOURS
    if (count := _count(kept, NAMELESS)) > nameless:
        (hour,) = kept.execute(
            f"SELECT hour FROM hours WHERE {NAMELESS} ORDER BY hour LIMIT 1 OFFSET ?",
            (count - nameless * 3 // 4,),
        ).fetchone()
        oldest = max(oldest, hour)
    return gone + _drop_before(kept, oldest)


def halve(kept: sqlite3.Connection) -> None:
    """Drop the older half of the hours."""
    first, last = kept.execute(
        "SELECT ifnull(min(hour), 0), ifnull(max(hour), 0) FROM hours"
    ).fetchone()
    _drop_before(kept, (first + last) // 2 + 1)


def counted_from(kept: sqlite3.Connection) -> int | None:
    """Return the first hour from which on all exits are counted; None if all are."""
    return _about(kept, "counted_from") or None


def joined(kept: sqlite3.Connection, schema: str = "main") -> int:
    """Return the id below which segments have their counts in rows of segment 0."""
    return _about(kept, "joined", schema)


def has(joined: int, first: int) -> bool:
    """Return whether kept.db has the counts of a segment joined: it was dropped meanwhile.

    A reader that still finds the segment must not count it again.

    joined: of the function joined(). first: the segment's first id; 0 is kept.db itself.
    """
    return 0 < first < joined


def _join(kept: sqlite3.Connection) -> None:
    """Add up the counts of segments that are gone, except the last few: some may be open still."""
    query = "SELECT DISTINCT segment FROM hours WHERE segment > 0 ORDER BY 1 DESC LIMIT 1 OFFSET ?"
    newest = kept.execute(query, (_APART,)).fetchone()
    if newest is None:
        return
    kept.execute(
        f"INSERT INTO hours ({_KEY}, count) SELECT 0, hour, name, exe, place, cause, status, count "
        f"FROM hours WHERE segment > 0 AND segment <= ? {_SUM}",
        newest,
    )
    kept.execute("DELETE FROM hours WHERE segment > 0 AND segment <= ?", newest)
    _note(kept, "joined", newest[0] + 1)


def _note_what_was_skipped(kept: sqlite3.Connection, first: int) -> None:
    """Note if a segment before was dropped and could not be counted: the disk was full then."""
    expected = _about(kept, "next_id")
    (last,) = kept.execute("SELECT ifnull(max(id), 0) FROM old.rows").fetchone()
    if first > (expected or 1):
        (hour,) = kept.execute("SELECT ifnull(min(hour), 0) FROM old.hours").fetchone()
        _raise_counted_from(kept, hour)
    _note(kept, "next_id", max(first, last + 1))


def _forget_names(kept: sqlite3.Connection, count: int) -> int:
    """Count as nobody's the exits of the rarest, those that ended well first."""
    kept.execute(
        f"CREATE TEMP TABLE rare AS SELECT {_KEY}, count FROM hours WHERE {_NAMED} "
        "ORDER BY status <> 0, count, hour LIMIT ?",
        (count,),
    )
    kept.execute(f"DELETE FROM hours WHERE ({_KEY}) IN (SELECT {_KEY} FROM rare)")
    kept.execute(
        f"INSERT INTO hours ({_KEY}, count) SELECT segment, hour, 0, 0, 0, cause, status, "
        f"sum(count) FROM rare GROUP BY segment, hour, cause, status {_SUM}"
    )
    kept.execute("DROP TABLE rare")
    return count


def _drop_before(kept: sqlite3.Connection, hour: int) -> int:
    dropped = kept.execute("DELETE FROM hours WHERE hour < ?", (hour,)).rowcount
    if dropped:
        _raise_counted_from(kept, hour)
    return dropped


def _raise_counted_from(kept: sqlite3.Connection, hour: int) -> None:
    _note(kept, "counted_from", max(hour, _about(kept, "counted_from")))


def _renumber(kept: sqlite3.Connection, column: str, table: str) -> None:
    """Number the texts or places of the counts of the segment as kept.db does."""
    cells = [name for (_, name, *_) in kept.execute(f"PRAGMA table_info({table})") if name != "id"]
    names = ", ".join(cells)
    same = " AND ".join(f"k.{cell} IS o.{cell}" for cell in cells)
    for (old,) in kept.execute(
        f"SELECT DISTINCT {column} FROM old.hours WHERE {column} NOT IN "
        "(SELECT old FROM renumbered WHERE kind = ?)",
        (table,),
    ).fetchall():
        found = kept.execute(
            f"SELECT k.id FROM old.{table} o JOIN {table} k ON {same} WHERE o.id = ?",
            (old,),
        ).fetchone()
        if found is None:
            found = (
                kept.execute(
                    f"INSERT INTO {table} ({names}) SELECT {names} FROM old.{table} WHERE id = ?",
                    (old,),
                ).lastrowid
                if old
                else 0,
            )
        kept.execute("INSERT INTO renumbered VALUES (?, ?, ?)", (table, old, found[0]))


def _count(kept: sqlite3.Connection, condition: str) -> int:
    return int(kept.execute(f"SELECT count(*) FROM hours WHERE {condition}").fetchone()[0])


def _about(connection: sqlite3.Connection, key: str, schema: str = "main") -> int:
    query = f"SELECT ifnull(max(value), 0) FROM {schema}.about WHERE key = ?"
    return int(connection.execute(query, (key,)).fetchone()[0])


def _note(kept: sqlite3.Connection, key: str, value: int) -> None:
    kept.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", (key, value))
