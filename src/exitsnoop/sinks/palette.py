"""The colors of outcomes: the same in pages, time lines and on a terminal.

They are told apart by people who see red and green, or blue and yellow, alike, and each stands out
from the background (tests/unit/test_palette.py measures both).
"""

from typing import NamedTuple

from exitsnoop.model.outcomes import outcome


class Shades(NamedTuple):
    """A color.

    Attributes:
        light: on a light background, as "#0a58ca".
        dark: on a dark one.
        terminal: of the 256 colors of a terminal.
    """

    light: str
    dark: str
    terminal: int


BACKGROUND = Shades("#ffffff", "#14171c", 0)
OUTCOMES = {
    "oom": Shades("#840773", "#b257b6", 133),
    "crash": Shades("#b03000", "#e0701a", 166),
    "killed": Shades("#5257c3", "#96a6ff", 105),
    "code": Shades("#cb7e00", "#fcd64b", 178),
    "along": Shades("#109bc3", "#48ecf5", 80),
    "limit": Shades("#00452f", "#368e54", 29),
    "unknown": Shades("#84807f", "#a89ea5", 247),
}
"""By the name of the outcome."""
WELL = Shades("#8a929c", "#7c8591", 244)
"""For what ended with exit(0)."""
GAP = Shades("#7a828c", "#8b949e", 242)
"""For time that was not recorded: always hatched, so that it is never taken for an outcome."""


def escape_of(name: str) -> str:
    """Return what makes a terminal write in the color of an outcome."""
    return f"\033[38;5;{OUTCOMES[name].terminal}m"


def escape_of_kind(kind: str) -> str:
    """Return the same for the outcome that a kind of cause belongs to."""
    return escape_of(outcome(kind).name)
