"""From exits to the texts of a column, a batch at a time; and the texts that formats share."""

from collections.abc import Callable, Iterable, Sequence

from exitsnoop.model.batch import Exits
from exitsnoop.model.field import Field
from exitsnoop.model.fields import function
from exitsnoop.model.remembered import Remembered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Values = Callable[[Exits], Iterable[Any]]
    Writer = Callable[[Any], Any]
    """From a value that is known to its text. For the kind "time": from many to all their texts."""


def texts(field: Field, write: "Writer | None", unknown: str) -> "Values":
    """Return a function from a batch to the texts of a field.

    Args:
        field: which one.
        write: makes the text of a value: of `field.shown`; if there is `field.more`, of both
            values as a pair. None: values are given as they are, numbers.
        unknown: the text of None.
    """
    name = field.name

    def text(value: "Any") -> "Any":
        if value is None:
            return unknown
        return value if write is None else write(value)

    if write and field.kind == "time":
        return lambda exits: write(exits.column(field.shown))
    if write and field.more:
        return lambda exits: [
            unknown if pair[0] is None else write(pair)
            for pair in zip(exits.column(name), exits.column(field.more), strict=True)
        ]
    if write and field.shown != name:  # names and statuses repeat, so most are written once
        known = Remembered(write)
        return lambda exits: map(known.__getitem__, exits.column(field.shown))
    if len(field.of) == 1:
        make = function(field.by)
        made = cached(lambda source: text(None if source is None else make(source)))
        return lambda exits: map(made, exits.column(field.of[0]))
    if field.group and field.kind == "text":
        once = cached(text)
        return lambda exits: map(once, exits.column(name))
    if field.group and write is None:
        return lambda exits: [unknown if one is None else one for one in exits.column(name)]
    if field.group and write:
        return lambda exits: [unknown if one is None else write(one) for one in exits.column(name)]
    return lambda exits: exits.column(name) if write is None else map(write, exits.column(name))


def each_once(write: "Writer", values: "Sequence[Any]") -> "list[Any]":
    """Return the text of each value, made once for each object."""
    identities = list(map(id, values))
    made = {one: write(value) for one, value in dict(zip(identities, values, strict=True)).items()}
    return list(map(made.__getitem__, identities))


def name_of(raw_comm: bytes) -> bytes:
    """Return the name in the kernel's 16 bytes, as it is."""
    return raw_comm.partition(b"\0")[0]


def cached(write: "Writer") -> "Writer":
    """Return the same function, quicker for values that repeat.

    Long texts are not kept: they would fill the memory.
    """
    return _Cached(write).__getitem__


class _Cached(Remembered["Any", "Any"]):
    def __missing__(self, key: "Any") -> "Any":
        if isinstance(key, (str, bytes)) and len(key) > _LONG:
            return self._make(key)
        return super().__missing__(key)


_LONG = 256


def joined_args(args: tuple[Sequence[str], bool], word: "Writer") -> str:
    """Return arguments in one line, each as word() gives it, with "..." if there were more.

    The line has some MAX_ARGS characters at most: whoever starts a process chooses them, and
    escapes make up to four times as much of them.
    """
    words, truncated = args
    shown, room = [], MAX_ARGS
    for argument in words:
        text, whole = _start(argument, word, room)
        shown.append(text)
        room -= len(text) + 1
        if not whole or room <= 0:
            truncated = truncated or not whole or len(shown) < len(words)
            break
    text = _joined(" ", shown, truncated)
    return _ALONE.get(text, text) if words else text


MAX_ARGS = 16_384
_CHUNK = 256  # characters


def _start(text: str, word: "Writer", room: int) -> tuple[str, bool]:
    """Return the start of a text as word() gives it, which takes that room; whether it is all."""
    if len(text) <= _CHUNK:
        return word(text), True
    shown = ""
    for at in range(0, len(text), _CHUNK):
        shown += word(text[at : at + _CHUNK])
        if len(shown) > room:
            return shown, at + _CHUNK >= len(text)
    return shown, True


_ALONE = {"[]": r"\133]", "-": r"\055"}  # alone they mean: no arguments, unknown arguments


def joined_ancestors(ancestors: "tuple[Sequence[Any], bool]", word: "Writer") -> str:
    """Return ancestors in one line, nearest first: "bash[812]<sshd[800]<..."."""
    processes, truncated = ancestors
    return _joined(
        "<", [f"{_apart(word(process.comm))}[{process.pid}]" for process in processes], truncated
    )


def _apart(name: str) -> str:
    """Escape what would separate two ancestors."""
    return name.replace("<", r"\074")


def _joined(separator: str, parts: Iterable[str], truncated: bool) -> str:
    return separator.join([*parts, *(["..."] if truncated else [])]) or "[]"
