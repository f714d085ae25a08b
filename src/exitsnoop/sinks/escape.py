r"""Text from a process, made safe for a row: the C-style escapes of `ls --escape`.

A newline is \n, an escape character \033, a space "\ ", a backslash \\. Bytes that are not UTF-8,
and the bytes of characters that do not print, are \ooo, in octal. So no name can add a column to a
row or move a cursor, and a row can be split at its spaces.
"""

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
    escaped = "".join([_escape_character(character, ascii_only) for character in decoded])
    return escaped if spaces else escaped.replace("\\ ", " ")


def word(text: str | bytes, *, ascii_only: bool = False) -> str:
    """Return the text of a field that must not be empty, or of one of several texts in a field.

    An empty text is "''". A text that looks like that, or like "..." (more is missing), is escaped,
    so that each text can be read back.
    """
    escaped = escape(text, ascii_only=ascii_only)
    return _STANDS_FOR.get(escaped, escaped)


_STANDS_FOR = {"": "''", "''": r"\047'", "...": r"\056.."}


def _escape_character(character: str, ascii_only: bool) -> str:
    if character in _LETTERS:
        return _LETTERS[character]
    if character.isprintable() and (character.isascii() or not ascii_only):
        return character
    return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", "surrogateescape"))
