"""The same for a terminal: words and small bars, in 80 columns."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from textwrap import wrap
from typing import TypeVar

from exitsnoop.model.words import human_bytes
from exitsnoop.pages import heat
from exitsnoop.pages.axis import ticks
from exitsnoop.pages.failing import signature
from exitsnoop.pages.killers import sender
from exitsnoop.pages.parts import WORDS
from exitsnoop.pages.usage import chosen
from exitsnoop.pages.words import number, seconds, share
from exitsnoop.reports.overview import headline
from exitsnoop.reports.overview.before import News
from exitsnoop.reports.overview.evidence import Crash, Full, Kills
from exitsnoop.reports.overview.failures import Looping
from exitsnoop.reports.overview.gather import Overview
from exitsnoop.reports.overview.headline import ends, label, state
from exitsnoop.reports.overview.latest import Told
from exitsnoop.reports.overview.lives import EDGES_S, Used
from exitsnoop.reports.verdicts import brief, mostly, name
from exitsnoop.reports.when import length, local
from exitsnoop.sinks.colors import painted
from exitsnoop.sinks.escape import escape, word
from exitsnoop.sinks.palette import OUTCOMES, escape_of

WIDTH = 80
_BARS = 48
_MOST = 8
_T = TypeVar("_T")
_BLOCKS, _ASCII = "▁▂▃▄▅▆▇█", ".:-=+*%#"
_ABOUT = {"now": "Now", "new": "New", "missing": "Missing"}


class Digest:
    """Writes an overview.

    Args:
        of: the overview.
        color: whether bars have the colors of their outcomes.
        utf8: whether the reader takes UTF-8.
    """

    def __init__(self, of: Overview, *, color: bool, utf8: bool) -> None:
        self._of = of
        self._color = color
        self._utf8 = utf8
        self._blocks, self._unseen = (_BLOCKS, "░") if utf8 else (_ASCII, "/")

    def text(self) -> str:
        """Return all of it."""
        parts = (
            self._headline(),
            self._causes(),
            self._loops(),
            self._ways(),
            self._crashes(),
            self._full(),
            self._kills(),
            self._lives(),
            self._used(),
            self._latest(),
        )
        return "\n".join(
            "".join(f"{shown.rstrip()}\n" for line in part for shown in self._shown(line))
            for part in map(list, parts)
            if part
        )

    def _shown(self, line: str) -> list[str]:
        if self._utf8 or line.isascii():
            return [line]
        plain = line.encode("ascii", "backslashreplace").decode()
        indent = " " * (len(line) - len(line.lstrip()) + 4)
        return wrap(plain, WIDTH, subsequent_indent=indent, break_on_hyphens=False)

    def _headline(self) -> Iterator[str]:
        of, period = self._of, self._of.period
        host = escape(of.boots[-1].hostname or "?", spaces=False) if of.boots else "?"
        begin, end = (local(at, period.now_ns) for at in (period.from_ns, period.to_ns))
        yield from _wrapped("", f"{host}, from {begin} to {end} ({headline.span(period)})")
        yield ""
        before = ""
        for one in headline.findings(of):
            title = _ABOUT[one.about]
            yield from _wrapped("" if title == before else title, one.text, 10)
            before = title
        exits, ago = sum(of.exits), length(period.from_ns - period.against_ns)
        known = of.before
        then = f"in the {ago} before: {number(known.exits)} and {number(known.failed)}"
        if not known.is_known:
            then = f"nobody looked in the {ago} before"
        counts = f"{number(exits)} ended, {number(of.failed)} failed ({share(of.failed, exits)})"
        yield from _wrapped("Counts", f"{counts}; {then}.", 10)

    def _causes(self) -> Iterator[str]:
        of, period = self._of, self._of.period
        step = -(-period.bins // _BARS)
        columns = range(0, period.bins, step)
        missing = heat.unseen(of)
        parts = [missing[at : at + step] for at in columns]
        unseen = [sum(part) > len(part) / 2 for part in parts]
        every = seconds(step * period.bin_ns / 1e9)
        yield f"Deaths by cause, a column {every}; {self._unseen} nobody looked"
        rows = {"": dict(enumerate(of.exits)), **heat.counts(of)}
        for kind, bins in rows.items():
            values = [sum(bins.get(nth, 0) for nth in range(at, at + step)) for at in columns]
            bars = self._bars(values, kind, unseen)
            yield _line(WORDS.get(kind, "ended in all"), number(sum(values)), bars)
        yield _line("", "", _scale(ticks(period), len(columns)))

    def _bars(
        self, values: Sequence[int], kind: str = "", unseen: Sequence[bool] | None = None
    ) -> str:
        """Return a bar for each value; what was not recorded is marked."""
        top = max(values, default=0)
        drawn = ""
        for nth, value in enumerate(values):
            if value:
                drawn += self._blocks[min(7, 8 * value // (top + 1))]
            else:
                drawn += self._unseen if unseen and unseen[nth] else " "
        drawn = drawn.rstrip()
        if not self._color or kind not in OUTCOMES:
            return drawn
        return painted(drawn, escape_of(kind))

    def _loops(self) -> Iterator[str]:
        of = self._of

        def said(one: Looping) -> str:
            loop, now_ns = one.loop, of.period.now_ns
            until = state(of, one) or f"until {local(loop.to_ns, now_ns)}"
            return (
                f"{label(one.whose)}: {number(loop.deaths)} deaths since "
                f"{local(loop.from_ns, now_ns)}, {until}; one every {seconds(loop.every_s)}, "
                f"{mostly(loop)}"
            )

        return _part("Crash loops", of.loops, said)

    def _ways(self) -> Iterator[str]:
        of = self._of

        def said(one: News) -> str:
            before = f"{number(one.before)} before" if of.before.is_known else "before unknown"
            before = "new" if of.is_new(one) else before
            last = local(one.last_ns, of.period.now_ns)
            ended = ends(one.cause, one.status, one.times)
            return f"{label(one.whose)}: {ended} ({before}), last {last}"

        return _part("What fails most", of.ways, said)

    def _crashes(self) -> Iterator[str]:
        of = self._of

        def said(one: Crash) -> str:
            seen = " to ".join(local(at, of.period.now_ns) for at in (one.first_ns, one.last_ns))
            exe = escape(one.exe, spaces=False)
            return f"{number(one.times)}: {exe} {signature(one)}, seen {seen}"

        return _part("Crashes, by signature", of.crashes, said)

    def _full(self) -> Iterator[str]:
        def said(one: Full) -> str:
            where = "the whole system" if one.cgroup is None else escape(one.cgroup, spaces=False)
            limit = f", limit {human_bytes(one.limit)}" if one.limit else ""
            held = f"the last was {word(one.comm)}[{one.pid}] with {human_bytes(one.anon or 0)}"
            return f"{number(one.times)}: {where}{limit}; {held} of its own"

        return _part("OOM kills", self._of.full, said)

    def _kills(self) -> Iterator[str]:
        def said(one: Kills) -> str:
            return f"{number(one.times)}: {sender(one)} -> {word(one.comm)} ({one.signal})"

        return _part("Killers and victims", self._of.kills, said)

    def _lives(self) -> Iterator[str]:
        lived = self._of.lived
        failed = [sum(some) for some in zip(*lived.failed.values(), strict=True)]
        if not sum(lived.well) + sum(failed):
            return
        marks = [((nth + 1) / len(lived.well), seconds(EDGES_S[nth])) for nth in (0, 8, 16)]
        yield "How long they lived"
        for title, values in (("failed", failed), ("ended well", lived.well)):
            if values:
                wide = [value for value in values for _ in range(2)]
                yield _line(title, number(sum(values)), self._bars(wide))
        yield _line("", "", _scale(marks, 2 * len(lived.well)))

    def _used(self) -> Iterator[str]:
        def said(one: Used) -> str:
            parts = [f"{number(one.processes)} {'process' if one.processes == 1 else 'processes'}"]
            if one.cpu_s is not None:
                parts.append(f"{seconds(one.cpu_s)} of CPU time")
            if one.max_rss is not None:
                parts.append(f"at most {human_bytes(one.max_rss)}")
            return f"{label(one.whose)}: {', '.join(parts)}"

        title = "Memory and CPU of what lived at most 60 s"
        return _part(title, chosen(self._of)[:_MOST], said)

    def _latest(self) -> Iterator[str]:
        def said(one: Told) -> str:
            when = local(one.exit.wall_ns, self._of.period.now_ns)
            return f"{when} {name(one.exit)}: {brief(one.exit)}"

        title = "The last deaths (`exitsnoop why PID` explains one, -o FILE.html all)"
        return _part(title, self._of.latest[:_MOST], said)


def _line(words: str, count: str, bars: str) -> str:
    """Return a row of bars, below and above those of others."""
    return f"  {words:<20} {count:>8} {bars}"


def _part(title: str, items: Sequence[_T], said: Callable[[_T], str]) -> Iterator[str]:
    """Return the title, a paragraph for each of the first, and how many more there are."""
    if items:
        yield title
    for one in items[:_MOST]:
        yield from wrap(
            said(one),
            WIDTH,
            initial_indent="  ",
            subsequent_indent="      ",
            break_on_hyphens=False,
        )
    if len(items) > _MOST:
        yield f"  and {number(len(items) - _MOST)} more (-o FILE.html)"


def _wrapped(title: str, text: str, indent: int = 0) -> list[str]:
    return wrap(
        text,
        WIDTH,
        initial_indent=title.ljust(indent),
        subsequent_indent=" " * indent,
        break_on_hyphens=False,
    )


def _scale(marks: Iterable[tuple[float, str]], width: int) -> str:
    """Return labels below bars that take so many columns."""
    line = ""
    for at, text in marks:
        start = round(at * width)
        if start >= len(line) + (1 if line else 0) and start + len(text) <= width:
            line = line.ljust(start) + text
    return line
