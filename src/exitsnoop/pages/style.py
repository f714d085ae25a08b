"""The look of pages: one style sheet and one small script, both inside the page."""

from pathlib import Path

from exitsnoop.sinks.palette import BACKGROUND, GAP, OUTCOMES, WELL, Shades

_NAMED = {"paper": BACKGROUND, "well": WELL, "gap": GAP, **OUTCOMES}
_TEXT = {
    "ink": Shades("#1b1f24", "#e6e9ed", 0),
    "soft": Shades("#59616b", "#a5adb8", 0),
    "line": Shades("#d9dde2", "#313842", 0),
    "panel": Shades("#f5f6f8", "#1c2128", 0),
    "link": Shades("#0b57a4", "#7db6ff", 0),
    "on": Shades("#ffffff", "#14171c", 0),
    "dark": Shades("#14171c", "#14171c", 0),
}


def _variables(scheme: str) -> str:
    colors = {**_NAMED, **_TEXT}
    return "".join(f"--{name}:{getattr(shades, scheme)};" for name, shades in colors.items())


_OUTCOMES = "".join(
    f".o-{name}{{fill:var(--{name})}}.s-{name}{{stroke:var(--{name})}}" for name in OUTCOMES
)
_LEVELS = "".join(
    f".level-{nth}{{fill-opacity:{opacity}}}"
    for nth, opacity in enumerate((0.4, 0.55, 0.7, 0.85, 1), start=1)
)


_FOLDER = Path(__file__).parent
STYLE = (
    f":root{{{_variables('light')}}}"
    f"@media screen and (prefers-color-scheme:dark){{:root{{{_variables('dark')}}}}}\n"
    + (_FOLDER / "page.css").read_text(encoding="utf-8")
    + _OUTCOMES
    + _LEVELS
)
"""The style sheet: the colors of the palette, and page.css."""
SCRIPT = (_FOLDER / "page.js").read_text(encoding="utf-8")
"""The script, without which the page can be read as well: page.js."""
