"""Work that may take for ever: another thread does it, and is waited for with patience."""

import _thread
import os
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any


class Aside:
    """Does work, one piece after the other, on a thread of its own. The first piece starts it.

    Work that takes too long is done all the same. Until it is done, no other is waited for. It
    lasts as long as the process.

    Args:
        most_s: how long one piece is waited for, at most.
        saved_s: how long several are, if they come together.
        share: how much of the time is spent waiting, in the long run.

    Attributes:
        is_late: whether work was not done in time, and is still being done.
    """

    def __init__(self, most_s: float, saved_s: float, share: float) -> None:
        self._most_s = most_s
        self._saved_s = saved_s
        self._share = share
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        """Also in a child: the thread, and what it may hold, stay with the parent."""
        self.is_late = False
        self._waited_at, self._saved = time.monotonic(), self._saved_s
        self._work: SimpleQueue[tuple[Callable[[], Any], Callable[[Any], object]]] = SimpleQueue()
        self._given = self._done = 0
        self._progress = threading.Condition()
        self._has_thread = False

    def patience_s(self) -> float:
        """Return how long work may be waited for now."""
        earned = self._share * (time.monotonic() - self._waited_at)
        return min(self._most_s, self._saved_s, self._saved + earned)

    def do(self, work: Callable[[], Any], take: Callable[[Any], object]) -> None:
        """Have work done, and wait for that with patience; take() gets the result.

        What raises an exception has no result.
        """
        with self._progress:
            self._given += 1
            self._work.put((work, take))
            if self._start() and not self.is_late:
                self._wait_for(self._given)

    def _start(self) -> bool:
        if not self._has_thread:
            try:
                # Thread.start() would wait for ever for a thread that has no memory to begin.
                _thread.start_new_thread(self._run, ())
            except RuntimeError:  # there may be no more threads
                return False
            self._has_thread = True
        return True

    def _wait_for(self, number: int) -> None:
        began = time.monotonic()
        earned = self._share * (began - self._waited_at)
        self._saved = min(self._saved_s, self._saved + earned)
        patience_s = min(self._most_s, self._saved)
        self.is_late = not self._progress.wait_for(lambda: self._done >= number, patience_s)
        self._waited_at = time.monotonic()
        self._saved -= self._waited_at - began

    def _run(self) -> None:
        try:
            while True:
                self._do_next()
        except MemoryError:
            pass  # what is not done stays late

    def _do_next(self) -> None:
        work, take = self._work.get()
        found = []
        try:
            found.append(work())
        except Exception:  # noqa: S110 - whoever asked has other answers
            pass
        with self._progress:
            if found:
                take(found.pop())
            self._done += 1
            self.is_late = False
            self._progress.notify_all()
