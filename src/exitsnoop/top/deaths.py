"""Deaths as `exitsnoop top` counts them: little of each, read fast from a recording."""

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from exitsnoop.host.clock import SECOND_NS
from exitsnoop.model.batch import Exits
from exitsnoop.store.query import Query
from exitsnoop.store.recording import Recording
from exitsnoop.store.view import During

MOST = 500_000
"""So many deaths of a stretch of time are read at most, the latest: it takes a second."""
BEFORE_NS = 1800 * SECOND_NS
"""A loop can have begun so long before the time that is shown."""
MOST_BEFORE = 2000
_COLUMNS = (
    "wall_ns, age, pid, comm, exe, unit, "
    "ifnull(ifnull(pod_name || '/', '') || container_name, container), ifnull(cause, ''), status, "
    "CASE WHEN failed = 1 THEN args END"
)


class Death(NamedTuple):
    """The end of a process.

    Attributes:
        wall_ns: when, nanoseconds since the epoch.
        lived_ns: how long it had lived, nanoseconds.
        pid: its PID.
        comm: its name.
        exe: the path of its executable; None if that is unknown.
        unit: its unit; None if it has none.
        container: the name of its container, after that of its pod: "db-0/postgres"; its id if
            the name is unknown; None if it is in none.
        cause: the kind of its cause; "" if that was not collected.
        status: the wait status.
        args: if it failed, a number that stands for its arguments.
    """

    wall_ns: int
    lived_ns: int
    pid: int
    comm: str
    exe: str | None
    unit: str | None
    container: str | None
    cause: str
    status: int
    args: int


class Stretch(NamedTuple):
    """The deaths of a stretch of time.

    Attributes:
        deaths: in the order of the recording.
        before: failures before it: a loop may have begun then.
        from_ns: from when on all are there, nanoseconds since the epoch: later than requested if
            there are more than MOST.
        newest_id: the id of the exit that was recorded last when this was read.
    """

    deaths: list[Death]
    before: list[Death]
    from_ns: int
    newest_id: int


def during(recording: Recording, from_ns: int, to_ns: int, most: int = MOST) -> Stretch:
    """Return the deaths from one time up to another. Raises StoreError."""
    newest_id = recording.newest_id()
    ended = f"last_thread = 1 AND id <= {newest_id}"
    deaths = _last(recording, most, ended, from_ns, to_ns)
    failed = f"failed = 1 AND {ended}"
    before = _last(recording, MOST_BEFORE, failed, from_ns - BEFORE_NS, from_ns - 1)
    begin_ns = deaths[0].wall_ns if len(deaths) == most else from_ns
    return Stretch(deaths, before, begin_ns, newest_id)


def _last(recording: Recording, most: int, terms: str, from_ns: int, to_ns: int) -> list[Death]:
    sql = f"SELECT {_COLUMNS} FROM exits WHERE {terms} ORDER BY id DESC LIMIT {most}"  # noqa: S608
    found: list[Death] = []
    with contextlib.closing(recording.connect(sql, During(max(0, from_ns), to_ns))) as connection:
        try:
            found += (_death(*row) for row in connection.execute(sql))
        except sqlite3.DatabaseError:
            pass  # a damaged file: what is read until then is shown, and the file is named
    found.reverse()
    return found


def _death(wall_ns: int, age: float, *more: Any) -> Death:
    *others, args = more
    number = _number(args and json.loads(args))
    return Death._make((wall_ns, round(age * SECOND_NS), *others, number))


def _number(args: Sequence[str] | None) -> int:
    """Return a number that stands for arguments, of which only failures have any here."""
    return hash(args and tuple(args))


def after(recording: Recording, id_: int, newest_id: int) -> Iterator[Death]:
    """Iterate over the deaths recorded after one id, up to another. Raises StoreError."""
    asked = Query(after_id=max(id_, newest_id - MOST), before_id=newest_id + 1)
    for batch in recording.select(asked).batches():
        yield from _of(batch)


def _of(batch: Exits) -> Iterator[Death]:
    names = ("wall_ns", "age", "pid", "comm", "exe", "unit", "container", "container_name")
    more = ("pod_name", "cause", "status", "args", "last_thread")
    columns = map(batch.column, (*names, *more))
    for row in zip(*columns, strict=True):
        wall_ns, age, pid, comm, exe, unit, container, name, pod, cause, status, args, is_last = row
        if is_last:
            yield Death(
                wall_ns,
                round(age * SECOND_NS),
                pid,
                comm,
                exe,
                unit,
                f"{pod}/{name}" if pod and name else name or (container.id if container else None),
                cause.kind if cause else "",
                status,
                _number(args if status else None),
            )
