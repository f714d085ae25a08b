"""When what ran: how many at once, what failed when, and a bar for each process."""

import time
from collections.abc import Sequence

from exitsnoop.model.outcomes import OUTCOMES
from exitsnoop.pages.markup import Markup, element, joined
from exitsnoop.pages.parts import figure, folded, named, row_of, section, table
from exitsnoop.pages.timeline.packing import chosen, rows
from exitsnoop.pages.words import number, place
from exitsnoop.reports.timeline import told
from exitsnoop.reports.timeline.timeline import WELL, Timeline, ended
from exitsnoop.reports.timeline.tree import Process
from exitsnoop.reports.verdicts import brief
from exitsnoop.sinks.escape import word

_BINS = 60
_HIGH, _TICKS, _ROW = 40, 14, 17
_MOST_ROWS = 60
_MOST_LISTED = 100
_NARROWEST = 0.0006
_MOST_TICKS = 800  # places for those that failed
_STEPS_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 900, 1800)
_HOURS_S = (3600, 7200, 10_800, 21_600, 43_200, 86_400)
_MOST_MARKS = 8
_CHARACTER = 6.6 / 720  # of a picture, at the least width that shows names


def drawn(of: Timeline) -> Markup:
    """Return the part of the page."""
    shown = chosen(of)
    placed = rows(shown)
    visible = [one for one in shown if placed[one] < _MOST_ROWS]
    listed = _listed(visible)
    busy = _busy(of)
    ended_ = [one for one in visible if one.exit is not None]
    left = of.counts.ended - len(ended_)
    note = (
        f"{number(left)} more processes are not drawn: they are too short, or there is no room for "
        "them. They are counted above."
    )
    return section(
        "gantt",
        "When what ran",
        figure(
            _lane("at once", f"at most {max(busy):.1f}", _strip(of, busy), _HIGH),
            _lane("failed", number(of.counts.failed), _ticks(of), _TICKS),
            element(
                "div",
                _bars(of, visible, placed, listed),
                class_="bars",
            ),
            element("div", _axis(of), class_="bars"),
            legend=_legend(of, visible),
        ),
        element("p", note, class_="note") if left else None,
        folded("Table: how many ran at once", _busy_table(of, busy)),
        folded(f"Table: {number(len(listed))} of the processes that are drawn", _table(of, listed)),
    )


def _lane(words: str, figure_: str, picture: Markup, height: int) -> Markup:
    return element(
        "div",
        element("p", f"{words}: ", element("b", figure_), class_="over"),
        element("svg", picture, class_="lane", height=height, aria_hidden="true"),
        class_="bars",
    )


def _busy(of: Timeline) -> list[float]:
    """Return how many processes ran at once in each bin: those that had no child then.

    A process with children is taken to wait for them.
    """
    sums = [0.0] * _BINS
    for one in of.tree.ended:
        at_ns = one.begin_ns
        for child in one.below:
            if child.begin_ns > at_ns:
                _add(sums, of.at(at_ns), of.at(child.begin_ns))
            at_ns = max(at_ns, child.end_ns)
        if one.end_ns > at_ns:
            _add(sums, of.at(at_ns), of.at(one.end_ns))
    return sums


def _add(sums: list[float], begin: float, end: float) -> None:
    """Add a stretch, from 0 to 1, to the bins that it is in."""
    begin, end = begin * _BINS, min(end * _BINS, float(_BINS))
    for nth in range(int(begin), min(_BINS, int(end) + 1)):
        sums[nth] += max(0.0, min(end, nth + 1) - max(begin, nth))


def _edges(of: Timeline, nth: int) -> tuple[int, int]:
    whole_ns = of.to_ns - of.from_ns
    return of.from_ns + whole_ns * nth // _BINS, of.from_ns + whole_ns * (nth + 1) // _BINS


def _strip(of: Timeline, busy: Sequence[float]) -> Markup:
    top = max(*busy, 0.01)
    bars = []
    for nth, count in enumerate(busy):
        if not count:
            continue
        high = max(1.0, (_HIGH - 2) * count / top)
        title = f"{told.when(of, _edges(of, nth)[0])}: {count:.1f} at once"
        bars.append(
            element(
                "rect",
                element("title", title),
                class_="well",
                x=place(nth / _BINS),
                width=place(1 / _BINS),
                y=f"{_HIGH - high:.1f}",
                height=f"{high:.1f}",
            )
        )
    return joined((_gaps(of, _HIGH), *bars))


def _gaps(of: Timeline, height: int) -> Markup:
    """Return what was not recorded, hatched."""
    return joined(
        element(
            "rect",
            element("title", "Nobody looked"),
            class_="gap",
            x=place(of.at(gap.from_ns)),
            width=place(of.at(gap.to_ns) - of.at(gap.from_ns)),
            height=height,
            fill="url(#hatch)",
        )
        for gap in of.about.gaps
        if gap.lost is None and of.at(gap.to_ns) > of.at(gap.from_ns)
    )


def _ticks(of: Timeline) -> Markup:
    places = {
        (round(of.at(one.end_ns) * _MOST_TICKS), ended(one))
        for one in of.tree.ended
        if ended(one) != WELL
    }
    return joined(
        element("rect", class_=f"o-{name}", x=place(at / _MOST_TICKS), width=2, height=_TICKS)
        for at, name in sorted(places)
    )


def _bars(
    of: Timeline, visible: Sequence[Process], placed: dict[Process, int], listed: list[Process]
) -> Markup:
    rows_ = {one: nth for nth, one in enumerate(listed)}
    height = _ROW * (1 + max((placed[one] for one in visible), default=0))
    drawn_ = [_bar(of, one, _ROW * placed[one], rows_.get(one)) for one in visible]
    steps = [
        element(
            "rect",
            class_="critical",
            x=place(of.at(step.from_ns)),
            width=place(max(_NARROWEST, of.at(step.to_ns) - of.at(step.from_ns))),
            y=_ROW * placed[step.process] + _ROW - 4,
            height=3,
        )
        for step in of.path
        if placed.get(step.process, _MOST_ROWS) < _MOST_ROWS
        and of.at(step.to_ns) - of.at(step.from_ns) > _NARROWEST / 2
    ]
    kills = [
        element(
            "line",
            class_="s-killed kill",
            x1=place(of.at(one.end_ns)),
            x2=place(of.at(one.end_ns)),
            y1=_ROW * placed[one.killer] + _ROW // 2,
            y2=_ROW * placed[one] + _ROW // 2,
        )
        for one in visible
        if one.killer in placed and placed[one.killer] < _MOST_ROWS
    ]
    return element(
        "svg",
        _gaps(of, height),
        *drawn_,
        *steps,
        *kills,
        class_="gantt",
        height=height,
        aria_hidden="true",
    )


def _bar(of: Timeline, one: Process, y: int, row: int | None) -> Markup:
    begin, end = of.at(one.begin_ns), of.at(one.end_ns)
    outcome = ended(one)
    class_ = "ghost" if not outcome else "well" if outcome == WELL else f"o-{outcome}"
    waits = " waits" if one.below and outcome == WELL else ""
    width = max(_NARROWEST, end - begin)
    bar = element(
        "rect",
        element("title", _title(of, one)),
        class_=f"{class_}{waits}",
        x=place(begin),
        width=place(width),
        y=y,
        height=_ROW - 2,
    )
    name = _fitted(one, width)
    text = element("text", name, class_=f"in {class_}{waits}", x=place(begin), dx=3, y=y + 11)
    both = joined((bar, text if name else None))
    return both if row is None else element("a", both, href=f"#process-{row}", tabindex=-1)


def _fitted(one: Process, width: float) -> str:
    """Return the name of a process, as far as its bar has room."""
    name = word(one.comm or "?")
    room = int(width / _CHARACTER) - 1
    if len(name) <= room:
        return name
    return f"{name[: room - 1]}\u2026" if room >= 4 else ""


def _title(of: Timeline, one: Process) -> str:
    if one.exit is None:
        return f"{told.named(one)}: it still ran, or its end was not recorded"
    began = "before that" if one.begin_ns < of.from_ns else f"at {told.when(of, one.begin_ns)}"
    words = f"{told.named(one)}: {brief(one.exit)}; began {began}, {told.took(one.lived_ns)}"
    arguments = told.args(one, 120)
    return f"{words}\n{arguments}" if arguments else words


def _legend(of: Timeline, visible: Sequence[Process]) -> list[Markup | str]:
    present = {ended(one) for one in of.tree.ended}
    words: list[Markup | str] = [
        joined((named(one.name), " ")) for one in OUTCOMES if one.name in present
    ]
    said = "Gray ended well, fainter if it had children. The line is the critical path. "
    if any(one.exit is None for one in visible):
        said += "Dashed: still ran, or its end was not recorded. "
    if any(gap.lost is None for gap in of.about.gaps):
        said += "Hatched: nobody looked. "
    words.append(said + "A child is below its parent.")
    return words


def _axis(of: Timeline) -> Markup:
    whole_s = (of.to_ns - of.from_ns) / 1e9
    step_s = next(
        (step for step in (*_STEPS_S, *_HOURS_S) if whole_s / step <= _MOST_MARKS),
        -(-whole_s // (_MOST_MARKS * 86_400)) * 86_400,
    )
    marks = []
    for at_s, text in _marks(of, step_s):
        at = at_s / whole_s
        anchor = "start" if at < 0.02 else "end" if at > 0.97 else "middle"
        marks.append(element("line", x1=place(at), x2=place(at), y1=0, y2=4))
        marks.append(element("text", text, x=place(at), y=15, text_anchor=anchor))
    return element("svg", *marks, class_="axis", height=19, aria_hidden="true")


def _marks(of: Timeline, step_s: float) -> list[tuple[float, str]]:
    """Return where round times are, in seconds from the begin, and what to call them."""
    whole_s = (of.to_ns - of.from_ns) / 1e9
    if of.about.command is not None:
        count = int(whole_s / step_s + 1e-9)
        return [(nth * step_s, _elapsed(nth * step_s)) for nth in range(count + 1)]
    begin_s = of.from_ns / 1e9
    ahead_s = time.localtime(int(begin_s)).tm_gmtoff
    first = -(-(begin_s + ahead_s) // step_s) * step_s - ahead_s
    form = "%a %d" if step_s >= 86_400 else "%H:%M" if step_s >= 60 else "%H:%M:%S"
    found: list[tuple[float, str]] = []
    while first <= begin_s + whole_s and len(found) <= _MOST_MARKS + 1:
        text = time.strftime(form, time.localtime(first))
        if step_s < 1:
            text += f"{first % 1:.2f}"[1:]
        found.append((first - begin_s, text))
        first += step_s
    return found


def _elapsed(at_s: float) -> str:
    if at_s < 120:
        return f"{at_s:g} s"
    return f"{at_s / 60:g} min" if at_s < 7200 else f"{at_s / 3600:g} h"


def _busy_table(of: Timeline, busy: Sequence[float]) -> Markup:
    body = [
        [told.when(of, _edges(of, nth)[0]), told.when(of, _edges(of, nth)[1]), f"{count:.1f}"]
        for nth, count in enumerate(busy)
    ]
    return table("How many ran at once", ("From", "To", "At once"), body, kinds=" nn")


def _listed(visible: Sequence[Process]) -> list[Process]:
    """Return the processes of the table, by their start: those that failed, and the longest."""
    some = [one for one in visible if one.exit is not None]
    some.sort(key=lambda one: (ended(one) == WELL, -one.lived_ns))
    return sorted(some[:_MOST_LISTED], key=lambda one: one.begin_ns)


def _table(of: Timeline, listed: Sequence[Process]) -> Markup:
    heads = ("Process", "Began", "Took", "CPU", "Memory", "How it ended", "Parent", "Arguments")
    kinds = " nnnn   "
    body = [
        row_of(
            [
                told.named(one),
                "before" if one.begin_ns < of.from_ns else told.when(of, one.begin_ns),
                told.took(one.lived_ns),
                told.cpu(one),
                told.memory(one),
                told.how(one),
                told.named(one.above) if one.above else "",
                element("code", told.args(one)),
            ],
            kinds,
            name=f"process-{nth}",
        )
        for nth, one in enumerate(listed)
    ]
    return table("Processes", heads, body, kinds=kinds)
