"""Relief for the kernel's buffer while the recorder waits for the disk."""

import threading
from collections.abc import Callable

_LOOK_S = 0.05  # a storm takes three times as long to fill the buffer


class Relief:
    """A thread that makes room in the kernel's buffer while the recorder writes.

    A commit ends when the disk says so. That may take seconds, and a storm fills the buffer in a
    fraction of one.

    Use it as a context around what writes. It may be entered again inside, by the same thread. The
    thread sleeps outside of it, and as long as what is written takes no time.

    Args:
        make_room: takes exits out of the buffer.
        begin: is called in the thread before all.
    """

    def __init__(self, make_room: Callable[[], None], begin: Callable[[], None]) -> None:
        self._writing = threading.RLock()
        self._begun = threading.Lock()
        self._begun.acquire()
        self._make_room = make_room
        self._begin = begin
        try:
            threading.Thread(target=self._run, daemon=True).start()
        except RuntimeError:
            pass  # no more threads are permitted: what is lost then is counted

    def __enter__(self) -> None:
        self._writing.acquire()
        if self._begun.locked():
            self._begun.release()

    def __exit__(self, *_: object) -> None:
        self._writing.release()

    def _run(self) -> None:
        self._begin()
        while True:
            self._begun.acquire()
            while not self._writing.acquire(timeout=_LOOK_S):
                self._make_room()
            self._writing.release()
