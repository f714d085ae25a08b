"""Waiting: for records, for the end of processes, for stop() and for a reader that leaves."""

import os
import select
import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from exitsnoop.tracing.targets import Targets

# An exit that comes alone is read at once. Where they come in numbers (several in one batch, or one
# right after the other) the next batch is given a pause to grow: the kernel wakes us only for the
# first record we have not seen, and a wake-up costs the dying process more than all the rest.
PAUSE_S = 0.01
_ALONE = 0.2  # of the pause
_WAKE = b"\0"  # no signal has this number


class Waiting:
    """One epoll for everything that a reader of exits may have to wait for.

    Args:
        rings: descriptors that are readable while there are records.
        targets: processes whose ends are of interest.

    Attributes:
        reader_left: whether the descriptor given to watch() has lost its reader.

    Raises OSError if the process may have no more descriptors.
    """

    def __init__(self, rings: "Iterable[int]", targets: "Collection[Targets]") -> None:
        self._rings = tuple(rings)
        self._targets = targets
        self._reader: int | None = None
        self.reader_left = False
        self._woken = False
        self._others: int | None = None  # while we wait: where signals were written before
        self._epoll = select.epoll()
        try:
            self._wakes, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            self._epoll.close()
            raise
        try:
            pidfds = [fd for held in targets for fd in held.pidfds()]
            for fd in (*self._rings, self._wakes, *pidfds):
                self._epoll.register(fd, select.EPOLLIN)
        except OSError:
            self.close()
            raise

    def fileno(self) -> int:
        """Return the epoll's descriptor. Raises ValueError once it is closed."""
        return self._epoll.fileno()

    def wake(self) -> None:
        """End wait(), now and from now on."""
        self._woken = True
        _write(self._waker, _WAKE)

    def wake_on(self, descriptor: int) -> None:
        """Have wait() end, too, while a descriptor is readable."""
        self._epoll.register(descriptor, select.EPOLLIN)

    def watch(self, descriptor: int) -> None:
        """Have wait() end, too, when nobody reads from the other end of a pipe or socket."""
        try:
            self._epoll.register(descriptor, 0)
        except PermissionError:
            return  # a file, which epoll does not take
        except FileExistsError:
            pass
        self._reader = descriptor

    def unwatch(self) -> None:
        """Take back watch()."""
        reader, self._reader, self.reader_left = self._reader, None, False
        if reader is not None:
            try:
                self._epoll.unregister(reader)
            except OSError:
                pass  # its owner has closed it

    def wait(self, timeout: float | None) -> bool:
        """Wait until something has happened, or for so many seconds; None: for ever.

        Returns whether anything else has happened than that records came.

        A signal that has a handler ends it, too: a handler runs between two instructions of
        Python. If the signal came just before the system call that waits, the handler would have to
        wait for the end of that call.
        """
        others = self._others = _wake_on_signals(self._waker) if timeout != 0 else None
        try:
            ready = self._epoll.poll(timeout)
        finally:
            self._leave_signals()
        for fd, _ in ready:
            if fd == self._reader:
                self.reader_left = True
            elif fd == self._wakes:
                self._take_signals(others)
        self.reap()
        return any(fd not in self._rings for fd, _ in ready)

    def _take_signals(self, others: int | None) -> None:
        """Take the numbers of signals; pass them on to the descriptor that was there before."""
        numbers = os.read(self._wakes, 4096).replace(_WAKE, b"")
        if numbers and others is not None and others >= 0:
            _write(others, numbers)
        if self._woken:
            self.wake()  # from now on

    def reap(self) -> list[int]:
        """Return the PIDs of targets that have ended since the last look."""
        return [pid for held in self._targets for pid in held.reap(self._epoll)]

    def _leave_signals(self) -> None:
        others, self._others = self._others, None
        if others is not None:
            signal.set_wakeup_fd(others)

    def close(self) -> None:
        """Close the descriptors; the targets stay."""
        self._leave_signals()  # still ours in a child that was forked while a thread waited here
        self._epoll.close()
        os.close(self._wakes)
        os.close(self._waker)


def _wake_on_signals(descriptor: int) -> int | None:
    """Have signals write to a descriptor; return the one before, None if that is not for us."""
    try:
        return signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)
    except ValueError:  # only the main thread runs handlers
        return None


def _write(descriptor: int, text: bytes) -> None:
    try:
        os.write(descriptor, text)
    except BlockingIOError:
        pass  # full, so whoever reads it wakes up


class Pace:
    """When to read next: at once, or after a pause in which more may come.

    Args:
        pause_s: the longest pause, in seconds. It is PAUSE_S, if that is less, where so many come
            that the buffer could fill up meanwhile.

    Attributes:
        behind: whether there may be more to read, though no descriptor says so.
        longest_s: the longest pause.
    """

    def __init__(self, pause_s: float = PAUSE_S) -> None:
        self.behind = False
        self.longest_s = pause_s
        self._busy = self._was_behind = False
        self._read_at = 0.0

    def note(self, exits: int, *, anything: bool, complete: bool) -> None:
        """Take note of a read: how many exits, any record at all, all that were there."""
        now = time.monotonic()
        self._was_behind = self.behind
        self.behind = not complete
        soon = now - self._read_at < _ALONE * self.longest_s
        self._busy = self.behind or exits > 1 or soon
        if anything:
            self._read_at = now

    @property
    def hurries(self) -> bool:
        """Whether more come than are read, or did just now."""
        return self.behind or self._was_behind

    def pause_s(self) -> float:
        """Return how long to pause before the next read, in seconds."""
        if self.behind or not self._busy:
            return 0
        return min(PAUSE_S, self.longest_s) if self._was_behind else self.longest_s
