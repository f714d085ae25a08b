"""Processes named by PID: whether they exist, and when all of them have ended."""

import os

from exitsnoop.errors import NoSuchProcess
from exitsnoop.host.processes import all_pids, stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    import select
    from collections.abc import Iterable, Iterator


class Targets:
    """Processes held by pidfd, so that the next process with the same PID is not mistaken for one.

    A pidfd becomes readable after the last thread has passed sched_process_exit (exit_notify()
    wakes it), so the record of the exit is in the ring by then. A zombie has ended.

    Raises NoSuchProcess.
    """

    def __init__(self, pids: "Iterable[int]") -> None:
        self._pids: dict[int, int] = {}
        try:
            for pid in pids:
                self._pids[_open(pid)] = pid
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Targets":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def all_ended(self) -> bool:
        """Whether all of them have ended."""
        return not self._pids

    def pidfds(self) -> list[int]:
        """Return a descriptor for each process that is not known to have ended."""
        return list(self._pids)

    def reap(self, epoll: "select.epoll") -> list[int]:
        """Return the PIDs that have ended since the last call, and forget them."""
        if not self._pids:
            return []
        ended = []
        for pidfd in _readable(self._pids):
            epoll.unregister(pidfd)
            os.close(pidfd)
            ended.append(self._pids.pop(pidfd))
        return ended

    def close(self) -> None:
        """Close the descriptors. Harmless when closed."""
        while self._pids:
            pidfd, _ = self._pids.popitem()
            os.close(pidfd)


def descendants(pids: "Iterable[int]") -> "Iterator[int]":
    """Iterate over the processes below these, in the order in which they are found.

    A caller that registers each one before it asks for the next misses none that is alive, if it
    is informed of every new child of a registered process.
    """
    known = set(pids)
    found = True
    while found:
        found = False
        for pid in all_pids():
            if pid not in known and _parent(pid) in known:
                known.add(pid)
                found = True
                yield pid


def has_ended(pid: int) -> bool:
    """Return whether a process is gone, or a zombie."""
    try:
        os.close(_open(pid))
    except NoSuchProcess:
        return True
    return False


def _open(pid: int) -> int:
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        raise NoSuchProcess(f"there is no process {pid}", pid) from None
    except OSError:
        process = _process_of_thread(pid)
        if process is None:
            raise
        raise NoSuchProcess(f"{pid} is a thread of process {process}: name that one", pid) from None
    try:
        ended = _readable([pidfd])
    except BaseException:
        os.close(pidfd)
        raise
    if ended:
        os.close(pidfd)
        raise NoSuchProcess(f"process {pid} has ended: it is a zombie, not waited for", pid)
    return pidfd


def _readable(fds: "Iterable[int]") -> list[int]:
    import select  # most runs do without

    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    return [fd for fd, _ in poll.poll(0)]


def _parent(pid: int) -> int | None:
    try:
        return int(stat(pid)[1])
    except OSError:
        return None  # it has ended


def _process_of_thread(tid: int) -> int | None:
    try:
        with open(f"/proc/{tid}/status", "rb") as lines:
            processes = (int(line.split()[1]) for line in lines if line.startswith(b"Tgid:"))
            process = next(processes, tid)
    except OSError:
        return None
    return process if process != tid else None
