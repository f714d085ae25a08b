"""Reads what the sinks wrote, as their documentation says: the way back, apart from them."""

import csv
import io
import re
import unicodedata
from collections.abc import Sequence

_LETTERS = dict(zip("abfnrtv\\ ", "\a\b\f\n\r\t\v\\ ", strict=True))
_ESCAPE = re.compile(r"\\(?:([abfnrtv\\ ])|([0-7]{3}))|([^\\])", re.DOTALL)
_WORD = r"(?:\\.|[^ \\])+"
# What --color writes, and nothing else: bold, bold red, yellow, one of 256 for a cause, and back.
COLOR = re.compile("\x1b\\[(?:1|1;31|33|38;5;[0-9]{1,3}|0)m")


def raw(cell: str) -> bytes:
    """Return the bytes that `ls --escape` would show like this."""
    read, at = b"", 0
    while at < len(cell):
        match = _ESCAPE.match(cell, at)
        assert match, f"{cell[at:]!r} is no escape"
        letter, octal, plain = match.groups()
        read += bytes([int(octal, 8)]) if octal else (plain or _LETTERS[letter]).encode()
        at = match.end()
    return read


def word(cell: str) -> bytes:
    """Return the bytes of a word that is there."""
    return b"" if cell == "''" else raw(cell)


def text(cell: str) -> bytes | None:
    """Return the bytes of a text in a table; None if it is unknown."""
    return None if cell == "-" else word(cell)


def words(cell: str) -> tuple[list[bytes], bool] | None:
    """Return arguments, and whether there were more; None if they are unknown."""
    if cell == "-":
        return None
    parts = [] if cell == "[]" else cell.split(" ")
    glued: list[str] = []
    for part in parts:  # a backslash that is not itself escaped keeps the space behind it
        if glued and re.search(r"(?<!\\)(?:\\\\)*\\\Z", glued[-1]):
            glued[-1] += f" {part}"
        else:
            glued.append(part)
    truncated = glued[-1:] == ["..."]
    return [word(part) for part in glued[: len(glued) - truncated]], truncated


def ancestors(cell: str) -> tuple[list[tuple[bytes, int]], bool] | None:
    """Return names and PIDs, and whether there were more; None if they are unknown."""
    if cell == "-":
        return None
    parts = [] if cell == "[]" else cell.split("<")
    truncated = parts[-1:] == ["..."]
    found = []
    for part in parts[: len(parts) - truncated]:
        match = re.fullmatch(r"(.*)\[(\d+)\]", part)
        assert match, f"{part!r} is no ancestor"
        found.append((word(match[1]), int(match[2])))
    return found, truncated


def table_row(line: str, columns: int) -> list[str]:
    """Return the cells of a row; each except the last is one word."""
    match = re.fullmatch(rf"({_WORD}) +" * (columns - 1) + "(.*)", line)
    assert match, f"not a row of {columns} columns: {line!r}"
    return [str(cell) for cell in match.groups()]


def csv_rows(written: str) -> list[list[str]]:
    """Return the fields of each line, strictly as RFC 4180 has it."""
    assert written.count("\r") == written.count("\r\n") == written.count("\n")
    assert not written or written.endswith("\r\n")
    return list(csv.reader(io.StringIO(written, newline=""), strict=True))


def assert_harmless(written: str, *, line_ends: Sequence[str] = ("\n",)) -> None:
    """Nothing moves a cursor, turns a direction, or is more than one line; colors are ours."""
    written.encode()  # no half of a surrogate pair
    left = COLOR.sub("", written)
    bad = {c for c in left if unicodedata.category(c)[0] in "CZ" and c not in (" ", *line_ends)}
    assert not bad, bad
