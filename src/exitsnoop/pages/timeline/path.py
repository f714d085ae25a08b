"""The critical path: one lane, and its longest steps."""

from collections.abc import Sequence
from itertools import groupby

from exitsnoop.pages.markup import Markup, element
from exitsnoop.pages.parts import bar, figure, folded, row_of, section, table
from exitsnoop.pages.words import number, place
from exitsnoop.reports.timeline import told
from exitsnoop.reports.timeline.critical import Step, own_times
from exitsnoop.reports.timeline.timeline import WELL, Timeline, ended
from exitsnoop.reports.timeline.tree import Process
from exitsnoop.sinks.escape import word

TITLE = "The critical path"
_MOST_ROWS, _MOST_PROGRAMS = 40, 15
_HEIGHT = 22
_SHORT = 0.002  # of all
_CHARACTER = 6.6 / 720  # of a picture, at the least width that shows names


def drawn(of: Timeline) -> Markup:
    """Return the part of the page."""
    top = of.top
    if not top or not of.path:
        return section("path", TITLE, element("p", "No process ended, so there is none."))
    words = (
        f"What {told.named(top)} waited for, from its end back to its start: the child that "
        "ended last, what that child waited for, and so on. All of it gets faster only if one of "
        "these steps does."
    )
    steps = sorted(of.path, key=lambda step: -step.took_ns)[:_MOST_ROWS]
    steps.sort(key=lambda step: step.from_ns)
    return section(
        "path",
        TITLE,
        element("p", words, class_="note"),
        figure(_lane(top, of.path)),
        _programs(top, of.path),
        folded(f"Table: the {number(len(steps))} longest steps", _table(of, top, steps)),
    )


def _lane(top: Process, path: Sequence[Step]) -> Markup:
    """Return a box for each step; short ones that follow each other have one together."""
    whole_ns = max(1, top.lived_ns)
    found = []
    for is_short, run in groupby(path, lambda step: step.took_ns < _SHORT * whole_ns):
        some = [*run]
        if is_short:
            title = f"{number(len(some))} short steps: {told.took(sum(s.took_ns for s in some))}"
            at = some[0].from_ns, some[-1].to_ns
            found.append(_box(top, *at, "well waits", title))
            continue
        for step in some:
            outcome = ended(step.process)
            class_ = "well" if outcome == WELL else f"o-{outcome}"
            title = f"{told.named(step.process)}: {told.took(step.took_ns)} of it"
            found.append(_box(top, step.from_ns, step.to_ns, class_, title))
            name = word(step.process.comm or "?")
            if len(name) < step.took_ns / whole_ns / _CHARACTER:
                at_ns = step.from_ns - top.begin_ns
                x = place(at_ns / whole_ns)
                found.append(element("text", name, class_=f"in {class_}", x=x, dx=3, y=14))
    return element("svg", *found, class_="lane", height=_HEIGHT, aria_hidden="true")


def _box(top: Process, from_ns: int, to_ns: int, class_: str, title: str) -> Markup:
    whole_ns = max(1, top.lived_ns)
    return element(
        "rect",
        element("title", title),
        class_=f"{class_} step",
        x=place((from_ns - top.begin_ns) / whole_ns),
        width=place((to_ns - from_ns) / whole_ns),
        height=_HEIGHT - 2,
    )


def _programs(top: Process, path: Sequence[Step]) -> Markup:
    whole_ns = max(1, top.lived_ns)
    steps: dict[str, int] = {}
    for step in path:
        name = step.process.comm or ""
        steps[name] = steps.get(name, 0) + 1
    times = own_times(path)
    body = [
        row_of(
            [
                word(name),
                number(steps[name]),
                told.took(ns),
                f"{100 * ns / whole_ns:.1f} %",
                bar(ns / whole_ns, "well"),
            ],
            " nnn ",
        )
        for name, ns in [*times.items()][:_MOST_PROGRAMS]
    ]
    heads = ("Program", "Steps", "Took", "Of all", "")
    caption = "Programs on the critical path"
    return table(caption, heads, body, kinds=" nnn ", total=len(times), of="programs")


def _table(of: Timeline, top: Process, steps: Sequence[Step]) -> Markup:
    whole_ns = max(1, top.lived_ns)
    heads = ("Process", "From", "Took", "Of all", "CPU", "How it ended", "Arguments")
    body = [
        [
            told.named(step.process),
            told.when(of, step.from_ns),
            told.took(step.took_ns),
            f"{100 * step.took_ns / whole_ns:.1f} %",
            told.cpu(step.process),
            told.how(step.process),
            element("code", told.args(step.process)),
        ]
        for step in steps
    ]
    caption = "The longest steps, in the order of time"
    return table(caption, heads, body, kinds=" nnnn  ", total=len(of.path), of="steps")
