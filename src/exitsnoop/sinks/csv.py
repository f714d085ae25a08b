"""CSV after RFC 4180: lines end with CR LF, fields are quoted where they must be."""

import csv
import io
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Any

from exitsnoop.model.batch import Exits
from exitsnoop.model.derived import timestamps
from exitsnoop.model.fields import COLUMNS
from exitsnoop.model.status import describe
from exitsnoop.sinks.escape import escape, inert, word
from exitsnoop.sinks.values import cached, joined_ancestors, joined_args, name_of, texts

if TYPE_CHECKING:
    from exitsnoop.model.exit import Exit
    from exitsnoop.sinks.values import Writer


class Csv:
    """A line for each exit, after one that names the columns.

    What is unknown is empty. Text is escaped as in a table, except for its spaces. In `args` and
    `ancestors` spaces are escaped, too, so that words and names can be told apart.

    Args:
        columns: their names, at least one.
        label: a text for the column "label", which then comes first; None for none.
        ascii_only: escape what is not ASCII.
        formulas: leave text as it is that a spreadsheet takes for a formula; else its first
            character is escaped.
    """

    def __init__(
        self,
        columns: Sequence[str],
        *,
        label: str | None = None,
        ascii_only: bool = False,
        formulas: bool = False,
    ) -> None:
        writers = _writers(ascii_only=ascii_only)
        if not formulas:
            writers |= {kind: inert(writers[kind]) for kind in _OF_OTHERS}
        chosen = [COLUMNS[name] for name in columns]
        self._names = [column.name for column in chosen]
        self._cells = [texts(column, writers.get(column.kind), "") for column in chosen]
        if label is not None:
            text = writers["text"](label)
            self._names.insert(0, "label")
            self._cells.insert(0, lambda exits: repeat(text, len(exits)))

    def header(self) -> str:
        """Return the line that names the columns."""
        return _lines([self._names])

    def rows(self, exits: "Sequence[Exit]") -> str:
        """Return a line for each exit."""
        batch = Exits.of(exits)
        return _lines(zip(*[cells(batch) for cells in self._cells], strict=True))

    def lost(self, count: int, wall_ns: int) -> str:  # noqa: ARG002
        """Return nothing: in CSV each line is a row."""
        return ""


# Kinds of text that may begin with what others chose.
_OF_OTHERS = ("text", "name", "cause", "args", "ancestors", "container")


def _lines(rows: Iterable[Iterable[Any]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _writers(*, ascii_only: bool) -> "dict[str, Writer]":
    text = cached(partial(escape, ascii_only=ascii_only, spaces=False))
    part = cached(partial(word, ascii_only=ascii_only))
    return {
        "flag": {False: "false", True: "true"}.__getitem__,
        "text": text,
        "name": lambda raw: text(name_of(raw)),
        "bytes": bytes.hex,
        "exit": describe,
        "time": timestamps,
        "cause": lambda cause: text(cause.text),
        "args": lambda args: joined_args(args, part),
        "ancestors": lambda ancestors: joined_ancestors(ancestors, part),
        "container": lambda container: text(f"{container.runtime}:{container.id}"),
    }
