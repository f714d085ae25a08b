r"""Text from a process, made safe for a row: the C-style escapes of `ls --escape`.

A newline is \n, an escape character \033, a space "\ ", a backslash \\. Bytes that are not UTF-8,
and the bytes of characters that do not print, are \ooo, in octal; so are those of characters whose
place on a terminal is not certain (width.cells()): combining ones, letters written from right to
left. So no name can add a column to a row, shift one, or move a cursor, and a row can be split at
its spaces.
"""

from exitsnoop.sinks.width import cells

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_LETTERS = {
    "\a": r"\a",
    "\b": r"\b",
    "\f": r"\f",
    "\n": r"\n",
    "\r": r"\r",
    "\t": r"\t",
    "\v": r"\v",
    "\\": r"\\",
    " ": r"\ ",
}
_OCTAL = [f"\\{byte:03o}" for byte in range(256)]
_ASCII = [
    _LETTERS.get(chr(byte)) or (chr(byte) if chr(byte).isprintable() else _OCTAL[byte])
    for byte in range(128)
]


class _Escapes(dict[int, str]):
    """The escapes of characters by their code points, for str.translate(); made when needed."""

    def __init__(self, *, ascii_only: bool) -> None:
        self._ascii_only = ascii_only

    def __missing__(self, point: int) -> str:
        if len(self) >= _MOST_REMEMBERED:
            self.clear()
        character = chr(point)
        if point < len(_ASCII):
            shown = _ASCII[point]
        elif not self._ascii_only and cells(character):
            shown = character
        else:
            shown = "".join([_OCTAL[byte] for byte in character.encode("utf-8", "surrogateescape")])
        self[point] = shown
        return shown


_MOST_REMEMBERED = 4096
_escapes = {ascii_only: _Escapes(ascii_only=ascii_only) for ascii_only in (False, True)}


def escape(text: str | bytes, *, ascii_only: bool = False, spaces: bool = True) -> str:
    """Return the text of a field.

    Args:
        text: bytes may be UTF-8 or not.
        ascii_only: escape characters beyond ASCII, for a reader that does not take UTF-8.
        spaces: escape spaces, too. The last field of a row, and quoted fields, do not need that.
    """
    decoded = text if isinstance(text, str) else text.decode("utf-8", "surrogateescape")
    if decoded.isascii() and decoded.isprintable() and " " not in decoded and "\\" not in decoded:
        return decoded
    if decoded.isascii():
        escaped = "".join(map(_ASCII.__getitem__, decoded.encode()))
    else:
        escaped = decoded.translate(_escapes[ascii_only])
    return escaped if spaces else escaped.replace("\\ ", " ")


def message(text: str, *, ascii_only: bool = False) -> str:
    """Return a text for a message, which nobody splits or reads back: backslashes stay as they are.

    What it quotes from a user, a file or a process cannot move a cursor or add a line.
    """
    if text.isascii() and text.isprintable():
        return text
    return escape(text, ascii_only=ascii_only, spaces=False).replace("\\\\", "\\")


# A tab and a carriage return, which some spreadsheets skip, are escaped anyway.
_FORMULAS = frozenset("=+-@\uff1d\uff0b\uff0d\uff20")


def inert(write: "Callable[[Any], str]") -> "Callable[[Any], str]":
    """Return the same function with texts that no spreadsheet takes for a formula.

    The character that would make it one is in octal.
    """

    def shown(value: "Any") -> str:
        text = write(value)
        if text[:1] not in _FORMULAS:
            return text
        return "".join([_OCTAL[byte] for byte in text[0].encode()]) + text[1:]

    return shown


def word(text: str | bytes, *, ascii_only: bool = False) -> str:
    """Return the text of a field that must not be empty, or of one of several texts in a field.

    An empty text is "''". A text that looks like that, or like "..." (more is missing), is escaped,
    so that each text can be read back.
    """
    escaped = escape(text, ascii_only=ascii_only)
    return _STANDS_FOR.get(escaped, escaped)


_STANDS_FOR = {"": "''", "''": r"\047'", "...": r"\056.."}
