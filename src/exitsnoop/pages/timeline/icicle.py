"""Where the CPU time went: programs below the programs that started them."""

from collections.abc import Iterator
from itertools import islice

from exitsnoop.pages.markup import Markup, element, joined
from exitsnoop.pages.parts import figure, folded, section, table
from exitsnoop.pages.words import number, place
from exitsnoop.reports.timeline import told
from exitsnoop.reports.timeline.timeline import WELL, Timeline, ended
from exitsnoop.reports.timeline.tree import Process
from exitsnoop.sinks.escape import word

TITLE = "Where the CPU time went"
_ROW = 22
_DEEPEST = 14
_NARROWEST = 0.002
_MOST_BOXES, _MOST_ROWS = 400, 60
_CHARACTER = 6.6 / 720  # of a picture, at the least width that shows names


class Node:
    """Processes with the same name, below others with the same names.

    Attributes:
        name: of the program.
        processes: how many.
        failed: how many of them failed.
        own_s: their CPU time.
        all_s: with that of all below them.
        below: what was below them, by name.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.processes = self.failed = 0
        self.own_s = self.all_s = 0.0
        self.below: dict[str, Node] = {}


def nodes(of: Timeline) -> Node:
    """Return what is above all programs; deeper ones count for those at the last level."""
    top = Node("")
    where: dict[Process, tuple[Node, int]] = {}
    for one in of.tree.ended:  # a parent comes before its children
        above, depth = where.get(one.above, (top, 0)) if one.above else (top, 0)
        node = above
        if depth < _DEEPEST:
            node = above.below.setdefault(one.comm or "", Node(one.comm or ""))
        where[one] = (node, depth + (node is not above))
        node.processes += 1
        node.failed += ended(one) != WELL
        node.own_s += told.cpu_s(one) or 0.0
    _sum(top)
    return top


def _sum(node: Node) -> float:
    node.all_s = node.own_s + sum(map(_sum, node.below.values()))
    return node.all_s


def drawn(of: Timeline) -> Markup:
    """Return the part of the page."""
    top = nodes(of)
    if not top.all_s:
        return section("cpu", TITLE, element("p", "The CPU times are not known."))
    boxes = [*islice(_boxes(top, top.all_s), _MOST_BOXES)]
    height = _ROW * (1 + max((depth for _, depth, _ in boxes), default=0))
    words = (
        "A box is a program, below the one that started it; processes with the same names are one. "
        "The wider, the more CPU time it and all below it took. Where there is no box below it, "
        "the time is its own."
    )
    listed = sorted(_paths(top, ()), key=lambda one: -one[1].all_s)
    return section(
        "cpu",
        TITLE,
        element("p", words, class_="note"),
        figure(
            element(
                "svg",
                *(_box(node, depth, at, top.all_s) for node, depth, at in boxes),
                class_="icicle",
                height=height,
                aria_hidden="true",
            )
        ),
        folded("Table: programs and their CPU time", _table(listed, top.all_s)),
    )


def _boxes(top: Node, whole_s: float) -> Iterator[tuple[Node, int, float]]:
    """Return boxes with their depth and place, the shallow ones first."""
    level = [(top, 0.0)]
    for depth in range(_DEEPEST):
        following = []
        for node, at in level:
            x = at
            for below in sorted(node.below.values(), key=lambda one: -one.all_s):
                if below.all_s / whole_s >= _NARROWEST:
                    yield below, depth, x
                    following.append((below, x))
                x += below.all_s / whole_s
        level = following


def _box(node: Node, depth: int, at: float, whole_s: float) -> Markup:
    width = node.all_s / whole_s
    name = word(node.name)
    count = f" \u00d7{number(node.processes)}" if node.processes > 1 else ""
    room = int(width / _CHARACTER) - 1
    label = next((one for one in (name + count, name) if len(one) <= room), "")
    failed = f", {number(node.failed)} failed" if node.failed else ""
    title = (
        f"{name}{count}{failed}: {told.took(round(node.all_s * 1e9))} of CPU time with all below, "
        f"{told.took(round(node.own_s * 1e9))} without"
    )
    rect = element(
        "rect",
        element("title", title),
        class_=f"box depth-{depth % 2}",
        x=place(at),
        width=place(width),
        y=depth * _ROW,
        height=_ROW - 1,
    )
    text = element("text", label, class_="in box", x=place(at), dx=3, y=depth * _ROW + 15)
    return joined((rect, text if label else None))


def _paths(node: Node, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Node]]:
    for below in node.below.values():
        names = (*above, word(below.name))
        yield names, below
        yield from _paths(below, names)


def _table(listed: list[tuple[tuple[str, ...], Node]], whole_s: float) -> Markup:
    heads = ("Program", "Below", "Processes", "Failed", "CPU with all below", "Of all", "Its own")
    body = [
        [
            names[-1],
            " > ".join(names[:-1]),
            number(node.processes),
            number(node.failed) if node.failed else "",
            told.took(round(node.all_s * 1e9)),
            f"{100 * node.all_s / whole_s:.1f} %",
            told.took(round(node.own_s * 1e9)),
        ]
        for names, node in listed[:_MOST_ROWS]
    ]
    caption = "Programs and their CPU time"
    kinds = "  nnnnn"
    return table(caption, heads, body, kinds=kinds, total=len(listed), of="programs")
