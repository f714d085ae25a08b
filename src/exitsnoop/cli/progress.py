"""What takes longer than a second says on a terminal how far it is."""

import os
import time

from exitsnoop.cli.output import STDERR

_AFTER_S = 1.0
_EVERY_S = 0.5


class Progress:
    """One line on standard error, if that is a terminal; nothing otherwise."""

    def __init__(self) -> None:
        self._begun = self._said = time.monotonic()
        self._is_shown = False
        self._is_terminal = os.isatty(STDERR)

    def say(self, doing: str) -> None:
        """Show what is being done, and for how long; call it as often as there is something new."""
        now = time.monotonic()
        is_due = now - self._begun >= _AFTER_S and now - self._said >= _EVERY_S
        if self._is_terminal and is_due:
            self._said = now
            self._is_shown = True
            os.write(STDERR, f"\r\033[K{now - self._begun:.0f} s so far; {doing}".encode())

    def say_how_far(self, at_ns: int, from_ns: int, to_ns: int) -> None:
        """Show how much of a stretch of a recording was read; at_ns: the time that was reached."""
        part = (at_ns - from_ns) / max(1, to_ns - from_ns)
        self.say(f"read {min(1.0, max(0.0, part)):.0%} of that time")

    def end(self) -> None:
        """Remove the line."""
        if self._is_shown:
            self._is_shown = False
            os.write(STDERR, b"\r\033[K")
