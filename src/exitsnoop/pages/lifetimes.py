"""How long processes lived: two histograms over one logarithmic axis."""

from collections.abc import Sequence

from exitsnoop.model.outcomes import OUTCOMES
from exitsnoop.pages.markup import Markup, element, joined
from exitsnoop.pages.parts import WORDS, figure, folded, named, row_of, rows_of, section, table
from exitsnoop.pages.words import number, place, seconds
from exitsnoop.reports.overview import rows
from exitsnoop.reports.overview.gather import Overview
from exitsnoop.reports.overview.lives import EDGES_S

_HEIGHT = 96


def drawn(of: Overview) -> Markup:
    """Return the part of the page."""
    lived, period = of.lived, of.period
    failed = [sum(some) for some in zip(*lived.failed.values(), strict=True)] or [0] * len(
        lived.well
    )
    if not sum(lived.well) + sum(failed):
        return section("lives", "How long they lived", element("p", "Nothing is known of that."))
    used = [nth for nth in range(len(failed)) if failed[nth] or lived.well[nth]]
    low, high = max(0, used[0] - 1), min(len(failed), used[-1] + 2)
    stacks = [
        [(one.name, lived.failed[one.name][nth]) for one in OUTCOMES if one.name in lived.failed]
        for nth in range(low, high)
    ]
    well = [[("well", lived.well[nth])] for nth in range(low, high)]
    return section(
        "lives",
        "How long they lived",
        figure(
            row("failed", sum(failed), stacks),
            row("ended well", sum(lived.well), well),
            labels=_axis(low, high),
            legend=(
                *(joined((named(name), " ")) for name in _present(of)),
                "Each of the two has a scale of its own; the number is that of the highest bar.",
            ),
        ),
        rows_of(rows.past(of.complete_ns, period.to_ns, failed=False)),
        folded("Table: lifetimes", _table(of, failed)),
    )


def row(words: str, total: int, stacks: Sequence[list[tuple[str, int]]]) -> Markup:
    """Return a histogram: for each bar, from the bottom, outcomes with their counts."""
    heights = [sum(count for _, count in stack) for stack in stacks]
    top = max(heights)
    bars = []
    for nth, stack in enumerate(stacks):
        y = float(_HEIGHT)
        for name, count in stack:
            if not count:
                continue
            high = max(1.5, (_HEIGHT - 14) * count / top)
            y -= high
            bars.append(
                element(
                    "rect",
                    element("title", f"{number(count)} {WORDS.get(name, 'ended well')}"),
                    class_="well" if name == "well" else f"o-{name}",
                    x=place((nth + 0.04) / len(stacks)),
                    width=place(0.92 / len(stacks)),
                    y=f"{y:.1f}",
                    height=f"{high:.1f}",
                )
            )
    middle = place((heights.index(top) + 0.5) / len(stacks))
    mark = element("text", number(top), x=middle, y=10, text_anchor="middle")
    return element(
        "div",
        element("span", element("span", words), element("b", number(total)), class_="label"),
        element(
            "svg",
            joined(bars),
            mark if total else None,
            class_="lane axis",
            height=_HEIGHT,
            aria_hidden="true",
        ),
        class_="row",
    )


def _axis(low: int, high: int) -> Markup:
    marks = []
    for nth in range(low, high - 1):
        if nth % 4 != 0 and EDGES_S[nth] not in (1.0, 100.0):
            continue
        at = (nth + 1 - low) / (high - low)
        marks.append(
            joined(
                (
                    element("line", x1=place(at), x2=place(at), y1=0, y2=4),
                    element("text", seconds(EDGES_S[nth]), x=place(at), y=14, text_anchor="middle"),
                )
            )
        )
    return element("svg", *marks, class_="axis", height=18, aria_hidden="true")


def _table(of: Overview, failed: Sequence[int]) -> Markup:
    present = _present(of)
    heads = ["Lived", "Ended well", "Failed", *(WORDS[name] for name in present)]
    body = []
    kinds = " " + "n" * (len(heads) - 1)
    for nth, count in enumerate(of.lived.well):
        if not count and not failed[nth]:
            continue
        if nth == 0:
            words = f"less than {seconds(EDGES_S[0])}"
        elif nth == len(EDGES_S):
            words = f"{seconds(EDGES_S[-1])} or more"
        else:
            words = f"{seconds(EDGES_S[nth - 1])} to {seconds(EDGES_S[nth])}"
        cells = [words, number(count), number(failed[nth])]
        cells += [number(of.lived.failed[name][nth]) for name in present]
        body.append(row_of(cells, kinds))
    return table("Lifetimes", heads, body, kinds=kinds)


def _present(of: Overview) -> list[str]:
    """Return the names of the outcomes that there are."""
    return [one.name for one in OUTCOMES if one.name in of.lived.failed]
