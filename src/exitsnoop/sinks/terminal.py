"""How much room a row takes on a terminal."""

import re

from exitsnoop.sinks.colors import painted
from exitsnoop.sinks.width import cells, width_of

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


def wrapped(text: str, width: int) -> list[str]:
    """Return the text in lines that are at most so wide, broken at spaces if there are any.

    The text may be in one color as a whole; then each line is.
    """
    parts = _COLOR.split(text)
    color, plain = ("", text) if len(parts) == 1 else (parts[1], parts[2])
    lines, room = [""], width
    for word in re.findall(" *[^ ]+", plain):
        if width_of(word) > room and room < width:
            lines.append("")
            word, room = word.lstrip(" "), width
        while word:
            start, left = _start(word, room, len(word))
            if left >= 0:
                lines[-1] += word
                room = left
                break
            lines[-1] += start or word[0]
            word = word[len(start) or 1 :]
            lines.append("")
            room = width
    return [painted(line, color) if color else line for line in lines]


def _start(text: str, room: int, most: int) -> tuple[str, int]:
    """Return the start of the text that fits, and the room left: negative if not all fits.

    most: how many characters fit, however wide they are.
    """
    for index, character in enumerate(text):
        room -= cells(character)
        if room < 0 or index >= most:
            return text[:index], -1
    return text, room


def uncolored(text: str) -> str:
    """Return the text without its colors."""
    return _COLOR.sub("", text)
