"""What failed: first those that failed by themselves, each with what failed after it."""

from exitsnoop.pages.markup import Markup, element, joined
from exitsnoop.pages.parts import row_of, section, swatch, table
from exitsnoop.reports.timeline import told
from exitsnoop.reports.timeline.timeline import Timeline, ended, failed_with

TITLE = "What failed"
_MOST_ROWS = 50
_MOST_ABOVE = 4


def drawn(of: Timeline) -> Markup:
    """Return the part of the page."""
    if not of.failures:
        return section("failed", TITLE, element("p", "Nothing failed."))
    heads = ("Process", "When", "How", "Took", "Failed after it", "Arguments")
    kinds = " n n  "
    body = []
    for one in of.failures[:_MOST_ROWS]:
        above = failed_with(one)
        names = [f"{told.named(each)} ({told.how(each)})" for each in above[:_MOST_ABOVE]]
        if len(above) > _MOST_ABOVE:
            names.append(f"{len(above) - _MOST_ABOVE} more")
        cells = [
            told.named(one),
            told.when(of, one.end_ns),
            joined((swatch(ended(one)), told.how(one))),
            told.took(one.lived_ns),
            ", ".join(names),
            element("code", told.args(one)),
        ]
        body.append(row_of(cells, kinds))
    words = "In the order of time. Processes above that failed, too, are named with the first."
    return section(
        "failed",
        TITLE,
        element("p", words, class_="note"),
        table(TITLE, heads, body, kinds=kinds, total=len(of.failures), of="failures"),
    )
