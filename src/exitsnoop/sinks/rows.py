"""Rows of any query -> text: a table for people, CSV, JSON lines. Texts are escaped."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from exitsnoop.sinks.escape import escape, inert
from exitsnoop.sinks.terminal import cut
from exitsnoop.sinks.width import padded, width_of

Row = Sequence[Any]
_BETWEEN = "  "
_LEAST = 12  # a column of text is not made narrower
_TIME = re.compile(r"\d{4}-\d\d-\d\dT")  # cut, it would say nothing


class RowTable:
    """Columns side by side; where they do not fit on the terminal, one below the other.

    Args:
        names: the names of the columns.
        first: the first rows, by which columns get their widths.
        width: of the terminal; None if it is none, and nothing is cut.
        ascii_only: escape what is not ASCII.
    """

    def __init__(
        self,
        names: Sequence[str],
        first: Sequence[Row],
        *,
        width: int | None = None,
        ascii_only: bool = False,
    ) -> None:
        self._cell = _cells(ascii_only=ascii_only)
        self._mark = "+" if ascii_only else "…"
        self._names = [escape(name, ascii_only=ascii_only, spaces=False) for name in names]
        texts = [[self._cell(value) for value in row] for row in first]
        columns = list(zip(self._names, *texts, strict=True))
        self._widths = [max(map(width_of, column)) for column in columns]
        self._is_number = [
            {int, float} >= {type(value) for value in column if value is not None} != set()
            for column in (zip(*first, strict=True) if first else [()] * len(names))
        ]
        self._width = width
        can_be_cut = [
            at
            for at, column in enumerate(columns)
            if not self._is_number[at] and not any(map(_TIME.match, column))
        ]
        self._is_list = width is not None and not self._narrow(width, can_be_cut)

    def _narrow(self, width: int, texts: Sequence[int]) -> bool:
        """Make these columns narrower until all fit; return whether that is possible."""
        room = width - len(_BETWEEN) * (len(self._widths) - 1)
        while sum(self._widths) > room:
            widest = max(texts, key=self._widths.__getitem__, default=None)
            if widest is None or self._widths[widest] <= _LEAST:
                return False
            self._widths[widest] -= 1
        return True

    def header(self) -> str:
        """Return the line with the names; nothing if each row has them."""
        return "" if self._is_list else self._line(self._names)

    def rows(self, rows: Sequence[Row]) -> str:
        """Return the lines of some rows."""
        texts = ([self._cell(value) for value in row] for row in rows)
        if not self._is_list:
            return "".join(map(self._line, texts))
        widest = max(map(width_of, self._names))
        return "".join(
            "".join(
                self._cut(f"{padded(name, widest)}  {text}", self._width or 0) + "\n"
                for name, text in zip(self._names, row, strict=True)
            )
            + "\n"
            for row in texts
        )

    def _line(self, texts: Sequence[str]) -> str:
        cells = []
        for text, width, number in zip(texts, self._widths, self._is_number, strict=True):
            shown = self._cut(text, width) if self._width is not None else text
            room = " " * (width - width_of(shown))
            cells.append(room + shown if number else shown + room)
        return _BETWEEN.join(cells).rstrip() + "\n"

    def _cut(self, text: str, width: int) -> str:
        return cut(text, width, self._mark)


class RowCsv:
    """CSV after RFC 4180, with a header; NULL is empty."""

    def __init__(self, names: Sequence[str], *, ascii_only: bool = False) -> None:
        self._names = names
        self._cell = _cells(ascii_only=ascii_only, null="", alone=False)
        self._text = inert(self._cell)  # which spreadsheets do not take for a formula

    def header(self) -> str:
        """Return the line with the names."""
        return self._lines([self._names])

    def rows(self, rows: Sequence[Row]) -> str:
        """Return the lines of some rows."""
        return self._lines(rows)

    def _lines(self, rows: Sequence[Row]) -> str:
        text = io.StringIO(newline="")
        csv.writer(text).writerows(
            [(self._text if isinstance(value, str) else self._cell)(value) for value in row]
            for row in rows
        )
        return text.getvalue()


class RowJson:
    """An object a line, in ASCII; a name that is there twice gets a number."""

    def __init__(self, names: Sequence[str]) -> None:
        self._keys = list(_different(names))

    def header(self) -> str:
        """Return nothing: each line has the names."""
        return ""

    def rows(self, rows: Sequence[Row]) -> str:
        """Return the lines of some rows."""
        return "".join(
            json.dumps(dict(zip(self._keys, map(_plain, row), strict=True))) + "\n" for row in rows
        )


def _different(names: Sequence[str]) -> Iterator[str]:
    seen: dict[str, int] = {}
    for name in names:
        nth = seen[name] = seen.get(name, 0) + 1
        yield name if nth == 1 else f"{name}_{nth}"


def _plain(value: Any) -> Any:
    """Return a value as JSON can have it: bytes in hexadecimal, what is not a number as null."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and value - value != 0:  # infinity
        return None
    return value


def _cells(*, ascii_only: bool, null: str = "-", alone: bool = True) -> Callable[[Any], str]:
    """Return what makes the text of a value. alone: a text that looks like NULL is escaped."""

    def cell(value: Any) -> str:
        if value is None:
            return null
        if isinstance(value, bytes):
            return value.hex()
        if not isinstance(value, str):
            return str(value)
        text = escape(value, ascii_only=ascii_only, spaces=False)
        return r"\055" if alone and text == null else text

    return cell
