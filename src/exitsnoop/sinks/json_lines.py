"""JSON Lines: one object a line, in ASCII. docs/exit.schema.json defines it."""

from collections.abc import Callable, Sequence
from functools import lru_cache, reduce
from itertools import groupby
from json import dumps
from json.encoder import encode_basestring_ascii as _quoted
from operator import sub
from typing import TYPE_CHECKING, Any

from exitsnoop.model.batch import Exits
from exitsnoop.model.cause import Cause
from exitsnoop.model.derived import SECOND_NS, timestamps
from exitsnoop.model.field import Field
from exitsnoop.model.fields import COLUMNS, FIELDS, function
from exitsnoop.model.plain import ADDRESSES, DECIMALS, PLAIN, address
from exitsnoop.model.plain import text as plain_text
from exitsnoop.sinks.values import cached, each_once, name_of, texts

if TYPE_CHECKING:
    from exitsnoop.model.cause import At, Mapped, Sender
    from exitsnoop.model.context import Ancestor, Chain, Image, Place
    from exitsnoop.model.exit import Exit
    from exitsnoop.sinks.values import Values, Writer

    Lines = Callable[[list[str], str, list[list[Any]]], str]


class JsonLines:
    """A line for each exit, with the keys of the columns in their order.

    After `args` and `ancestors` comes one more key, with "_truncated" added to their name.

    Args:
        columns: their names, at least one.
        label: a text for the key "label", which then comes first; None for none.
        lines: puts the lines together; that of the extension does it in a quarter of the time.
    """

    def __init__(
        self, columns: Sequence[str], *, label: str | None = None, lines: "Lines | None" = None
    ) -> None:
        chosen = [COLUMNS[name] for name in columns]
        self._lines = lines or in_python
        self._label = ""
        if label is not None:  # from a command line, and so perhaps not UTF-8
            self._label = f'"label": {_text(label.encode("utf-8", "surrogateescape"))}, '
        self._cells: list[Values] = []
        self._forms = ""
        members = []
        for source, run in groupby(chosen, _source):
            columns_of_run = list(run)
            if source:  # written at once, and seldom
                members.append("%")
                self._forms += _AS_IT_IS
                self._cells.append(_SHARED[source](columns_of_run))
                continue
            for column in columns_of_run:
                quote = '"' if column.kind in _IN_QUOTES else ""
                members.append(f'"{column.name}": {quote}%{quote}')
                self._forms += _FORMS.get(column.kind, _AS_IT_IS)
                self._cells.append(_values(column))
        first, *others = ", ".join(members).split("%")
        others[-1] += "}\n"
        self._parts = [f"{{{self._label}{first}", *others]

    def header(self) -> str:
        """Return nothing: each line names its keys."""
        return ""

    def rows(self, exits: "Sequence[Exit]") -> str:
        """Return a line for each exit."""
        batch = Exits.of(exits)
        return self._lines(self._parts, self._forms, [[*cells(batch)] for cells in self._cells])

    def lost(self, count: int, wall_ns: int) -> str:
        """Return a line that says how many exits were lost before this time."""
        (when,) = timestamps([wall_ns])
        return f'{{{self._label}"lost": {count}, "time": "{when}"}}\n'


def in_python(parts: list[str], forms: str, columns: list[list[Any]]) -> str:
    """Return what lines() of the extension returns, see _native.pyi."""
    template = "%s".join([part.replace("%", "%%") for part in parts])
    texts = [
        timestamps(column)
        if form == _TIME
        else column
        if form == _AS_IT_IS
        else [_decimal(ns, int(form)) for ns in column]
        for form, column in zip(forms, columns, strict=True)
    ]
    return "".join(map(template.__mod__, zip(*texts, strict=True)))


def _decimal(ns: int | None, decimals: int) -> str:
    if ns is None:
        return "null"
    unit = 10**decimals
    number = ns * unit // SECOND_NS
    whole, part = divmod(abs(number), unit)
    return f"{'-' if number < 0 else ''}{whole}.{part:0{decimals}}"


@cached  # names repeat, so most are encoded once
def _text(text: str | bytes) -> str:
    return _quoted(text if isinstance(text, str) else text.decode("utf-8", "replace"))


def _source(column: Field) -> str:
    """Return what has the values of a column, of those that many exits share; "" if nothing."""
    first = FIELDS[column.of[0]] if len(column.of) == 1 else column
    return first.source or (first.name if first.name == "status" else "")


def _values(column: Field) -> "Values":
    if column.kind == "cause":
        return lambda exits: each_once(_cause, exits.column("cause"))
    if column.kind == "time":
        return lambda exits: exits.column(column.shown)
    if column.kind == "age":
        return lambda exits: map(sub, *map(exits.column, column.of))
    if column.kind == "seconds":
        return lambda exits: exits.nanoseconds(column.name)
    return texts(column, _WRITERS.get(column.kind), "null")


def _of_status(columns: Sequence[Field]) -> "Values":
    """Return what writes columns that follow from the status."""
    write = lru_cache(maxsize=1024)(
        lambda status: _members(
            columns, [function(c.by)(status) if c.of else status for c in columns]
        )
    )
    return lambda exits: map(write, exits.column("status"))


def _of_place(columns: Sequence[Field]) -> "Values":
    """Return what writes columns that a Place has, or that follow from one."""

    def write(place: "Place | None") -> str:
        known = [
            getattr(place, column.of[0] if column.of else column.name, None) for column in columns
        ]
        return _members(
            columns,
            [
                function(column.by)(value) if column.of and value is not None else value
                for column, value in zip(columns, known, strict=True)
            ],
        )

    known: dict[Place | None, str] = {}

    def again(place: "Place | None") -> str:
        text = known.get(place)
        if text is None:
            text = write(place)
            if len(text) <= _LONGEST_PLACE:  # others would fill the memory
                if len(known) >= _MOST_PLACES:
                    known.clear()
                known[place] = text
        return text

    return lambda exits: map(again, exits.shared("place"))


_MOST_PLACES, _LONGEST_PLACE = 1024, 2048


def _members(columns: Sequence[Field], values: Sequence[Any]) -> str:
    return ", ".join(
        [
            f'"{column.name}": {plain_text(column.name, value)}'
            for column, value in zip(columns, values, strict=True)
        ]
    )


def _of_image(columns: Sequence[Field]) -> "Values":
    """Return what writes columns that an Image has."""
    parts: list[Writer] = [_args if column.name == "args" else _exe for column in columns]
    write = reduce(_both, parts)
    return lambda exits: each_once(write, exits.shared("image"))


def _both(one: "Writer", other: "Writer") -> "Writer":
    return lambda image: f"{one(image)}, {other(image)}"


def _args(image: "Image | None") -> str:
    if image is None or (image.raw_args is None and image.args is None):
        return '"args": null, "args_truncated": null'
    args = image.args_as_json(_quoted, ", ")
    return f'"args": {args}, "args_truncated": {_FLAGS[image.args_truncated]}'


def _exe(image: "Image | None") -> str:
    return '"exe": null' if image is None or image.exe is None else f'"exe": {_text(image.exe)}'


def _of_chain(_: Sequence[Field]) -> "Values":
    """Return what writes the ancestors: each process is written once for all below it."""
    known: dict[Chain, str] = {}

    def text(chain: "Chain") -> str:
        new = []
        while chain.above and chain not in known:
            new.append(chain)
            chain = chain.above
        made = known.get(chain, "")
        for link in reversed(new):
            above = f", {made}" if made else ""
            made = known[link] = f'{{"pid": {link.pid}, "comm": {_text(link.comm)}}}{above}'
        return made

    @lru_cache(maxsize=128)
    def write(chain: "Chain | None", truncated: bool | None) -> str:
        if len(known) > _MOST_CHAINS:
            known.clear()
        if chain is None:
            return '"ancestors": null, "ancestors_truncated": null'
        return f'"ancestors": [{text(chain)}], "ancestors_truncated": {_FLAGS[truncated]}'

    return lambda exits: map(write, exits.shared("chain"), exits.column("ancestors_truncated"))


_MOST_CHAINS = 1024
_FLAGS = {False: "false", True: "true", None: "null"}
_SHARED: "dict[str, Callable[[Sequence[Field]], Values]]" = {
    "status": _of_status,
    "place": _of_place,
    "image": _of_image,
    "chain": _of_chain,
}


def _cause(cause: "Cause | None") -> str:
    if cause is None:
        return "null"
    members = []
    for (name, write), value in zip(_PARTS, cause, strict=True):
        if value is None:
            continue
        if write is None:  # which is seldom
            return dumps(PLAIN["cause"](cause))
        members.append(f'"{name}": {write(value)}')
    return f"{{{', '.join(members)}}}"


def _sender(sender: "Sender") -> str:
    known = (
        f'"pid": {sender.pid}, "ppid": {sender.ppid}, "comm": {_text(sender.comm)}, '
        f'"uid": {sender.uid}'
    )
    if sender.args is not None:
        words = ", ".join(map(_quoted, sender.args))
        known += f', "args": [{words}], "args_truncated": {_FLAGS[sender.args_truncated]}'
    for name, value in zip(_MORE, sender[_MORE_AT:], strict=True):
        if value is not None:
            known += f', "{name}": {_PARTS_OF_SENDER[name](value)}'
    return f"{{{known}}}"


@lru_cache(maxsize=128)  # most senders send more than one signal
def _above(ancestors: "tuple[Ancestor, ...]") -> str:
    return dumps(PLAIN["ancestors"](ancestors))


@lru_cache(maxsize=128)  # as the next: a program often crashes where it did before
def _at(at: "At | Mapped") -> str:
    return dumps(at._asdict())


@lru_cache(maxsize=16)  # they may be long
def _stack(stack: "tuple[At, ...]") -> str:
    return f"[{', '.join(map(_at, stack))}]"


_MORE = (
    *("tid", "user", "exe", "cgroup", "unit", "container", "pod", "ancestors", "container_name"),
    *("pod_name", "namespace", "meant_for"),
)
_MORE_AT = -len(_MORE)  # the last parts of a Sender
_PARTS_OF_SENDER: "dict[str, Writer]" = {
    **dict.fromkeys(_MORE, _text),
    "tid": str,
    "container": lambda container: dumps(PLAIN["container"](container)),
    "ancestors": _above,
}
_WRITTEN: "dict[str, Writer]" = {
    "text": _quoted,
    **dict.fromkeys(("kind", "how", "si_code", "tty", "access", "trap", "meant_for"), _text),
    **dict.fromkeys(("syscall", "limit"), str),
    **dict.fromkeys(ADDRESSES, lambda known: f'"{address(known)}"'),
    **dict.fromkeys(("at", "mapping"), _at),
    "stack": _stack,
    "stack_complete": _FLAGS.__getitem__,
    "sender": _sender,
    "thread": lambda thread: f'{{"tid": {thread.tid}, "comm": {_text(thread.comm)}}}',
}
_PARTS = [(name, _WRITTEN.get(name)) for name in Cause._fields]
"""Each part of a cause, and what writes it, for those that most causes have."""

_WRITERS: "dict[str, Writer]" = {
    "flag": _FLAGS.__getitem__,
    "text": _text,
    "name": lambda raw: _text(name_of(raw)),
    "bytes": bytes.hex,
}
_TIME, _AS_IT_IS = "t", "s"
_FORMS = {"time": _TIME, **{kind: str(decimals) for kind, decimals in DECIMALS.items()}}
"""How lines() writes a column, by its kind; most are texts already, or numbers."""
_IN_QUOTES = {"time", "bytes"}
