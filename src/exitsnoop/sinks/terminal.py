"""Rows on a terminal: colors, and how much room a text takes there."""

import re
from functools import lru_cache

BOLD, BOLD_RED, YELLOW, RESET = "\033[1m", "\033[1;31m", "\033[33m", "\033[0m"
_COLOR = re.compile("(\033\\[[0-9;]*m)")


def painted(text: str, color: str, width: int = 0) -> str:
    """Return the text in a color, filled up to a width with spaces that have none."""
    return f"{color}{text}{RESET}{' ' * (width - len(text))}"


def cut(row: str, width: int, mark: str) -> str:
    """Return the row, if it is wider than width only its start and the mark; and all its colors.

    Other escape sequences must not be in it.
    """
    parts = _COLOR.split(row)  # texts, and between two of them a color
    if sum(map(_width, parts[::2])) <= width:
        return row
    room = width - _width(mark)
    kept = []
    for part in parts:
        if _COLOR.match(part):
            kept.append(part)
        elif room >= 0:
            text, room = _start(part, room)
            kept.append(text if room >= 0 else text + mark)
    return "".join(kept)


def _start(text: str, room: int) -> tuple[str, int]:
    """Return what of the text there is room for, and the room left: negative if not for all."""
    for index, character in enumerate(text):
        room -= _character_width(character)
        if room < 0:
            return text[:index], room
    return text, room


def _width(text: str) -> int:
    return len(text) if text.isascii() else sum(map(_character_width, text))


@lru_cache(maxsize=1024)
def _character_width(character: str) -> int:
    if character.isascii():
        return 1
    from unicodedata import category, east_asian_width  # large, and seldom asked for

    if category(character) in ("Mn", "Me"):  # drawn over the character before it
        return 0
    return 2 if east_asian_width(character) in "FW" else 1
