"""Numbers and times as pages write them."""

from exitsnoop.host.clock import SECOND_NS
from exitsnoop.reports.when import length


def number(count: int) -> str:
    """Return "1,204,377"."""
    return f"{count:,}"


def share(part: int, whole: int) -> str:
    """Return "12 %", "0.03 %"; "0 %" of nothing."""
    percent = 100 * part / whole if whole else 0.0
    return f"{percent:.0f} %" if percent >= 10 or not percent else f"{percent:.2g} %"


def seconds(span_s: float) -> str:
    """Return a length of time: "0.3 ms", "12 s", "3 d"."""
    return length(round(span_s * SECOND_NS))


def place(part: float) -> str:
    """Return where something is, from 0 to 1, as SVG has it."""
    return f"{100 * part:.3f}".rstrip("0").rstrip(".") + "%"
