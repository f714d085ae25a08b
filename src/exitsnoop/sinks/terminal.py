"""How much room a row takes on a terminal."""

import re
from functools import lru_cache

_COLOR = re.compile("(\033\\[[0-9;]*m)")


def cut(row: str, width: int, mark: str) -> str:
    """Return the row; if it is wider than width, its start and the mark. All colors stay.

    It is also cut if it has more characters than a terminal of that width needs: those that are
    drawn over others take no room, so there could be any number of them. The row must not contain
    other escape sequences.
    """
    parts = _COLOR.split(row)  # texts, and between two of them a color
    most = _PER_CELL * width
    if len(row) <= most and sum(map(width_of, parts[::2])) <= width:
        return row
    room = width - width_of(mark)
    kept: list[str] = []
    for part in parts:
        if _COLOR.match(part):
            kept.append(part)
        elif room >= 0:
            text, room = _start(part, room, most)
            most -= len(text)
            kept.append(text if room >= 0 else text + mark)
    return "".join(kept)


_PER_CELL = 4


def _start(text: str, room: int, most: int) -> tuple[str, int]:
    """Return the start of the text that fits, and the room left: negative if not all fits.

    most: how many characters fit, however wide they are.
    """
    for index, character in enumerate(text):
        room -= _character_width(character)
        if room < 0 or index >= most:
            return text[:index], -1
    return text, room


def width_of(text: str) -> int:
    """Return how many cells of a terminal a text takes; it has no escape sequences."""
    return len(text) if text.isascii() else sum(map(_character_width, text))


@lru_cache(maxsize=1024)
def _character_width(character: str) -> int:
    if character.isascii():
        return 1
    from unicodedata import category, east_asian_width  # large, and seldom needed

    if category(character) in ("Mn", "Me"):  # drawn over the character before it
        return 0
    return 2 if east_asian_width(character) in "FW" else 1
