"""OOM kills against their limits: what filled each limit when it was hit the last time."""

from exitsnoop.model.words import human_bytes
from exitsnoop.pages.markup import Markup, element, joined
from exitsnoop.pages.parts import figure, folded, more, row_of, rows_of, section, table
from exitsnoop.pages.words import number, place
from exitsnoop.reports.overview import rows
from exitsnoop.reports.overview.evidence import Full
from exitsnoop.reports.overview.gather import Overview
from exitsnoop.reports.when import local
from exitsnoop.sinks.escape import escape, word

_MOST_BARS = 10
_MOST_ROWS = 40
_HEIGHT = 18
PARTS = ("the victim's own", "other processes", "files", "shared", "the kernel", "not known")
"""What can fill a limit."""


def drawn(of: Overview) -> Markup:
    """Return the part of the page."""
    if not of.full:
        words = "Nothing was killed for lack of memory."
        return section("oom", "OOM kills against their limits", element("p", words))
    period = of.period
    shown = of.full[:_MOST_BARS]
    legend = [
        element(
            "span",
            element(
                "svg",
                element("rect", class_=f"fill-{nth}", width=10, height=10, rx=2),
                class_="swatch",
                width=10,
                height=10,
                aria_hidden="true",
            ),
            words,
        )
        for nth, words in enumerate(PARTS)
    ]
    return section(
        "oom",
        "OOM kills against their limits",
        figure(
            *(_bar(nth, one) for nth, one in enumerate(shown)),
            legend=("At the last kill, of the limit: ", *legend),
        ),
        more(len(shown), len(of.full), "limits"),
        rows_of(rows.past(period.from_ns, period.to_ns, causes=["oom"])),
        folded("Table: limits and OOM kills", _table(of)),
    )


def _name(one: Full) -> str:
    if one.cgroup is None:
        return "the whole system"
    return escape(one.cgroup.rstrip("/").rpartition("/")[2] or "/", spaces=False)


def parts(one: Full) -> tuple[int, ...]:
    """Return what filled the limit, in bytes, in the order of PARTS.

    Without figures of the cgroup, only what the victim held is known.
    """
    own = one.anon or 0
    if one.cgroup_anon is None:
        known = (own, 0, one.file or 0, one.shmem or 0, 0)
    else:
        kernel = (one.cgroup_kernel or 0) + (one.cgroup_sock or 0)
        others = max(0, one.cgroup_anon - own)
        known = (own, others, one.cgroup_file or 0, one.cgroup_shmem or 0, kernel)
    return (*known, max(0, (one.limit or 0) - sum(known)))


def _bar(nth: int, one: Full) -> Markup:
    sizes = parts(one)
    whole = max(1, sum(sizes))
    at = 0
    drawn = []
    for kind, size in enumerate(sizes):
        if size:
            title = element("title", f"{human_bytes(size)} {PARTS[kind]}")
            drawn.append(
                element(
                    "rect",
                    title,
                    class_=f"fill-{kind}",
                    x=place(at / whole),
                    width=place(size / whole),
                    height=_HEIGHT,
                )
            )
        at += size
    limit = f"limit {human_bytes(one.limit)}" if one.limit else "no limit: all memory"
    kills = "1 kill" if one.times == 1 else f"{number(one.times)} kills"
    words = (
        f"{kills}; {limit}; the last was {word(one.comm)} with {human_bytes(sizes[0])} of its own"
    )
    return element(
        "div",
        element("a", _name(one), href=f"#oom-{nth}", class_="label"),
        element(
            "div",
            element("svg", joined(drawn), class_="lane", height=_HEIGHT, aria_hidden="true"),
            element("p", words, class_="note"),
        ),
        class_="row",
    )


def _table(of: Overview) -> Markup:
    heads = (
        *("Cgroup", "Kills", "Limit", "Last victim", "Its own", "Others", "Files", "Shared"),
        *("Kernel", "Not known", "Asked for more", "First", "Last"),
    )
    kinds = " nn nnnnnn tt"
    body = []
    for nth, one in enumerate(of.full[:_MOST_ROWS]):
        cells = [
            "the whole system" if one.cgroup is None else escape(one.cgroup, spaces=False),
            number(one.times),
            human_bytes(one.limit) if one.limit else "",
            f"{word(one.comm)}[{one.pid}]",
            *map(human_bytes, parts(one)),
            "" if one.trigger is None else word(one.trigger),
            local(one.first_ns, of.period.now_ns),
            local(one.last_ns, of.period.now_ns),
        ]
        body.append(row_of(cells, kinds, name=f"oom-{nth}", its_rows=limit_rows(of, one)))
    return table("OOM kills", heads, body, kinds=kinds, total=len(of.full), of="limits")


def limit_rows(of: Overview, one: Full) -> str:
    """Return the command that gives the rows of OOM kills."""
    return rows.sql(of.period, {"cause": "oom", "cause_oom_cgroup": one.cgroup})
