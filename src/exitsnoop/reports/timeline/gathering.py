"""The processes of a time line, as they end: bounded, however many there are."""

from collections.abc import Iterable

from exitsnoop.model.batch import Exits
from exitsnoop.model.exit import Exit

MOST = 50_000
"""So many processes a time line has at most; twice as many are held while it is gathered."""


class Gathering:
    """Processes that ended, by their boot.

    If there are too many, those that ended well after the shortest lives are left out. What a kept
    process was below lived longer than it, and so is kept, too.

    Args:
        most: how many are kept.

    Attributes:
        ended: how many processes ended, those that are left out included.
        failed: how many of them failed.
        left_out: how many are only counted.
        shorter_s: how long the longest of those lived, in seconds.
    """

    def __init__(self, most: int = MOST) -> None:
        self.ended = self.failed = self.left_out = 0
        self.shorter_s = 0.0
        self._most = most
        self._kept: list[tuple[str, Exit]] = []

    def add(self, exits: Exits, boot: str = "") -> None:
        """Add exits of a boot; threads are left out."""
        for one in exits:
            if one.last_thread:
                self.ended += 1
                self.failed += bool(one.status)
                self._kept.append((boot, one))
        if len(self._kept) > 2 * self._most:
            self._leave_out()

    def _leave_out(self) -> None:
        self._kept.sort(key=lambda one: (bool(one[1].status), one[1].age), reverse=True)
        less = self._kept[self._most :]
        del self._kept[self._most :]
        self.left_out += len(less)
        self.shorter_s = max(self.shorter_s, *(one.age for _, one in less))

    def kept(self) -> Iterable[tuple[str, Exit]]:
        """Return the processes that are kept, each with its boot, in no order."""
        if len(self._kept) > self._most:
            self._leave_out()
        return self._kept
