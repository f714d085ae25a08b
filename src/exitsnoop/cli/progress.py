"""What takes longer than a second says on a terminal how far it is."""

import os
import time

from exitsnoop.cli import output
from exitsnoop.cli.output import STDERR

_AFTER_S = 1.0
_EVERY_S = 0.5


class Progress:
    """One line on standard error, if that is a terminal; nothing otherwise.

    Args:
        doing: what is done first.
    """

    def __init__(self, doing: str = "reading the recording") -> None:
        self._begun = self._said = time.monotonic()
        self._is_shown = False
        self._is_terminal = os.isatty(STDERR)
        self._doing = doing

    def say(self, doing: str) -> None:
        """Show what is being done, and for how long; call it as often as there is something new."""
        self._doing = doing
        now = time.monotonic()
        is_due = now - self._begun >= _AFTER_S and now - self._said >= _EVERY_S
        if self._is_terminal and is_due:
            self._said = now
            self._is_shown = True
            output.clear_line = self.clear
            os.write(STDERR, f"\r\033[K{now - self._begun:.0f} s so far; {doing}".encode())

    def say_how_far(self, at_ns: int, from_ns: int, to_ns: int) -> None:
        """Show how much of a stretch of a recording was read.

        Args:
            at_ns: the time that was reached.
            from_ns: where it began; later than to_ns if the newest came first.
            to_ns: where it will end.
        """
        part = (at_ns - from_ns) / ((to_ns - from_ns) or 1)
        self.say(f"read {min(1.0, max(0.0, part)):.0%} of that time")

    def tick(self) -> None:
        """Show how long it takes now; SQLite calls this while it works."""
        self.say(self._doing)

    def end(self) -> None:
        """Remove the line for good."""
        self.clear()
        self._is_terminal = False

    def clear(self) -> None:
        """Remove the line, so that something else can be written."""
        if self._is_shown:
            self._is_shown = False
            os.write(STDERR, b"\r\033[K")
