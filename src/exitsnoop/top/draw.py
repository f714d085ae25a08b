"""Draws a desk as lines of text with styles, for a terminal of any size."""

import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from exitsnoop.host.clock import SECOND_NS
from exitsnoop.model.outcomes import outcome
from exitsnoop.reports.gaps import reason
from exitsnoop.reports.verdicts import ends_in_words, mostly
from exitsnoop.reports.when import length, local, span
from exitsnoop.sinks.escape import message, word
from exitsnoop.sinks.terminal import cut
from exitsnoop.sinks.width import cells, padded, width_of
from exitsnoop.store.coverage import Gap
from exitsnoop.top.board import BINS, Bin, Board, Group
from exitsnoop.top.deaths import Death
from exitsnoop.top.desk import Desk

_BLOCKS = "▁▂▃▄▅▆▇█"
_UNSEEN = "░"
_MARK = "…"
_TITLES = {"unit": "UNIT", "container": "CONTAINER", "executable": "EXECUTABLE"}
_KEYS = {
    "groups": "g group  s sort  / filter  f failed  Enter deaths  w why  p pause  ←→ time  q",
    "deaths": "↑↓ select  w why  f failed only  p pause  ←→ time  Esc back  q quit",
    "why": "↑↓ scroll  Esc back  q quit",
}


class Part(NamedTuple):
    """A piece of a line.

    Attributes:
        text: what stands there; it cannot move a cursor.
        style: "" or one of "title", "dim", "alarm", "selected", "gap", "well" or the name of an
            outcome.
    """

    text: str
    style: str = ""


Line = tuple[Part, ...]


class Source(NamedTuple):
    """Where the deaths come from, in words.

    Attributes:
        host: the name of the machine, escaped.
        name: the recording, or that top traces by itself; escaped.
        waiting: what is said until deaths are read.
        alarm: that nobody looks now; "" if somebody does.
    """

    host: str
    name: str
    waiting: str
    alarm: str


def draw(
    desk: Desk, source: Source, size: tuple[int, int], hows: Mapping[Death, str]
) -> list[Line]:
    """Return the lines of the whole screen.

    Args:
        desk: what is shown.
        source: where it comes from.
        size: columns and lines of the terminal.
        hows: how some died, in a few words; others are given by their status.
    """
    width, height = size
    if desk.view == "why":
        lines = [_head(desk, source, width), *_text(desk, width, height - 2)]
    else:
        lines = [_head(desk, source, width), _counts(desk, width), _missing(desk, source, width)]
        lines += _loop(desk, width) if desk.view == "deaths" else []
        lines += _list(desk, source, (width, height - 1 - len(lines)), hows)
    lines = lines[: height - 1]
    lines += [()] * (height - 1 - len(lines))
    return [_fitted(line, width) for line in (*lines, _foot(desk, width))]


def _fitted(line: Line, width: int) -> Line:
    """Return as much of a line as a narrow terminal has room for."""
    fitting, room = [], width
    for part in line:
        if width_of(part.text) > room:
            fitting.append(part._replace(text=cut(part.text, max(0, room), "")))
            break
        fitting.append(part)
        room -= width_of(part.text)
    return tuple(fitting)


def _head(desk: Desk, source: Source, width: int) -> Line:
    left = f"exitsnoop top  {source.host}  {source.name}"
    right = _time(desk)
    room = width - width_of(right) - 2
    shown = padded(cut(left, room, _MARK), room) if room > 0 else ""
    return Part(shown, "title"), Part("  "), Part(right, "" if desk.is_live else "selected")


def _time(desk: Desk) -> str:
    board = desk.board
    if board is None:
        return ""
    if desk.is_live:
        return f"live {_clock(board.to_ns)}"
    now_ns = time.time_ns()
    if desk.is_paused:
        return f"PAUSED at {local(board.to_ns, now_ns)}"
    return f"PAST {span(board.from_ns, board.to_ns, now_ns).removeprefix('from ')}"


def _clock(wall_ns: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(wall_ns // SECOND_NS))


def _counts(desk: Desk, width: int) -> Line:
    board = desk.board
    if desk.view == "deaths":
        return _of_group(desk, width)
    if board is None:
        return ()
    ended, failed = board.ended, board.failed
    text = (
        f"In {length(desk.length_ns)}: {ended:,} ended, {_rate(ended / board.minutes())} a minute; "
        f"{failed:,} failed{f' ({100 * failed / ended:.1f} %)' if ended else ''}"
    )
    more = "; only what failed is shown" if desk.only_failed else ""
    return (Part(cut(text + more, width, _MARK)),)


def _of_group(desk: Desk, width: int) -> Line:
    what = "what failed" if desk.only_failed else "the last deaths"
    return Part(cut(desk.group, width - 18, _MARK), "title"), Part(f": {what}")


def _loop(desk: Desk, width: int) -> list[Line]:
    """Return the line that says in which loop the group is; none if it is in none."""
    group, board = desk.selected(), desk.board
    loop = group.loop(board.to_ns) if group and board else None
    if loop is None:
        return []
    every = length(round(loop.every_s * SECOND_NS))
    text = (
        f"LOOP: {loop.deaths:,} deaths since {_clock(loop.from_ns)}, one every {every}, "
        f"{mostly(loop)}"
    )
    return [(Part(cut(text, width, _MARK), "alarm"),)]


def _missing(desk: Desk, source: Source, width: int) -> Line:
    """Return the line that says what is not known: it never looks as if nothing had died."""
    board = desk.board
    if source.alarm:
        return (Part(cut(source.alarm, width, _MARK), "alarm"),)
    if board is None:
        return ()
    parts = []
    if board.lost:
        parts.append(f"{board.lost:,} exits LOST")
    unseen = [gap for gap in board.gaps if gap.lost is None]
    if unseen:
        parts.append(f"nobody looked {_stretch(unseen[-1], board)} ({reason(unseen[-1].why)})")
    if len(unseen) > 1:
        parts.append(f"nor in {len(unseen) - 1} more gaps")
    parts += board.notes
    if not parts:
        return (Part("All of it was recorded; 0 lost", "dim"),)
    return (Part(cut("; ".join(parts), width, _MARK), "alarm"),)


def _stretch(gap: Gap, board: Board) -> str:
    if gap.from_ns <= board.from_ns:
        return f"before {_clock(gap.to_ns)}" if gap.to_ns < board.to_ns else "at all"
    if gap.to_ns >= board.to_ns:
        return f"since {_clock(gap.from_ns)}"
    return f"{_clock(gap.from_ns)}-{_clock(gap.to_ns)}"


def _list(
    desk: Desk, source: Source, size: tuple[int, int], hows: Mapping[Death, str]
) -> list[Line]:
    """Return the titles and the rows."""
    width, height = size
    board = desk.board
    if board is None:
        return [(), (Part(cut(source.waiting, width, _MARK)),)]
    if desk.view == "deaths":
        deaths = desk.deaths()
        lines = [_death(one, width, hows.get(one)) for one in deaths]
        titles = (Part("TIME     PROCESS                   LIVED HOW IT ENDED", "dim"),)
        return [titles, *_scrolled(lines, min(desk.place, len(lines) - 1), height - 1, width)]
    groups = desk.groups()
    if not groups:
        return [(), (Part(cut(_nothing(desk, board), width, _MARK)),)]
    columns = _Columns(width)
    names = [group.name for group in groups]
    at = names.index(desk.group) if desk.group in names else 0
    first = max(0, min(at - (height - 1) // 2, len(groups) - (height - 1)))
    shown = groups[first : first + height - 1]
    unseen = board.unseen()
    lines = [columns.row(group, board, unseen, desk.by) for group in shown]
    return [columns.titles(desk), *_marked(lines, at - first, width)]


def _nothing(desk: Desk, board: Board) -> str:
    if board.is_unseen:
        return "Nobody looked in this time: what died then is not known."
    if desk.filter and board.ended:
        return f"No group has {shown_filter(desk)} in its name."
    if desk.only_failed and board.ended:
        return "Nothing failed in this time."
    return "Nothing ended while it was recorded." if board.gaps else "Nothing ended in this time."


def _scrolled(lines: list[Line], at: int, height: int, width: int) -> list[Line]:
    first = max(0, min(at - height // 2, len(lines) - height))
    return _marked(lines[first : first + height], at - first, width)


def _marked(lines: list[Line], at: int, width: int) -> list[Line]:
    """Return the lines; the one that is selected is reversed as a whole."""
    if 0 <= at < len(lines):
        text = "".join(part.text for part in lines[at])
        lines[at] = (Part(padded(text, width), "selected"),)
    return lines


class _Columns:
    """The columns of groups in a width."""

    def __init__(self, width: int) -> None:
        self.bars = BINS if width >= 104 else BINS // 2
        self.cause = 26 if width >= 112 else 18
        self.name = max(8, width - (4 + 6 + 6 + self.cause + self.bars + 8 + 7))

    def titles(self, desk: Desk) -> Line:
        mark = "▴" if desk.is_reversed else "▾"
        titles = {
            "name": padded(_TITLES[desk.by], self.name),
            "loop": "LOOP",
            "rate": "  /MIN",
            "failed": "FAILED",
            "last": padded("LAST FAILURE", self.cause),
            "bars": padded(length(desk.length_ns).upper(), self.bars),
            "life": "MED.LIFE",
        }
        parts: list[Part] = []
        for name, title in titles.items():
            is_sorted = name == desk.sort
            parts += [
                Part(title, "title" if is_sorted else "dim"),
                Part(mark if is_sorted else " "),
            ]
        return tuple(parts)

    def row(self, group: Group, board: Board, unseen: Sequence[bool], by: str) -> Line:
        last = group.last_failure(board.from_ns)
        how = ends_in_words(last.cause, last.status) if last else "-"
        style = outcome(last.cause).name if last else "dim"
        loop = group.loop(board.to_ns)
        name = _tail(group.name, self.name) if by == "executable" else None
        life = length(group.median_ns()) if group.recent else "-"
        return (
            Part(padded(name or cut(group.name, self.name, _MARK), self.name)),
            Part(" LOOP " if loop else "      ", "alarm"),
            Part(f"{_rate(group.ended / board.minutes()):>6} "),
            Part(f"{group.failed:>6,} ", "" if group.failed else "dim"),
            Part(padded(cut(how, self.cause, _MARK), self.cause) + " ", style),
            *self._bars(group, board.first_bin, unseen),
            Part(f" {life:>8}"),
        )

    def _bars(self, group: Group, first: int, unseen: Sequence[bool]) -> Iterator[Part]:
        """Return a bar for each part of the time; what nobody saw is marked."""
        step = BINS // self.bars
        bins = []
        for at in range(0, BINS, step):
            some = [group.bins.get(first + nth, Bin(0, 0, "")) for nth in range(at, at + step)]
            worst = next((one.worst for one in reversed(some) if one.worst), "")
            missing = all(unseen[at : at + step])
            bins.append((sum(one.ended for one in some), worst, missing))
        top = max(ended for ended, *_ in bins)
        drawn = []
        for ended, worst, missing in bins:
            if ended:
                drawn.append((_BLOCKS[min(7, 8 * ended // (top + 1))], worst or "well"))
            else:
                drawn.append((_UNSEEN, "gap") if missing else (" ", ""))
        for style, some_bars in groupby(drawn, key=lambda one: one[1]):
            yield Part("".join(bar for bar, _ in some_bars), style)


def _rate(rate: float) -> str:
    if 0 < rate < 0.05:
        return "<0.1"
    return f"{rate:,.1f}" if rate < 1000 else f"{rate:,.0f}"


def _tail(text: str, width: int) -> str:
    """Return the text, or the end of it: of a path, that says more."""
    if width_of(text) <= width:
        return text
    room, at = width - 1, len(text)
    while at and room >= cells(text[at - 1]):
        at -= 1
        room -= cells(text[at])
    return _MARK + text[at:]


def _death(one: Death, width: int, how: str | None) -> Line:
    pid = f"[{one.pid}]"
    name = padded(cut(word(one.comm), 24 - len(pid), _MARK) + pid, 24)
    text = how or ends_in_words(one.cause, one.status)
    room = width - (8 + 1 + 24 + 1 + 8 + 1)
    style = outcome(one.cause).name if one.status else "well"
    return (
        Part(f"{_clock(one.wall_ns)} {name} {length(one.lived_ns):>8} "),
        Part(cut(text, room, _MARK), style),
    )


def _text(desk: Desk, width: int, height: int) -> list[Line]:
    first = max(0, min(desk.first, len(desk.text) - height))
    return [(Part(cut(line, width, _MARK)),) for line in desk.text[first : first + height]]


def shown_filter(desk: Desk) -> str:
    """Return the filter as it is shown."""
    return f"/{message(desk.filter)}"


def _foot(desk: Desk, width: int) -> Line:
    if desk.is_typing:
        typed = Part(shown_filter(desk), "title")
        return typed, Part("_  (Enter: keep it, Esc: show all)", "dim")
    keys = _KEYS[desk.view]
    if desk.filter and desk.view == "groups":
        return (
            Part(cut(shown_filter(desk), 30, _MARK), "alarm"),
            Part(cut("  Esc shows all  " + keys, width - 32, _MARK), "dim"),
        )
    return (Part(cut(keys, width, _MARK), "dim"),)
