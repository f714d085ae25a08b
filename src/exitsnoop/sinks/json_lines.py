"""JSON Lines: one object a line, in ASCII. docs/exit.schema.json defines it."""

from collections.abc import Sequence
from functools import lru_cache
from json import dumps
from typing import TYPE_CHECKING, Any

from exitsnoop.model.batch import Exits
from exitsnoop.model.derived import timestamps
from exitsnoop.model.field import Field
from exitsnoop.model.fields import COLUMNS
from exitsnoop.model.plain import DECIMALS, PLAIN
from exitsnoop.model.status import describe
from exitsnoop.sinks.values import name_of, texts

if TYPE_CHECKING:
    from exitsnoop.model.exit import Exit
    from exitsnoop.sinks.values import Writer


class JsonLines:
    """A line for each exit, with the keys of the columns in their order.

    After `args` and `ancestors` comes one more key, with "_truncated" added to their name.

    Args:
        columns: their names, at least one.
        label: a text for the key "label", which then comes first; None for none.
    """

    def __init__(self, columns: Sequence[str], *, label: str | None = None) -> None:
        chosen = [COLUMNS[name] for name in columns]
        self._label = ""
        if label is not None:  # from a command line, and so perhaps not UTF-8
            self._label = f'"label": {_text(label.encode("utf-8", "surrogateescape"))}, '
        self._cells = [
            texts(column, _list(column), f'null, "{column.more}": null')
            if column.more
            else texts(column, _WRITERS.get(column.kind), "null")
            for column in chosen
        ]
        members = ", ".join(
            [f'"{column.name}": {_FORMATS.get(column.kind, "%s")}' for column in chosen]
        )
        self._template = f"{{{self._label.replace('%', '%%')}{members}}}\n"

    def header(self) -> str:
        """Return nothing: each line names its keys."""
        return ""

    def rows(self, exits: "Sequence[Exit]") -> str:
        """Return a line for each exit."""
        batch = Exits.of(exits)
        columns = [cells(batch) for cells in self._cells]
        return "".join(map(self._template.__mod__, zip(*columns, strict=True)))

    def lost(self, count: int, wall_ns: int) -> str:
        """Return a line that says how many exits were lost before this time."""
        (when,) = timestamps([wall_ns])
        return f'{{{self._label}"lost": {count}, "time": "{when}"}}\n'


@lru_cache(maxsize=1024)  # names repeat, so most are encoded once
def _text(text: str | bytes) -> str:
    return dumps(text if isinstance(text, str) else text.decode("utf-8", "replace"))


def _list(column: Field) -> "Writer":
    """Return what writes a list, and under a key of its own whether it goes on."""

    @lru_cache(maxsize=128)  # lists repeat, too, but they may be long
    def write(pair: tuple[Any, bool]) -> str:
        found, goes_on = pair
        return f'{dumps(PLAIN[column.kind](found))}, "{column.more}": {dumps(goes_on)}'

    return write


def _as_plain_data(kind: str) -> "Writer":
    return lru_cache(maxsize=128)(lambda value: dumps(PLAIN[kind](value)))


_WRITERS: "dict[str, Writer]" = {
    "flag": {False: "false", True: "true"}.__getitem__,
    "text": _text,
    "name": lambda raw: _text(name_of(raw)),
    "bytes": _as_plain_data("bytes"),
    "seconds": f"{{:.{DECIMALS['seconds']}f}}".format,
    "exit": lambda status: _text(describe(status)),
    "time": timestamps,
    "cause": _as_plain_data("cause"),
    "container": _as_plain_data("container"),
}
_FORMATS = {"time": '"%s"', "age": f"%.{DECIMALS['age']}f"}
