"""What the parts of a page are made of: sections, tables, commands, swatches, small bars."""

from collections.abc import Iterable, Sequence

from exitsnoop.model.outcomes import OUTCOMES, outcome
from exitsnoop.pages.markup import Markup, element, joined
from exitsnoop.pages.words import number, place
from exitsnoop.reports.verdicts import ends_in_words

WORDS = {one.name: one.words for one in OUTCOMES}


def section(name: str, title: str, *children: str | None) -> Markup:
    """Return a part of the page, with a heading that can be linked to."""
    heading = element("h2", element("a", title, href=f"#{name}"))
    return element("section", heading, *children, id=name, aria_label=title)


def command(text: str) -> Markup:
    """Return a command to copy."""
    return element("code", text, class_="command")


def rows_of(text: str) -> Markup:
    """Return the line that says how to get the rows of a figure."""
    return element("p", command(text), class_="rows")


def figures(shown: Iterable[tuple[str, str, str, str]]) -> Markup:
    """Return the figures that are most asked for.

    Each has its title, the figure, a note ("" for none), and the name of the part that shows more.
    """
    return element(
        "dl",
        *(
            element(
                "div",
                element("dt", element("a", words, href=f"#{part}")),
                element("dd", figure, element("small", note) if note else None),
            )
            for words, figure, note, part in shown
        ),
        class_="figures",
    )


def figure(*lanes: str | None, labels: Markup | None = None, legend: Sequence[str] = ()) -> Markup:
    """Return a picture.

    Args:
        lanes: what is drawn, from top to bottom; None is left out.
        labels: of the axis below.
        legend: what is said below that: Markup, or text.
    """
    axis = None if labels is None else element("div", element("span"), labels, class_="row")
    said = element("figcaption", *legend, class_="legend") if legend else None
    return element("figure", *lanes, axis, said)


def table(
    caption: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[str | None]],
    *,
    kinds: str,
    total: int = 0,
    of: str = "",
) -> Markup:
    """Return a table, and below it how many rows it leaves out.

    Args:
        caption: what it shows, for readers of the table alone.
        heads: the titles of the columns.
        rows: the cells; the first of each row is its title. A row that is Markup is taken as it is.
        kinds: of each column: "n" if it has numbers, "t" if it has times, else " ".
        total: how many rows there are; by default, those that are given.
        of: what they are, such as "loops".
    """
    head = element(
        "tr",
        *(
            element("th", text, scope="col", class_=_class(kind))
            for text, kind in zip(heads, kinds, strict=True)
        ),
    )
    body = [row if isinstance(row, Markup) else row_of(row, kinds) for row in rows]
    shown = element(
        "div",
        element(
            "table",
            element("caption", caption),
            element("thead", head),
            element("tbody", *body),
        ),
        class_="scroll",
        tabindex=0,
        role="region",
        aria_label=caption,
    )
    return joined((shown, more(len(body), total, of)))


def row_of(
    cells: Sequence[str | None],
    kinds: str,
    *,
    name: str | None = None,
    its_rows: str | None = None,
) -> Markup:
    """Return a row of a table.

    Args:
        cells: the first is the title of the row.
        kinds: as of table().
        name: its anchor.
        its_rows: the command that gives its rows, which is shown below it.
    """
    first, *rest = cells
    row = element(
        "tr",
        element("th", first, scope="row", class_=_class(kinds[0])),
        *(
            element("td", cell, class_=_class(kind))
            for cell, kind in zip(rest, kinds[1:], strict=True)
        ),
        id=name,
        class_="above" if its_rows else None,
    )
    if its_rows is None:
        return row
    below = element("td", command(its_rows), colspan=len(cells), class_="commands")
    return joined((row, element("tr", below)))


def _class(kind: str) -> str | None:
    return {"n": "number", "t": "time"}.get(kind)


def folded(title: str, *children: str | None, name: str | None = None) -> Markup:
    """Return something that opens on request."""
    return element("details", element("summary", title), *children, id=name)


def swatch(outcome: str) -> Markup:
    """Return a spot in the color of an outcome, before its words."""
    spot = element("rect", class_=f"o-{outcome}", width=10, height=10, rx=2)
    return element("svg", spot, class_="swatch", width=10, height=10, aria_hidden="true")


def named(outcome: str) -> Markup:
    """Return an outcome: its color and its words."""
    return element("span", swatch(outcome), WORDS[outcome], class_="named")


def how(cause: str, status: int) -> Markup:
    """Return how processes ended: the color of the outcome, and the end in words."""
    spot = swatch(outcome(cause).name)
    return element("span", spot, ends_in_words(cause, status), class_="named")


def bar(part: float, class_: str) -> Markup:
    """Return a bar that fills a part of its cell, from 0 to 1."""
    drawn = element("rect", class_=class_, width=place(max(0.004, part)), height=8, y=1, rx=1)
    return element("svg", drawn, class_="bar", height=10, aria_hidden="true")


def spark(parts: dict[int, int], bins: int, part_of: int, outcome: str) -> Markup:
    """Return small bars over the period.

    Args:
        parts: how many there are in each part of a bin.
        bins: how many bins there are.
        part_of: how many parts a bin has.
        outcome: gives the color.
    """
    counts: dict[int, int] = {}
    for part, count in parts.items():
        nth = min(max(0, part // part_of), bins - 1)
        counts[nth] = counts.get(nth, 0) + count
    top = max(counts.values(), default=1)
    drawn = [
        element(
            "rect",
            x=place(nth / bins),
            width=place(0.9 / bins),
            y=16 - max(2, round(16 * count / top)),
            height=max(2, round(16 * count / top)),
            class_=f"o-{outcome}",
        )
        for nth, count in sorted(counts.items())
    ]
    return element("svg", joined(drawn), class_="spark", height=16, aria_hidden="true")


def more(shown: int, total: int, of: str) -> Markup | None:
    """Return how many are not shown; None if all are."""
    if shown >= total:
        return None
    return element("p", f"{number(total - shown)} more {of} are not shown.", class_="note")
