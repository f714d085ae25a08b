"""From times to ids: ids ascend as exits are recorded, times only within an era."""

import sqlite3
from collections.abc import Callable
from typing import NamedTuple

# Exits are recorded in the order of their times, except for moments: several CPUs write them.
# The offset to the wall clock is measured again and again, each time a little differently.
_DISORDER_NS = 10_000_000_000
_JITTER_NS = 50_000_000
_FIRST_FROM = (
    "SELECT t.id, t.era, t.until_ns, t.offset_ns + b.stepped_ns - r.stepped_ns, r.boot_id "
    "FROM times t JOIN eras r ON r.id = t.era JOIN boots b ON b.boot_id = r.boot_id "
    "WHERE t.id >= ? ORDER BY t.id LIMIT 1"
)


class Moment(NamedTuple):
    """From an id on: the era, until when, how far the wall clock is ahead of the boot clock."""

    id: int
    era: int
    until_ns: int
    ahead_ns: int
    boot_id: str


class Range(NamedTuple):
    """Ids, both ends included, and times by the boot clock, that have the exits."""

    first: int
    last: int
    from_boot_ns: int
    to_boot_ns: int


def ranges(
    connection: sqlite3.Connection,
    since_ns: int | None,
    until_ns: int | None,
    boot_id: str | None = None,
) -> list[Range]:
    """Return where to look for the exits between two times; others may be there, too.

    Times are nanoseconds since the epoch, both included; None means from the first, or to the last.
    """
    (end,) = connection.execute("SELECT ifnull(max(id), 0) FROM rows").fetchone()
    found = []
    start = _from(connection, 0)
    while start is not None and start.id <= end:
        following = _first(connection, start, end, _other_era(start.era))
        last = end if following is None else following.id - 1
        if boot_id in (None, start.boot_id):
            found += _in_era(connection, start, last, since_ns, until_ns)
        start = following
    return found


def _in_era(
    connection: sqlite3.Connection,
    start: Moment,
    last: int,
    since_ns: int | None,
    until_ns: int | None,
) -> list[Range]:
    low, high = start.id, last
    from_boot_ns, to_boot_ns = 0, (1 << 63) - 1
    if since_ns is not None:
        after = since_ns - _JITTER_NS
        begin = _first(connection, start, last, lambda at: at.until_ns + at.ahead_ns >= after)
        if begin is None:
            return []
        low, from_boot_ns = begin.id, max(0, after - begin.ahead_ns)
    if until_ns is not None:
        before = until_ns + _JITTER_NS
        beyond = _first(
            connection, start, last, lambda at: at.until_ns + at.ahead_ns > before + _DISORDER_NS
        )
        if beyond is not None:
            behind = _from(connection, beyond.id + 1)
            high = last if behind is None else min(last, behind.id - 1)
        crossing = _first(connection, start, last, lambda at: at.until_ns + at.ahead_ns > before)
        if crossing is not None:
            # The clock may have been slewed while no process ended.
            to_boot_ns = before - min(crossing.ahead_ns, _before(connection, crossing).ahead_ns)
    return [Range(low, high, from_boot_ns, to_boot_ns)] if low <= high else []


def _from(connection: sqlite3.Connection, number: int) -> Moment | None:
    row = connection.execute(_FIRST_FROM, (number,)).fetchone()
    return None if row is None else Moment(*row)


def _before(connection: sqlite3.Connection, moment: Moment) -> Moment:
    """Return the moment before one, in the same era; itself if it is the first."""
    query = "SELECT max(id) FROM times WHERE id < ? AND era = ?"
    (number,) = connection.execute(query, (moment.id, moment.era)).fetchone()
    return moment if number is None else _from(connection, number) or moment


def _first(
    connection: sqlite3.Connection, start: Moment, last: int, holds: "Callable[[Moment], bool]"
) -> Moment | None:
    """Return the first moment from start to last for which it holds: from there on it does."""
    if holds(start):
        return start
    low, high = start.id, last + 1
    found = None
    while high - low > 1:
        middle = (low + high) // 2
        at = _from(connection, middle)
        if at is None or at.id >= high:
            high = middle
        elif holds(at):
            high, found = middle, at
        else:
            low = at.id
    return found


def _other_era(era: int) -> Callable[[Moment], bool]:
    return lambda at: at.era != era
