"""OOM kills against their limits: what filled each limit when it was hit the last time."""

from exitsnoop.model.words import human_bytes
from exitsnoop.pages.markup import Markup, element, joined
from exitsnoop.pages.parts import folded, more, row_of, rows_of, section, table
from exitsnoop.pages.words import number, place
from exitsnoop.reports.overview import rows
from exitsnoop.reports.overview.evidence import Full
from exitsnoop.reports.overview.gather import Overview
from exitsnoop.reports.when import local
from exitsnoop.sinks.escape import escape, word

_MOST_BARS = 10
_MOST_ROWS = 40
_HEIGHT = 18
_PARTS = ("its own", "files", "shared", "others in the cgroup")


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
        for nth, words in enumerate(_PARTS)
    ]
    return section(
        "oom",
        "OOM kills against their limits",
        element(
            "figure",
            *(_bar(nth, one) for nth, one in enumerate(shown)),
            element(
                "figcaption",
                "At the last kill, of the limit: ",
                *legend,
                class_="legend",
            ),
        ),
        more(len(shown), len(of.full), "limits"),
        rows_of(rows.past(period.from_ns, period.to_ns, causes=["oom"])),
        folded("Table: limits and OOM kills", _table(of)),
    )


def _name(one: Full) -> str:
    if one.cgroup is None:
        return "the whole system"
    return escape(one.cgroup.rstrip("/").rpartition("/")[2] or "/", spaces=False)


def _parts(one: Full) -> tuple[int, int, int, int]:
    """Return what the victim held, and what others did, in bytes."""
    own = (one.anon or 0, one.file or 0, one.shmem or 0)
    return (*own, max(0, (one.limit or 0) - sum(own)))


def _bar(nth: int, one: Full) -> Markup:
    parts = _parts(one)
    whole = max(1, sum(parts))
    at = 0
    drawn = []
    for kind, size in enumerate(parts):
        if size:
            title = element("title", f"{human_bytes(size)} {_PARTS[kind]}")
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
        f"{kills}; {limit}; the last was {word(one.comm)} with {human_bytes(parts[0])} of its own"
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
        *("Cgroup", "Kills", "Limit", "Last victim", "Its own", "Files", "Shared", "Others"),
        *("Asked for more", "First", "Last"),
    )
    kinds = " nn nnnn   "
    body = []
    for nth, one in enumerate(of.full[:_MOST_ROWS]):
        own, file, shmem, others = map(human_bytes, _parts(one))
        cells = [
            "the whole system" if one.cgroup is None else escape(one.cgroup, spaces=False),
            number(one.times),
            human_bytes(one.limit) if one.limit else "",
            f"{word(one.comm)}[{one.pid}]",
            *(own, file, shmem, others if one.limit else ""),
            "" if one.trigger is None else word(one.trigger),
            local(one.first_ns, of.period.now_ns),
            local(one.last_ns, of.period.now_ns),
        ]
        body.append(row_of(cells, kinds, name=f"oom-{nth}", its_rows=limit_rows(of, one)))
    return joined(
        (
            table("OOM kills", heads, body, kinds=kinds),
            more(len(body), len(of.full), "limits"),
        )
    )


def limit_rows(of: Overview, one: Full) -> str:
    """Return the command that gives the rows of OOM kills."""
    return rows.sql(of.period, {"cause": "oom", "cause_oom_cgroup": one.cgroup})
