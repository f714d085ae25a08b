"""The colors of outcomes: whether people tell them apart, measured."""

import itertools
import re

import pytest

from exitsnoop.model.cause import KINDS
from exitsnoop.model.outcomes import OUTCOMES as WAYS
from exitsnoop.model.outcomes import outcome
from exitsnoop.pages.style import STYLE
from exitsnoop.sinks.palette import BACKGROUND, GAP, OUTCOMES, WELL, Shades

Color = tuple[float, float, float]

# Machado, Oliveira and Fernandes 2009, severity 1.0: linear RGB as people see it.
EYES: dict[str, tuple[Color, Color, Color]] = {
    "most": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
APART = 20
"""Steps of CIELAB. About 2.3 are just noticeable, side by side."""


def linear(color: str) -> Color:
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return red, green, blue


def contrast(one: str, other: str) -> float:
    """As WCAG 2 defines it."""
    light = []
    for color in (one, other):
        red, green, blue = linear(color)
        light.append(0.2126 * red + 0.7152 * green + 0.0722 * blue)
    return (max(light) + 0.05) / (min(light) + 0.05)


def lab(color: Color) -> Color:
    red, green, blue = (min(1, max(0, part)) for part in color)

    def root(part: float) -> float:
        return part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116

    x = root((0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047)
    y = root(0.2126 * red + 0.7152 * green + 0.0722 * blue)
    z = root((0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def seen(color: str, eyes: str) -> Color:
    parts = linear(color)
    x, y, z = (sum(a * b for a, b in zip(row, parts, strict=True)) for row in EYES[eyes])
    return lab((x, y, z))


def apart(one: str, other: str, eyes: str) -> float:
    pairs = zip(seen(one, eyes), seen(other, eyes), strict=True)
    return float(sum((a - b) ** 2 for a, b in pairs) ** 0.5)


def shade(shades: Shades, scheme: str) -> str:
    return shades.light if scheme == "light" else shades.dark


def test_it_can_tell() -> None:
    """Red and green of equal lightness are one color to some; the measure says so."""
    assert apart("#c04040", "#707000", "most") > APART
    assert apart("#c04040", "#707000", "deuteranopia") < APART
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_outcomes_are_told_apart(scheme: str, eyes: str) -> None:
    for one, other in itertools.combinations(OUTCOMES.values(), 2):
        assert apart(shade(one, scheme), shade(other, scheme), eyes) >= APART, (one, other)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_they_stand_out(scheme: str) -> None:
    """By 3:1, which WCAG 2.1 asks of graphics; text by 4.5:1."""
    paper = shade(BACKGROUND, scheme)
    for name, shades in {**OUTCOMES, "well": WELL, "gap": GAP}.items():
        assert contrast(shade(shades, scheme), paper) >= 3, name
    variables = STYLE.split(":root{")[1 if scheme == "light" else 2].split("}")[0]
    found = dict(re.findall(r"--(\w+):(#\w+);", variables))
    assert found["paper"] == paper
    for name in ("ink", "soft", "link"):
        for behind in ("paper", "panel"):
            assert contrast(found[name], found[behind]) >= 4.5, (name, behind)


def test_every_kind_of_cause_has_a_color() -> None:
    assert [one.name for one in WAYS] == [*OUTCOMES]
    assert sorted(kind for one in WAYS for kind in one.kinds) == sorted(["", *KINDS])
    assert outcome("oom").name == "oom"
    assert outcome("a kind of a newer version").name == "unknown"
    assert len({shades.terminal for shades in OUTCOMES.values()}) == len(OUTCOMES)
