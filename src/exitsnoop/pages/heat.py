"""Deaths by cause over time: a row an outcome, a cell a bin, the darker the more."""

import math
from collections import Counter

from exitsnoop.model.outcomes import OUTCOMES, outcome
from exitsnoop.pages.axis import Axis
from exitsnoop.pages.markup import Markup, element
from exitsnoop.pages.parts import WORDS, figure, folded, named, row_of, rows_of, section, table
from exitsnoop.pages.words import number, place, seconds
from exitsnoop.reports.overview import rows
from exitsnoop.reports.overview.gather import Overview
from exitsnoop.reports.overview.period import PARTS
from exitsnoop.reports.when import local

LEVELS = 5
_HEIGHT = 24


def counts(of: Overview) -> dict[str, Counter[int]]:
    """Return for each outcome that there is how many failed in each bin."""
    found: dict[str, Counter[int]] = {one.name: Counter() for one in OUTCOMES}
    last = of.period.bins - 1
    for tally in of.tallies:
        nth = min(max(0, tally.part // PARTS), last)
        found[outcome(tally.cause).name][nth] += tally.times
    return {name: bins for name, bins in found.items() if bins}


def unseen(of: Overview) -> list[float]:
    """Return which part of each bin was not recorded, from 0 to 1."""
    period = of.period
    missing = [0] * period.bins
    for gap in of.gaps:
        if gap.lost is not None:
            continue
        for nth in range(period.bin(gap.from_ns), period.bin(gap.to_ns) + 1):
            begin_ns, end_ns = period.edges(nth)
            missing[nth] += max(0, min(gap.to_ns, end_ns) - max(gap.from_ns, begin_ns))
    widths = [period.edges(nth) for nth in range(period.bins)]
    return [
        part / max(1, end_ns - begin_ns)
        for part, (begin_ns, end_ns) in zip(missing, widths, strict=True)
    ]


def drawn(of: Overview, axis: Axis) -> Markup:
    """Return the part of the page."""
    found = counts(of)
    top = max((count for bins in found.values() for count in bins.values()), default=1)
    lanes = [_row("all", "ended in all", sum(of.exits), _all(of, axis))]
    for name, bins in found.items():
        cells = axis.lane(_HEIGHT, *(_cell(of, name, *one, top) for one in sorted(bins.items())))
        lanes.append(_row(name, WORDS[name], bins.total(), cells))
    period = of.period
    return section(
        "causes",
        "Deaths by cause over time",
        figure(
            *lanes,
            labels=axis.labels(),
            legend=(_legend(top, any(gap.lost is None for gap in of.gaps)),),
        ),
        rows_of(rows.past(period.from_ns, period.to_ns)),
        folded(f"Table: every {seconds(period.bin_ns / 1e9)}", _table(of, found), name="bins"),
    )


def _row(name: str, words: str, count: int, picture: Markup) -> Markup:
    label = named(name) if name != "all" else element("span", words, class_="named")
    return element(
        "div",
        element(
            "a",
            label,
            element("b", number(count)),
            href="#bins",
            class_="label",
            id=f"cause-{name}",
        ),
        picture,
        class_="row",
    )


def _cell(of: Overview, name: str, nth: int, count: int, top: int) -> Markup:
    period = of.period
    begin_ns, end_ns = period.edges(nth)
    title = f"{local(begin_ns, period.now_ns)}: {number(count)} {WORDS[name]}"
    return element(
        "a",
        element(
            "rect",
            element("title", title),
            class_=f"cell o-{name} level-{level(count, top)}",
            x=place(period.place(begin_ns)),
            width=place(period.place(end_ns) - period.place(begin_ns)),
            height=_HEIGHT,
        ),
        href=f"#bin-{nth}",
        tabindex=-1,
    )


def level(count: int, top: int) -> int:
    """Return how dark a cell is, from 1 to LEVELS: logarithmic."""
    if top <= 1:
        return LEVELS
    return 1 + round((LEVELS - 1) * math.log(max(1, count)) / math.log(top))


def _all(of: Overview, axis: Axis) -> Markup:
    top = max(*of.exits, 1)
    bars = []
    for nth, count in enumerate(of.exits):
        if not count:
            continue
        begin_ns, end_ns = of.period.edges(nth)
        high = max(1, round((_HEIGHT - 2) * count / top))
        title = f"{local(begin_ns, of.period.now_ns)}: {number(count)} ended"
        bars.append(
            element(
                "rect",
                element("title", title),
                class_="cell well",
                x=place(of.period.place(begin_ns)),
                width=place(of.period.place(end_ns) - of.period.place(begin_ns)),
                y=_HEIGHT - high,
                height=high,
            )
        )
    return axis.lane(_HEIGHT, *bars)


def _legend(top: int, has_gaps: bool) -> Markup:
    steps = sorted({1, *(round(top ** (nth / (LEVELS - 1))) for nth in range(LEVELS))})
    shades = [
        element(
            "span",
            element(
                "svg",
                element("rect", class_=f"shade level-{level(step, top)}", width=14, height=10),
                class_="swatch",
                width=14,
                height=10,
                aria_hidden="true",
            ),
            number(step),
        )
        for step in steps
    ]
    blank = "blank: none failed then" + ("; hatched: nobody looked" if has_gaps else "")
    return element("span", "Failures in a cell: ", *shades, f" ({blank})")


def _table(of: Overview, found: dict[str, Counter[int]]) -> Markup:
    period = of.period
    missing = unseen(of)
    heads = ["From", "Recorded", "Ended", "Failed", *(WORDS[name] for name in found)]
    kinds = " " + "n" * (len(heads) - 1)
    body = []
    for nth in range(period.bins):
        begin_ns, end_ns = period.edges(nth)
        failed = sum(bins[nth] for bins in found.values())
        seen = 1 - missing[nth]
        cells = [
            local(begin_ns, period.now_ns),
            f"{seen:.0%}" if seen in (0, 1) else f"{min(99, max(1, round(100 * seen)))}%",
            number(of.exits[nth]) if of.exits[nth] or seen else "nobody looked",
            number(failed) if failed or seen else None,
            *(number(bins[nth]) if bins[nth] or seen else None for bins in found.values()),
        ]
        its_rows = rows.past(begin_ns, end_ns) if failed else None
        body.append(row_of(cells, kinds, name=f"bin-{nth}", its_rows=its_rows))
    return table("Deaths by cause over time", heads, body, kinds=kinds)
