"""How many cells of a terminal a text takes, and which characters all terminals agree on."""

from functools import lru_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

# Blank, though they are letters or symbols: fillers of Hangul, empty Braille, a null notehead.
_BLANK = frozenset((0x115F, 0x1160, 0x2800, 0x3164, 0xFFA0, 0x1D159))
# Drawn as one with their neighbours (vowels and final consonants of Hangul, flags, skin tones). Or
# terminals differ: wide since Unicode 16 (trigrams, hexagrams, counting rods), or in glibc only.
_DISPUTED = (
    *(range(0x1160, 0x1200), range(0xD7B0, 0xD800), range(0x1F1E6, 0x1F200)),
    *(range(0x1F3FB, 0x1F400), range(0x2630, 0x2638), range(0x268A, 0x2690)),
    *(range(0x4DC0, 0x4E00), range(0x1D300, 0x1D357), range(0x1D360, 0x1D377)),
    range(0x3248, 0x3250),
)
_RIGHT_TO_LEFT = {"R", "AL", "AN"}


@lru_cache(maxsize=1024)
def cells(character: str) -> int:
    """Return how many cells a character takes by itself, wherever it stands: 1 or 2.

    0 if that is not certain: it does not print, is drawn over or together with its neighbours, is
    blank, or turns the direction of what is beside it, as letters do that are written from right to
    left.
    """
    if character.isascii():
        return int(character.isprintable())
    from unicodedata import bidirectional, category, east_asian_width  # large, and seldom needed

    point = ord(character)
    if (
        not character.isprintable()
        or category(character)[0] == "M"
        or bidirectional(character) in _RIGHT_TO_LEFT
        or point in _BLANK
        or any(point in disputed for disputed in _DISPUTED)
    ):
        return 0
    return 2 if east_asian_width(character) in "FW" else 1


def width_of(text: str) -> int:
    """Return how many cells a text takes; it has no escape sequences."""
    return len(text) if text.isascii() else sum(map(cells, text))


def padded(text: str, width: int) -> str:
    """Return the text with spaces behind it up to a width."""
    return text + " " * (width - width_of(text))


class Padding:
    """Lines of cells side by side.

    Args:
        formats: how each cell is padded, for the operator %: a text at its left, up to a width.
    """

    def __init__(self, formats: "Sequence[str]") -> None:
        self._formats = formats
        self._template = " ".join(formats)

    def lines(self, rows: "Sequence[tuple[Any, ...]]") -> str:
        """Return the lines of these rows."""
        lines = "\n".join([*map(self._template.__mod__, rows), ""])
        return lines if lines.isascii() else "\n".join([*map(self.line, rows), ""])

    def line(self, row: "Sequence[Any]") -> str:
        """Return the line of these cells; what is too wide for its column moves the others."""
        line: str = self._template % tuple(row)
        return line if line.isascii() else " ".join(map(_cell, self._formats, row))


def _cell(form: str, cell: "Any") -> str:
    text: str = form % cell
    if text.isascii():
        return text
    return padded(cell, len(form % ""))
