"""The time axis of a page: where times are, what was not recorded, and labels."""

import time

from exitsnoop.host.clock import SECOND_NS
from exitsnoop.pages.markup import Markup, element, joined
from exitsnoop.pages.words import place
from exitsnoop.reports.gaps import reason
from exitsnoop.reports.overview.gather import Overview
from exitsnoop.reports.overview.period import Period
from exitsnoop.reports.when import span

_STEPS_S = (1, 5, 10, 30, 60, 300, 600, 900, 1800, 3600, 10_800, 21_600, 43_200)
_DAY_S = 86_400
_MOST = 8
_EDGE = 0.04  # a label there would reach out of the picture


class Axis:
    """The axis of a period.

    Args:
        of: the overview.
    """

    def __init__(self, of: Overview) -> None:
        self.period = of.period
        self._gaps = [gap for gap in of.gaps if gap.lost is None]

    def x(self, wall_ns: int) -> str:
        """Return where a time is."""
        return place(self.period.place(wall_ns))

    def width(self, from_ns: int, to_ns: int) -> str:
        """Return how wide a stretch is."""
        return place(max(0.0, self.period.place(to_ns) - self.period.place(from_ns)))

    def lane(self, height: int, *drawn: Markup, class_: str = "lane") -> Markup:
        """Return a picture over the whole period: what is given, over what was not recorded."""
        return element(
            "svg",
            *(self._gap(gap.from_ns, gap.to_ns, gap.why, height) for gap in self._gaps),
            *drawn,
            class_=class_,
            height=height,
            aria_hidden="true",
        )

    def _gap(self, from_ns: int, to_ns: int, why: str, height: int) -> Markup:
        period = self.period
        begin_ns, end_ns = max(from_ns, period.first_ns), min(to_ns, period.to_ns)
        words = f"Nobody looked {span(begin_ns, end_ns, period.now_ns)} ({reason(why)})"
        return element(
            "rect",
            element("title", words),
            class_="gap",
            x=self.x(begin_ns),
            width=self.width(begin_ns, end_ns),
            height=height,
            fill="url(#hatch)",
        )

    def labels(self) -> Markup:
        """Return the labels below the pictures."""
        found = ticks(self.period)
        marks = [
            element("text", text, x=place(at), y=14, text_anchor="middle")
            for at, text in found
            if _EDGE < at < 1 - _EDGE
        ]
        lines = [element("line", x1=place(at), x2=place(at), y1=0, y2=4) for at, _ in found]
        return element(
            "svg", joined(lines), joined(marks), class_="axis", height=18, aria_hidden="true"
        )


def ticks(period: Period) -> list[tuple[float, str]]:
    """Return where round times are in a period, from 0 to 1, and what to call them."""
    begin_s, end_s = period.first_ns // SECOND_NS, period.to_ns // SECOND_NS
    ahead_s = time.localtime(begin_s).tm_gmtoff
    span_s = end_s - begin_s
    days = -(-span_s // (_MOST * _DAY_S))
    step_s = next((step for step in _STEPS_S if span_s / step <= _MOST), days * _DAY_S)
    form = "%a %d" if step_s >= _DAY_S else "%H:%M" if step_s >= 60 else "%H:%M:%S"
    first_s = -(-(begin_s + ahead_s) // step_s) * step_s - ahead_s
    return [
        (period.place(at_s * SECOND_NS), time.strftime(form, time.localtime(at_s)))
        for at_s in range(first_s, end_s + 1, step_s)
    ]
