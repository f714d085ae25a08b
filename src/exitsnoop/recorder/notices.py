"""What the recorder says to a person: once when something begins, once when it ends."""

import time
from collections.abc import Callable

from exitsnoop.host.clock import SECOND_NS, wall_offset_ns
from exitsnoop.model.losses import why_lost
from exitsnoop.store.writer import MOST_HELD, Writer

LOSSES_S = 60.0
"""New losses are reported this often at most: they can go on for hours."""


class Notices:
    """Says what the writer has trouble with.

    Args:
        writer: the writer.
        place: where it writes, as a person calls it.
        say: writes a line.
        clock: in seconds.
    """

    def __init__(
        self,
        writer: Writer,
        place: str,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._writer = writer
        self._place = place
        self._say = say
        self._clock = clock
        self._in_trouble = False
        self._damaged = 0
        self._lost = self._undecided = 0
        self._lost_before = 0  # when the trouble began
        self._said_at = float("-inf")

    def look(self) -> None:
        """Say what is new."""
        self._look_at_damage()
        self._look_at_trouble()
        if self._writer.lost > self._lost and not self._in_trouble:
            now = self._clock()
            if now - self._said_at >= LOSSES_S:
                self._said_at = now
                new = self._writer.lost - self._lost
                undecided = min(self._writer.undecided - self._undecided, new)
                for line in why_lost(new, undecided):
                    self._say(line)
                self._lost += new
                self._undecided += undecided

    def _look_at_damage(self) -> None:
        damaged = self._writer.damaged
        for path in damaged[self._damaged :]:
            self._say(f"a file was damaged; it is kept as {path}, and recording goes on without it")
        self._damaged = len(damaged)

    def _look_at_trouble(self) -> None:
        trouble = self._writer.trouble
        if trouble and not self._in_trouble:
            self._in_trouble, self._lost_before = True, self._writer.lost
            self._say(
                f"cannot write to {self._place}: {trouble}; it goes on trying. Memory holds "
                f"{MOST_HELD:,} exits; what comes after that is lost, and counted"
            )
        elif self._in_trouble and not trouble:
            self._in_trouble = False
            lost = self._writer.lost - self._lost_before
            self._lost += lost
            meanwhile = f"{_exits(lost)} lost" if lost else "nothing was lost"
            self._say(f"writes to {self._place} again; {meanwhile} meanwhile")

    def sum_up(self, unwritten: int) -> None:
        """Say what is missing. unwritten: how many exits could not be written at the end."""
        self._look_at_damage()
        if unwritten:
            trouble = self._writer.trouble
            self._say(f"{_exits(unwritten)} not written to {self._place}: {trouble}")
        if self._writer.lost:
            self._say(f"{_exits(self._writer.lost)} lost in all; the recording says when")


def standing(writer: Writer) -> str:
    """Return how the recording stands, in a line."""
    lost = f"; {_exits(writer.lost)} lost" if writer.lost else ""
    if writer.trouble:
        return f"cannot write: {writer.trouble}{lost}"
    # Nothing is due: then everything up to now is there.
    wall_ns = time.time_ns() if writer.due is None else writer.watermark_ns + wall_offset_ns()
    until = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(wall_ns // SECOND_NS))
    return f"all exits up to {until} are on disk{lost}"


def _exits(count: int) -> str:
    return "1 exit was" if count == 1 else f"{count} exits were"
