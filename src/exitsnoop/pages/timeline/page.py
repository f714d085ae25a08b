"""The page of a time line: what failed, what it waited for, when what ran, where the time went."""

import time

from exitsnoop.pages.document import contents, document
from exitsnoop.pages.markup import Markup, element, joined
from exitsnoop.pages.parts import figures
from exitsnoop.pages.timeline import failed, gantt, icicle, path
from exitsnoop.pages.words import number, share
from exitsnoop.reports.timeline import told
from exitsnoop.reports.timeline.timeline import Timeline
from exitsnoop.reports.when import local
from exitsnoop.sinks.escape import escape

_PARTS = {
    "gantt": "When what ran",
    "failed": failed.TITLE,
    "path": path.TITLE,
    "cpu": icicle.TITLE,
}


def page(of: Timeline, version: str) -> str:
    """Return the page."""
    title = _title(of)
    made = local(of.about.now_ns, of.about.now_ns)
    return document(
        title,
        "gantt",
        _header(of, title),
        element(
            "main",
            element("ul", *_findings(of), class_="findings", id="missing"),
            _figures(of),
            contents(_PARTS),
            gantt.drawn(of),
            failed.drawn(of),
            path.drawn(of),
            icicle.drawn(of),
        ),
        element("footer", f"Made by exitsnoop {version} at {made}."),
    )


def _title(of: Timeline) -> str:
    title = escape(of.about.title, spaces=False)
    title = f"{title[:80]}..." if len(title) > 80 else title
    return title if of.about.command is not None else f"{title}: when its processes ran"


def _header(of: Timeline, title: str) -> Markup:
    now_ns = of.about.now_ns
    line = (
        f"From {local(of.from_ns, now_ns)} to {local(of.to_ns, now_ns)}, "
        f"{told.took(of.to_ns - of.from_ns)}. Times are local, {time.strftime('%Z (UTC%z)')}."
    )
    return element("header", element("h1", title), element("p", line))


def _findings(of: Timeline) -> list[Markup]:
    said = [
        ("now", "Failed:", told.failures(of), "failed"),
        ("new", "Critical path:", told.critical(of), "path"),
    ]
    found = [
        element(
            "li",
            element("b", name),
            joined((text, " ", element("a", "Show", href=f"#{part}"))),
            class_=class_,
        )
        for class_, name, text, part in said
        if text
    ]
    found += [
        element("li", element("b", "Not known:"), text, class_="missing")
        for text in told.missing(of)
    ]
    return found


def _figures(of: Timeline) -> Markup:
    counts = of.counts
    spent = [told.cpu_s(one) for one in of.tree.ended]
    known = [seconds for seconds in spent if seconds is not None]
    whole_ns = of.to_ns - of.from_ns
    cpus = f"{sum(known) * 1e9 / whole_ns:.1f} CPUs on average"
    shown = [
        ("took", told.took(whole_ns), "", "gantt"),
        ("processes", number(counts.ended), "", "gantt"),
        ("failed", number(counts.failed), share(counts.failed, counts.ended), "failed"),
    ]
    if known:
        shown.append(("CPU time", told.took(round(sum(known) * 1e9)), cpus, "cpu"))
    if of.path:
        longest = max(of.path, key=lambda step: step.took_ns)
        note = told.named(longest.process)
        shown.append(("longest step", told.took(longest.took_ns), note, "path"))
    return figures(shown)
