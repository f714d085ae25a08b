"""From exits to the texts of a column, a whole batch at a time; and the texts formats share."""

import time
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from operator import attrgetter

from exitsnoop.host.clock import SECOND_NS
from exitsnoop.model import status as wait_status
from exitsnoop.model.batch import Exits
from exitsnoop.model.fields import COLLECTED
from exitsnoop.sinks.columns import Column

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Values = Callable[[Exits], Iterable[Any]]
    Writer = Callable[[Any], Any]
    """Of a value that is known, its text. Of the kind "time": of many, all their texts."""


def texts(column: Column, write: "Writer | None", unknown: str) -> "Values":
    """Return what gives, for a batch, a column's values as write() has them; unknown for None.

    Without a writer the values are given as they are: numbers.
    """
    name = column.name
    if name == "age":
        return _ages
    if name == "time" and write:
        return lambda exits: write(exits.column("wall_ns"))
    if name == "comm" and write:
        word = lru_cache(maxsize=1024)(lambda raw: write(raw.partition(b"\0")[0]))
        return lambda exits: map(word, exits.column("raw_comm"))

    def text(value: "Any") -> "Any":
        if value is None:
            return unknown
        return value if write is None else write(value)

    if name in _OF_STATUS:
        of_status = _OF_STATUS[name]
        translated = lru_cache(maxsize=1024)(lambda status: text(of_status(status)))
        return lambda exits: map(translated, exits.column("status"))
    if name not in COLLECTED:
        return lambda exits: exits.column(name) if write is None else map(write, exits.column(name))
    if name in _DERIVED:
        get = _DERIVED[name]
        return lambda exits: [
            unknown if context is None else text(get(context))
            for context in exits.column("context")
        ]
    if write is None:
        return lambda exits: [unknown if value is None else value for value in exits.column(name)]
    return lambda exits: [
        unknown if value is None else write(value) for value in exits.column(name)
    ]


def _ages(exits: Exits) -> list[float]:
    times = zip(exits.column("boot_ns"), exits.column("start_boot_ns"), strict=True)
    return [(ended - started) // 1000 / 1_000_000 for ended, started in times]


def _pair(name: str) -> "Callable[[Any], Any]":
    get = attrgetter(name, f"{name}_truncated")

    def known(context: "Any") -> "Any":
        pair = get(context)
        return None if pair[0] is None else pair

    return known


# What a context has besides its fields; for lists with whether they are truncated.
_DERIVED: "dict[str, Callable[[Any], Any]]" = {
    **{name: attrgetter(name) for name in ("user", "exe", "container", "pod", "unit", "user_unit")},
    **{name: _pair(name) for name in ("args", "ancestors")},
}
# Statuses repeat, so most are translated once.
_OF_STATUS: "dict[str, Callable[[int], Any]]" = {
    "exit": lambda status: status,
    "exit_code": wait_status.exit_code,
    "signal": wait_status.signal,
    "signal_name": wait_status.full_signal_name,
    "core_dumped": wait_status.core_dumped,
}


@lru_cache(maxsize=16)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def timestamps(times: Sequence[int]) -> list[str]:
    """Return wall_ns as "2026-11-23T06:13:40.123456Z" (RFC 3339)."""
    return [
        f"{_second(wall_ns // SECOND_NS)}.{wall_ns // 1000 % 1_000_000:06}Z" for wall_ns in times
    ]


def cached(word: "Writer") -> "Writer":
    """Return the same, quicker for what repeats, unless it is long: those would fill the memory."""
    remembered = lru_cache(maxsize=1024)(word)
    return lambda text: remembered(text) if len(text) <= _LONG else word(text)


_LONG = 256


def joined_args(args: tuple[Sequence[str], bool], word: "Writer") -> str:
    """Return arguments in one line, each as word() gives it, and whether there were more."""
    words, truncated = args
    text = _joined(" ", map(word, words), truncated)
    return _ALONE.get(text, text) if words else text


_ALONE = {"[]": r"\133]", "-": r"\055"}  # alone they stand for no arguments, and for unknown ones


def joined_ancestors(ancestors: "tuple[Sequence[Any], bool]", word: "Writer") -> str:
    """Return ancestors in one line, nearest first: "bash[812]<sshd[800]<..."."""
    processes, truncated = ancestors
    return _joined(
        "<", [f"{_apart(word(process.comm))}[{process.pid}]" for process in processes], truncated
    )


def _apart(name: str) -> str:
    """Escape what would part two ancestors."""
    return name.replace("<", r"\074")


def _joined(separator: str, parts: Iterable[str], truncated: bool) -> str:
    return separator.join([*parts, *(["..."] if truncated else [])]) or "[]"
