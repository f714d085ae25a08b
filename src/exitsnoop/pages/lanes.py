"""Crash loops: a lane a program, a tick a death; and the latest loop of each, looked at closely."""

from collections import defaultdict
from collections.abc import Sequence
from statistics import median

from exitsnoop.host.clock import SECOND_NS
from exitsnoop.model.outcomes import outcome
from exitsnoop.pages.axis import Axis
from exitsnoop.pages.markup import Markup, element, joined
from exitsnoop.pages.parts import figure, folded, how, more, row_of, rows_of, section, table
from exitsnoop.pages.words import number, place, seconds
from exitsnoop.reports.loops import Ended
from exitsnoop.reports.overview import rows
from exitsnoop.reports.overview.failures import Looping, Tally
from exitsnoop.reports.overview.gather import Overview
from exitsnoop.reports.overview.headline import label, state
from exitsnoop.reports.overview.whose import Whose
from exitsnoop.reports.verdicts import mostly
from exitsnoop.reports.when import local, span

_MOST_LANES = 10
_MOST_ROWS = 30
_MOST_TICKS = 240
_HEIGHT = 18


def drawn(of: Overview, axis: Axis) -> Markup:
    """Return the part of the page."""
    if not of.loops:
        return section("loops", "Crash loops", element("p", "No crash loop was seen."))
    latest: dict[Whose, Looping] = {}
    for one in of.loops:
        latest.setdefault(one.whose, one)
    ticks: dict[Whose, list[Tally]] = defaultdict(list)
    for tally in of.tallies:
        ticks[tally.whose].append(tally)
    shown = [*latest.values()][:_MOST_LANES]
    lanes = [_lane(of, axis, nth, one, ticks[one.whose]) for nth, one in enumerate(shown)]
    period = of.period
    return section(
        "loops",
        "Crash loops",
        figure(
            *lanes,
            labels=axis.labels(),
            legend=(
                "Above: each death in the whole time. Below it: the latest loop alone, as wide as "
                "the picture. A bar is a run, a tick its death, a space the wait for a new start.",
            ),
        ),
        more(len(shown), len(latest), "programs in loops"),
        rows_of(rows.past(period.from_ns, period.to_ns, of=shown[0].whose)),
        folded("Table: every loop", _table(of)),
    )


def _lane(of: Overview, axis: Axis, nth: int, one: Looping, tallies: Sequence[Tally]) -> Markup:
    period, loop = of.period, one.loop
    marks = [
        element(
            "rect",
            class_=f"o-{outcome(tally.cause).name}",
            x=axis.x(tally.first_ns),
            width=2,
            height=_HEIGHT,
        )
        for tally in _thinned(tallies)
    ]
    every = seconds(loop.every_s)
    words = (
        f"{number(loop.deaths)} deaths {span(loop.from_ns, loop.to_ns, period.now_ns)}, one every "
        f"{every}; {mostly(loop)}; {state(of, one) or 'it ended'}"
    )
    return joined(
        (
            element(
                "div",
                element("a", label(one.whose), href=f"#loop-{nth}", class_="label"),
                axis.lane(_HEIGHT, *marks),
                class_="row",
            ),
            element(
                "div",
                element("span"),
                element("div", _close(one.deaths), element("p", words, class_="note")),
                class_="row close",
            ),
        )
    )


def _thinned(tallies: Sequence[Tally]) -> list[Tally]:
    """Return one tally for each place and outcome."""
    return [*{(one.part, outcome(one.cause).name): one for one in tallies}.values()]


def _close(deaths: Sequence[Ended]) -> Markup:
    """Return the runs and deaths of a loop, from its first start to its last death."""
    step = -(-len(deaths) // _MOST_TICKS)
    shown = deaths[::step]
    begin_ns = min(one.wall_ns - one.lived_ns for one in shown)
    whole_ns = max(1, shown[-1].wall_ns - begin_ns) * 1.01
    runs, ticks = [], []
    for one in shown:
        started = (one.wall_ns - one.lived_ns - begin_ns) / whole_ns
        died = (one.wall_ns - begin_ns) / whole_ns
        runs.append(
            element(
                "rect", class_="run", x=place(started), width=place(died - started), y=6, height=6
            )
        )
        ticks.append(
            element(
                "rect",
                class_=f"o-{outcome(one.cause).name}",
                x=place(died),
                width=2,
                height=_HEIGHT,
            )
        )
    return element(
        "svg", joined(runs), joined(ticks), class_="lane", height=_HEIGHT, aria_hidden="true"
    )


def _table(of: Overview) -> Markup:
    first = {one.whose: nth for nth, one in reversed([*enumerate(of.loops)])}
    anchors: dict[int, str] = {}
    for nth, at in enumerate(sorted(first.values())):
        anchors[at] = f"loop-{nth}"
    heads = ("Program", "From", "To", "Deaths", "One every", "Median life", "Most often")
    kinds = " ttnnn "
    now_ns = of.period.now_ns
    body = []
    for at, one in enumerate(of.loops[:_MOST_ROWS]):
        loop = one.loop
        cells = [
            label(one.whose),
            local(loop.from_ns, now_ns),
            ", ".join(filter(None, (local(loop.to_ns, now_ns), state(of, one)))),
            number(loop.deaths),
            seconds(loop.every_s),
            seconds(median(death.lived_ns for death in one.deaths) / SECOND_NS),
            how(loop.cause, loop.status),
        ]
        its_rows = rows.past(loop.from_ns, loop.to_ns, of=one.whose)
        body.append(row_of(cells, kinds, name=anchors.get(at), its_rows=its_rows))
    caption = "Crash loops, the latest first"
    return table(caption, heads, body, kinds=kinds, total=len(of.loops), of="loops")
