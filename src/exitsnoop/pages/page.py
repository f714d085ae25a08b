"""The page of a report: one HTML file that needs nothing else, and may do nothing else."""

import time

from exitsnoop.host.clock import SECOND_NS
from exitsnoop.model.outcomes import outcome
from exitsnoop.pages import failing, heat, killers, lanes, last, lifetimes, memory, usage
from exitsnoop.pages.axis import Axis
from exitsnoop.pages.document import contents, document
from exitsnoop.pages.markup import Markup, element, joined
from exitsnoop.pages.parts import WORDS, figures
from exitsnoop.pages.words import number, share
from exitsnoop.reports.overview import headline
from exitsnoop.reports.overview.before import Before
from exitsnoop.reports.overview.gather import Overview
from exitsnoop.reports.overview.headline import Finding
from exitsnoop.reports.when import length, local
from exitsnoop.sinks.escape import escape

_PARTS = {
    "causes": "By cause over time",
    "loops": "Crash loops",
    "ways": "What fails most",
    "crashes": "Crashes",
    "oom": "OOM kills",
    "kills": "Killers and victims",
    "lives": "Lifetimes",
    "used": "Memory and CPU",
    "last": "The last deaths",
}
_ABOUT = {"now": "Now:", "new": "New:", "missing": "Not recorded:"}


def page(of: Overview, version: str) -> str:
    """Return the page."""
    axis = Axis(of)
    host = escape(of.boots[-1].hostname or "?", spaces=False) if of.boots else "?"
    title = f"{host}: how its processes ended"
    return document(
        title,
        "causes",
        _header(of, title),
        element(
            "main",
            element("ul", *map(_finding, headline.findings(of)), class_="findings", id="missing"),
            _figures(of),
            contents(_PARTS),
            heat.drawn(of, axis),
            lanes.drawn(of, axis),
            failing.ways(of),
            failing.crashes(of),
            memory.drawn(of),
            killers.drawn(of),
            lifetimes.drawn(of),
            usage.drawn(of),
            last.drawn(of),
        ),
        element("footer", _about(of, version)),
    )


def _header(of: Overview, title: str) -> Markup:
    period = of.period
    lines = [
        f"From {local(period.from_ns, period.now_ns)} to {local(period.to_ns, period.now_ns)} "
        f"({headline.span(period)}). Times are local, {time.strftime('%Z (UTC%z)')}."
    ]
    if of.boots:
        boot = of.boots[-1]
        began = sum(period.from_ns <= one.began_ns < period.to_ns for one in of.boots)
        rebooted = f", booted {headline.times(began)} in that time" if began else ""
        lines.append(f"Linux {escape(boot.kernel or '?', spaces=False)}{rebooted}.")
    return element("header", element("h1", title), *(element("p", line) for line in lines))


def _finding(one: Finding) -> Markup:
    text: str | Markup = one.text
    if one.about != "missing":
        text = joined((one.text, " ", element("a", "Show", href=f"#{one.part}")))
    return element("li", element("b", _ABOUT[one.about]), text, class_=one.about)


def _figures(of: Overview) -> Markup:
    """Return the figures that are most asked for."""
    counts: dict[str, int] = {}
    for tally in of.tallies:
        name = outcome(tally.cause).name
        counts[name] = counts.get(name, 0) + tally.times
    exits, failed, before = sum(of.exits), of.failed, of.before
    period = of.period
    ago = length(period.from_ns - period.against_ns)
    seen = heat.unseen(of)
    widths = [end - begin for begin, end in map(period.edges, range(period.bins))]
    lost_ns = sum(part * width for part, width in zip(seen, widths, strict=True))
    lost = round(lost_ns / SECOND_NS) * SECOND_NS
    shown = [
        ("ended", number(exits), _then(before, before.exits, ago), "causes"),
        (
            "failed",
            number(failed),
            f"{share(failed, exits)}; {_then(before, before.failed, ago)}",
            "ways",
        ),
        *(
            (WORDS[name], number(counts.get(name, 0)), "", part)
            for name, part in (("crash", "crashes"), ("oom", "oom"), ("killed", "kills"))
        ),
        ("crash loops", number(len(of.loops)), "", "loops"),
        ("not recorded", length(lost) if lost else "nothing", "", "missing"),
    ]
    return figures(shown)


def _then(before: Before, count: int, ago: str) -> str:
    if not before.is_known:
        return f"nobody looked in the {ago} before"
    return f"{number(count)} in the {ago} before"


def _about(of: Overview, version: str) -> str:
    made = local(of.period.now_ns, of.period.now_ns)
    return f"Made by exitsnoop {version} at {made}. Commands read this machine's recording."
