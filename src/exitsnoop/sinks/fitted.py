"""Rows of the table that are fitted to the width of a terminal."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from exitsnoop.model.field import Field
from exitsnoop.sinks.terminal import cut, uncolored, wrapped
from exitsnoop.sinks.width import Padding, padded, width_of

# Long values that are still of use when they are cut.
_FREE_TEXT = {"text", "name", "cause", "args", "ancestors", "container"}
# Which of them have lines of their own where they have less room than this beside the others.
_LEAST = {"cause": 40, "args": 20, "ancestors": 20}
_LEAST_OF_PATHS = 20
_PATHS = {"exe", "cwd", "cgroup"}
_INDENT = "    "
_ONLY_A_CODE = re.compile(r"exit \d+")


class Fitted:
    """Rows, each in one line if the terminal has room for it.

    On a narrow terminal the first line has the short columns, and each long value follows on its
    own. A value that is unknown has no line, nor has a cause that says no more than the exit code
    beside it. Causes are wrapped, whatever the width; other free text is cut.

    Args:
        layout: the columns of the table.
        formats: how each of them is padded, for the operator %.
        mark: ends what is cut.
    """

    def __init__(self, layout: Sequence[Field], formats: Sequence[str], *, mark: str) -> None:
        self._layout = layout
        self._mark = mark
        self._long = [
            place
            for place, column in enumerate(layout)
            if column.kind in _LEAST or column.name in _PATHS
        ]
        self._short = [place for place in range(len(layout)) if place not in self._long]
        self._line = Padding(formats).line
        self._line_of_short = Padding([formats[place] for place in self._short]).line
        self._ends_in_cause = layout[-1].kind == "cause"
        self._is_cut = layout[-1].kind in _FREE_TEXT
        self._says_code = any(column.kind == "exit" for column in layout)
        self._least = sum(
            _LEAST.get(column.kind, _LEAST_OF_PATHS) if place in self._long else column.width + 1
            for place, column in enumerate(layout)
        )

    def titles(self, width: int) -> list[str]:
        """Return the lines that name the columns; none if one line with all of them does."""
        if not self._is_narrow(width):
            return []
        titles = [column.title for column in self._layout]
        short = [padded(titles[place], self._layout[place].width) for place in self._short]
        return [" ".join(short).rstrip(), *(f"{_INDENT}{titles[place]}" for place in self._long)]

    def rows(self, cells: Iterable[Sequence[Any]], width: int) -> str:
        """Return the lines of all exits. cells: those of each."""
        narrow = self._is_narrow(width)
        lines: list[str] = []
        for row in cells:
            line = "" if narrow else self._line(row)
            if narrow or (self._ends_in_cause and self._short and not _fits(line, width)):
                lines += self._lines(row, width)
            else:
                lines.append(cut(line, width, self._mark) if self._is_cut else line)
        return "\n".join([*lines, ""])

    def _is_narrow(self, width: int) -> bool:
        return bool(self._short and self._long) and width < self._least

    def _lines(self, row: Sequence[Any], width: int) -> Iterator[str]:
        short = self._line_of_short([row[place] for place in self._short])
        yield cut(short.rstrip(), width, self._mark)
        for place in self._long:
            cell = row[place]
            if cell == "-":
                continue
            if self._layout[place].kind != "cause":
                yield cut(_INDENT + cell, width, self._mark)
            elif not (self._says_code and _ONLY_A_CODE.fullmatch(uncolored(cell))):
                for line in wrapped(cell, max(20, width - len(_INDENT))):
                    yield _INDENT + line


def _fits(line: str, width: int) -> bool:
    return width_of(uncolored(line)) <= width
