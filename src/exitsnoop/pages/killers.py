"""Killers at the left, their victims at the right, a line between them."""

import math
from collections import Counter
from collections.abc import Sequence

from exitsnoop.pages.markup import Markup, element, joined
from exitsnoop.pages.parts import figure, folded, more, row_of, rows_of, section, table
from exitsnoop.pages.words import number
from exitsnoop.reports.overview import rows
from exitsnoop.reports.overview.evidence import Kills
from exitsnoop.reports.overview.gather import Overview
from exitsnoop.reports.when import local
from exitsnoop.sinks.escape import word

_MOST_LINES = 12
_MOST_ROWS = 40
_STEP = 26


def drawn(of: Overview) -> Markup:
    """Return the part of the page."""
    if not of.kills:
        words = "No process was killed by another one."
        return section("kills", "Killers and victims", element("p", words))
    period = of.period
    shown = of.kills[:_MOST_LINES]
    return section(
        "kills",
        "Killers and victims",
        figure(_picture(shown)),
        more(len(shown), len(of.kills), "pairs"),
        rows_of(rows.past(period.from_ns, period.to_ns, causes=["killed"])),
        folded("Table: killers and victims", _table(of)),
    )


def sender(one: Kills) -> str:
    """Return the name of a killer, escaped."""
    return word(one.sender) if one.sender is not None else "a process that is not known"


def _picture(kills: Sequence[Kills]) -> Markup:
    pairs: Counter[tuple[str, str]] = Counter()
    for one in kills:
        pairs[sender(one), word(one.comm)] += one.times
    left = [*dict.fromkeys(killer for killer, _ in pairs)]
    right = [*dict.fromkeys(comm for _, comm in pairs)]
    height = _STEP * max(len(left), len(right))
    top = max(pairs.values())
    lines, marks = [], []
    for (killer, comm), count in sorted(pairs.items(), key=lambda one: one[1]):
        y1 = _STEP * left.index(killer) + _STEP / 2
        y2 = _STEP * right.index(comm) + _STEP / 2
        width = 1.5 + 8 * math.log1p(count) / math.log1p(top)
        lines.append(
            element(
                "line",
                element("title", f"{killer} killed {comm}: {number(count)}"),
                class_="s-killed",
                x1=0,
                x2="100%",
                y1=y1,
                y2=y2,
                stroke_width=f"{width:.1f}",
            )
        )
        marks.append(
            element(
                "text",
                number(count),
                x="72%",
                y=f"{y1 + 0.72 * (y2 - y1) + 4:.1f}",
                text_anchor="middle",
            )
        )
    return element(
        "div",
        _names(left, kills),
        element(
            "svg", joined(lines), joined(marks), class_="pairs", height=height, aria_hidden="true"
        ),
        _names(right, kills),
        class_="kills",
    )


def _names(names: Sequence[str], kills: Sequence[Kills]) -> Markup:
    anchors: dict[str, int] = {}
    for nth, one in enumerate(kills):
        anchors.setdefault(sender(one), nth)
        anchors.setdefault(word(one.comm), nth)
    return element(
        "ul",
        *(element("li", element("a", name, href=f"#kill-{anchors[name]}")) for name in names),
    )


def _table(of: Overview) -> Markup:
    heads = ("Killer", "uid", "Victim", "Signal", "Times", "First", "Last")
    kinds = " n  ntt"
    body = []
    for nth, one in enumerate(of.kills[:_MOST_ROWS]):
        cells = [
            sender(one),
            "" if one.uid is None else str(one.uid),
            word(one.comm),
            one.signal,
            number(one.times),
            local(one.first_ns, of.period.now_ns),
            local(one.last_ns, of.period.now_ns),
        ]
        body.append(row_of(cells, kinds, name=f"kill-{nth}", its_rows=kill_rows(of, one)))
    caption = "Killers and victims"
    return table(caption, heads, body, kinds=kinds, total=len(of.kills), of="pairs")


def kill_rows(of: Overview, one: Kills) -> str:
    """Return the command that gives the rows of kills."""
    conditions: dict[str, str | int | None] = {
        "cause": "killed",
        "cause_sender_comm": one.sender,
        "cause_sender_uid": one.uid,
        "comm": one.comm,
        "signal_name": one.signal,
    }
    return rows.sql(of.period, conditions)
