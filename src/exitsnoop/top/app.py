"""The screen of `exitsnoop top`, by Textual: it draws lines that have changed, and takes keys."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from exitsnoop.sinks.palette import GAP, OUTCOMES, WELL
from exitsnoop.store.recording import Recording
from exitsnoop.top.desk import Desk, Do
from exitsnoop.top.draw import Line, Source, draw
from exitsnoop.top.feed import Feed

EVERY_S = 1.0
"""How often the screen is brought up to date: the recorder writes once a second, too."""
_STARTING_S = 0.05
_ROWS_TOLD = 25

Open = Callable[[], Recording | None]
"""Returns the recording; None if there is none yet. What it raises ends the app."""


class Picture(Widget, can_focus=True):
    """The lines of the whole screen."""

    DEFAULT_CSS = "Picture { width: 100%; height: 100%; }"

    def __init__(self, styles: dict[str, Style]) -> None:
        super().__init__()
        self._styles_by_name = styles
        self._lines: list[Line] = []

    def show(self, lines: list[Line]) -> None:
        """Show lines; only those that have changed are drawn."""
        before, self._lines = self._lines, lines
        if len(before) != len(lines):
            self.refresh()
            return
        changed = [y for y, line in enumerate(lines) if line != before[y]]
        if changed:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))

    def render_line(self, y: int) -> Strip:
        """Return a line as Textual wants it. There is no markup in it."""
        line = self._lines[y] if y < len(self._lines) else ()
        segments = [Segment(part.text, self._styles_by_name.get(part.style)) for part in line]
        return Strip(segments).adjust_cell_length(self.size.width)


class Top(App[Exception]):
    """The application.

    Args:
        desk: what is shown first.
        source: where it comes from.
        open_: opens the recording.
    """

    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "quit", priority=True),
        Binding("ctrl+z", "suspend_process", priority=True),
    ]

    def __init__(self, desk: Desk, source: Source, open_: Open) -> None:
        super().__init__(ansi_color=True)
        self._desk = desk
        self._source = source
        self._open = open_
        self._feed: Feed | None = None
        self._is_loading = False
        colored = not os.environ.get("NO_COLOR")
        self._picture = Picture(_styles(colored=colored))

    def compose(self) -> ComposeResult:
        """Return the one widget."""
        yield self._picture

    def on_mount(self) -> None:
        """Begin."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            loop.add_signal_handler(number, self.exit)
        self.set_interval(EVERY_S, self._tick)
        self._begin()

    def on_resize(self) -> None:
        """Draw all anew."""
        self._draw()

    def _begin(self) -> None:
        """Open the recording; look again soon if it is not there yet."""
        try:
            recording = self._open()
            if recording is None:
                self.set_timer(_STARTING_S, self._begin)
            else:
                self._feed = Feed(recording)
                if self._desk.at_ns is None:
                    self._desk.at_ns = self._feed.last_ns()
                self._load()
        except Exception as error:
            self.exit(error)
        self._draw()

    def _tick(self) -> None:
        """Bring the screen up to date."""
        feed, desk = self._feed, self._desk
        if feed is None:
            return
        try:
            if desk.is_live and desk.board and not self._is_loading:
                feed.update(desk.board)
            self._source = self._source._replace(alarm=feed.alarm())
        except Exception as error:
            self.exit(error)
        self._draw()

    def _draw(self) -> None:
        size = self.size
        hows = self._feed.hows if self._feed else {}
        self._picture.show(draw(self._desk, self._source, (size.width, size.height), hows))
        if self._desk.view == "deaths" and self._feed:
            self._tell(self._feed)

    def on_key(self, event: events.Key) -> None:
        """Do what a key asks for."""
        event.stop()
        event.prevent_default()
        do = self._desk.press(event.key, event.character, time.time_ns())
        if do is Do.QUIT:
            self.exit()
        elif do is Do.LOAD:
            self._load()
        elif do is Do.WHY:
            self._why()
        self._draw()

    def _load(self) -> None:
        """Read the time that is to be shown, beside the screen."""
        feed, desk = self._feed, self._desk
        if feed is None:
            return
        asked = (desk.by, desk.length_ns, desk.at_ns)

        async def load() -> None:
            try:
                board, newest_id = await asyncio.to_thread(feed.load, *asked)
                self._is_loading = False
                desk.board = feed.take(board, newest_id)
                self._tick()
            except Exception as error:
                self.exit(error)

        self._is_loading = True
        self.run_worker(load(), group="load", exclusive=True)

    def _why(self) -> None:
        feed, desk, death = self._feed, self._desk, self._desk.death()
        if feed is None or death is None:
            return

        async def ask() -> None:
            try:
                desk.tell(await asyncio.to_thread(feed.why, death))
            except Exception as error:
                self.exit(error)
            self._draw()

        self.run_worker(ask(), group="why", exclusive=True)

    def _tell(self, feed: Feed) -> None:
        """Find the words for the deaths that are shown."""
        at = max(0, self._desk.place - _ROWS_TOLD)
        deaths = self._desk.deaths()[at : at + 3 * _ROWS_TOLD]
        if all(one in feed.hows for one in deaths):
            return

        async def ask() -> None:
            try:
                await asyncio.to_thread(feed.tell, deaths)
            except Exception as error:
                self.exit(error)
            size = self.size
            lines = draw(self._desk, self._source, (size.width, size.height), feed.hows)
            self._picture.show(lines)

        self.run_worker(ask(), group="tell", exclusive=True)


def _styles(*, colored: bool) -> dict[str, Style]:
    """Return the styles by their names; without color, only those that say something."""
    made = {
        "title": Style(bold=True),
        "dim": Style(),
        "alarm": Style(bold=True),
        "selected": Style(reverse=True),
    }
    if colored:
        shades = {**OUTCOMES, "gap": GAP, "well": WELL}
        made |= {name: Style(color=f"color({one.terminal})") for name, one in shades.items()}
        made["dim"] = made["gap"]
        made["alarm"] = Style(bold=True, color=f"color({OUTCOMES['crash'].terminal})")
    return made
