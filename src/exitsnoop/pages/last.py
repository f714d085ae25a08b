"""The last deaths in full, each with its why."""

from exitsnoop.model.derived import timestamps
from exitsnoop.model.outcomes import outcome
from exitsnoop.pages.markup import Markup, element
from exitsnoop.pages.parts import command, section, swatch
from exitsnoop.pages.words import number
from exitsnoop.reports.overview import rows
from exitsnoop.reports.overview.gather import Overview
from exitsnoop.reports.overview.latest import Told
from exitsnoop.reports.verdicts import brief, name
from exitsnoop.reports.when import local


def drawn(of: Overview) -> Markup:
    """Return the part of the page."""
    count = len(of.latest)
    if not count:
        return section("last", "The last deaths", element("p", "Nothing failed."))
    title = "The last death" if count == 1 else f"The last {number(count)} deaths"
    return section(
        "last",
        title,
        element("ol", *(_death(of, one) for one in of.latest), class_="deaths"),
    )


def _death(of: Overview, one: Told) -> Markup:
    exit_ = one.exit
    kind = outcome(exit_.cause.kind if exit_.cause else "").name
    summary = element(
        "summary",
        element(
            "time", local(exit_.wall_ns, of.period.now_ns), datetime=timestamps([exit_.wall_ns])[0]
        ),
        " ",
        swatch(kind),
        element("b", name(exit_)),
        f" {brief(exit_)}",
    )
    return element(
        "li",
        element(
            "details",
            summary,
            element("pre", one.text),
            element("p", command(rows.why(exit_.pid, exit_.wall_ns)), class_="rows"),
        ),
    )
