"""In a guest: the clock is stepped, and processes end before and after."""

import subprocess
import time
from collections.abc import Sequence

HOUR_NS = 3600 * 10**9
YEAR_NS = 365 * 24 * HOUR_NS


def offset_ns() -> int:
    """Return what the wall clock is ahead of the boot clock, now."""
    return time.clock_gettime_ns(time.CLOCK_REALTIME) - time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def step(ns: int) -> None:
    now = time.clock_gettime_ns(time.CLOCK_REALTIME)
    time.clock_settime_ns(time.CLOCK_REALTIME, now + ns)


class Child:
    """A process that ends when told to; how long it lived, in seconds, at least and at most.

    Attributes:
        ended: when it ended, by the boot clock in seconds, at least and at most.
    """

    def __init__(self, words: Sequence[str] = ("cat",)) -> None:
        self._before = time.clock_gettime(time.CLOCK_BOOTTIME)
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE)
        self._after = time.clock_gettime(time.CLOCK_BOOTTIME)
        self.pid = self._process.pid
        self.ended = (0.0, 0.0)

    def end(self) -> tuple[float, float]:
        ending = time.clock_gettime(time.CLOCK_BOOTTIME)
        self._process.communicate()
        ended = time.clock_gettime(time.CLOCK_BOOTTIME)
        self.ended = (ending, ended)
        return ending - self._after, ended - self._before
