"""From exits to the texts of a column, a whole batch at a time; and the texts formats share."""

import time
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any

from exitsnoop import status as wait_status
from exitsnoop.clock import SECOND_NS
from exitsnoop.records import Exit
from exitsnoop.sinks.columns import Column

Values = Callable[[Sequence[Exit]], Iterable[Any]]
Writer = Callable[[Any], str]


def texts(column: Column, write: Writer | None, unknown: str) -> Values:
    """Return what gives, for a batch, a column's values as write() has them; unknown for None.

    Without a writer the values are given as they are: numbers.
    """
    values = _values(column.name)
    if write is None:
        return lambda exits: [unknown if value is None else value for value in values(exits)]
    return lambda exits: [unknown if value is None else write(value) for value in values(exits)]


def _values(name: str) -> Values:
    """Return what gives the values of a column for a batch, in the cheapest form.

    That is the attribute of the same name but for: time (wall_ns), comm (bytes), exit (the status),
    args and ancestors (a pair with whether they are truncated).
    """
    if name in _BY_BATCH:
        return _BY_BATCH[name]
    if name in _BY_STATUS:
        of_status, status = _BY_STATUS[name], attrgetter("status")
        return lambda exits: map(of_status, map(status, exits))
    get = attrgetter(_ATTRIBUTES.get(name, name))
    return lambda exits: map(get, exits)


def _ages(exits: Sequence[Exit]) -> list[float]:
    return [(e.boot_ns - e.start_boot_ns) // 1000 / 1_000_000 for e in exits]


def _comms(exits: Sequence[Exit]) -> list[bytes]:
    return [e.raw_comm.partition(b"\0")[0] for e in exits]


def _list_of(name: str) -> Values:
    get = attrgetter(name, f"{name}_truncated")
    return lambda exits: [None if pair[0] is None else pair for pair in map(get, exits)]


def _signal_name(status: int) -> str | None:
    number = wait_status.signal(status)
    return None if number is None else f"SIG{wait_status.signal_name(number)}"


_ATTRIBUTES = {"time": "wall_ns", "exit": "status"}
_BY_BATCH: dict[str, Values] = {
    "age": _ages,
    "comm": _comms,
    "args": _list_of("args"),
    "ancestors": _list_of("ancestors"),
}
# Statuses repeat, so most are translated once.
_BY_STATUS: dict[str, Callable[[int], Any]] = {
    "exit_code": lru_cache(maxsize=1024)(wait_status.exit_code),
    "signal": lru_cache(maxsize=1024)(wait_status.signal),
    "signal_name": lru_cache(maxsize=1024)(_signal_name),
    "core_dumped": lru_cache(maxsize=1024)(wait_status.core_dumped),
}


@lru_cache(maxsize=16)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def timestamp(wall_ns: int) -> str:
    """Return "2026-11-23T06:13:40.123456Z" (RFC 3339)."""
    seconds, nanoseconds = divmod(wall_ns, SECOND_NS)
    return f"{_second(seconds)}.{nanoseconds // 1000:06}Z"


def joined_args(args: tuple[Sequence[str], bool], word: Writer) -> str:
    """Return arguments in one line, each as word() gives it, and whether there were more."""
    words, truncated = args
    return _joined(" ", map(word, words), truncated)


def joined_ancestors(ancestors: tuple[Sequence[Any], bool], word: Writer) -> str:
    """Return ancestors in one line, nearest first: "bash[812]<sshd[800]<..."."""
    processes, truncated = ancestors
    return _joined(
        "<", [f"{word(process.comm)}[{process.pid}]" for process in processes], truncated
    )


def _joined(separator: str, parts: Iterable[str], truncated: bool) -> str:
    return separator.join([*parts, *(["..."] if truncated else [])]) or "[]"
