"""CSV as RFC 4180 has it: lines end with CR LF, fields are quoted where they must be."""

import csv
import io
from collections.abc import Iterable, Sequence
from functools import lru_cache, partial
from itertools import repeat
from typing import Any

from exitsnoop.exits import Exits
from exitsnoop.records import Exit
from exitsnoop.sinks.columns import COLUMNS, Kind
from exitsnoop.sinks.escape import escape
from exitsnoop.sinks.values import Writer, joined_ancestors, joined_args, texts, timestamps
from exitsnoop.status import describe


class Csv:
    """A line for each exit, after one that names the columns.

    What is unknown is empty. Text is escaped as in a table but for its spaces; the words of `args`
    and the names in `ancestors` wholly, so that they can be told apart.

    Args:
        columns: their names, at least one.
        label: a text for the column "label", which then comes first; None for none.
    """

    def __init__(self, columns: Sequence[str], *, label: str | None = None) -> None:
        chosen = [COLUMNS[name] for name in columns]
        self._names = [column.name for column in chosen]
        self._cells = [texts(column, _WRITERS.get(column.kind), "") for column in chosen]
        if label is not None:
            text = _text(label)
            self._names.insert(0, "label")
            self._cells.insert(0, lambda exits: repeat(text, len(exits)))

    def header(self) -> str:
        """Return the line that names the columns."""
        return _lines([self._names])

    def rows(self, exits: Sequence[Exit]) -> str:
        """Return a line for each exit."""
        batch = Exits.of(exits)
        return _lines(zip(*[cells(batch) for cells in self._cells], strict=True))

    def lost(self, count: int, wall_ns: int) -> str:  # noqa: ARG002
        """Return nothing: CSV has no line that is not a row."""
        return ""


def _lines(rows: Iterable[Iterable[Any]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()


_text = lru_cache(maxsize=1024)(partial(escape, spaces=False))  # names repeat
_word = lru_cache(maxsize=1024)(lambda text: escape(text) or "''")

_WRITERS: dict[Kind, Writer] = {
    "flag": {False: "false", True: "true"}.__getitem__,
    "text": _text,
    "exit": describe,
    "time": timestamps,
    "cause": lambda cause: _text(cause.text),
    "args": lambda args: joined_args(args, _word),
    "ancestors": lambda ancestors: joined_ancestors(ancestors, _word),
    "container": lambda container: _text(f"{container.runtime}:{container.id}"),
}
