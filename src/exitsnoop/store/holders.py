"""Who has a file of the recording locked, as /proc/locks tells whoever may read it."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

_READ_MARKS = range(
    123, 128
)  # WAL_READ_LOCK(0) to (4) in the -shm file: https://sqlite.org/walformat.html


class Holder(NamedTuple):
    """A process that reads.

    Attributes:
        pid: its PID; 0 if it is hidden from this process.
        name: its name; "" if it has ended or is hidden.
        file: what it reads.
    """

    pid: int
    name: str
    file: Path


class _Lock(NamedTuple):
    kind: str
    mode: str
    pid: int
    inode: int
    start: int


def of_lock(file: Path) -> int | None:
    """Return the PID of the process that holds a file locked by flock(); None if there is none.

    It is 0 if the process is hidden from this one.
    """
    inode = _inode(file)
    for lock in _locks():
        if lock.kind == "FLOCK" and lock.inode == inode:
            return max(0, lock.pid)
    return None


def trouble(file: Path) -> int | None:
    """Return why the process that holds the file locked cannot write; None if it can.

    It is a number of trouble.py.
    """
    inode = _inode(file)
    of_file = (lock for lock in _locks() if lock.kind == "POSIX" and lock.inode == inode)
    return next((lock.start for lock in of_file), None)


def is_stopped(pid: int) -> bool:
    """Return whether a signal, or a debugger, has stopped a process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b") ")[2][:1] in (b"T", b"t")
    except OSError:
        return False


def of_transactions(databases: Iterable[Path]) -> list[Holder]:
    """Return the processes that are in a transaction on databases in WAL mode."""
    by_inode = {_inode(Path(f"{path}-shm")): path for path in databases}
    by_inode.pop(None, None)
    return [
        Holder(max(0, lock.pid), _name(lock.pid), by_inode[lock.inode])
        for lock in _locks()
        if lock.mode == "READ" and lock.start in _READ_MARKS and lock.inode in by_inode
    ]


def _locks() -> Iterator[_Lock]:
    try:
        with open("/proc/locks", encoding="utf-8") as lines:
            for line in lines:
                words = line.split()
                if len(words) == 8:  # not one that waits
                    _, kind, _, mode, pid, place, start, _ = words
                    yield _Lock(kind, mode, int(pid), int(place.rpartition(":")[2]), int(start))
    except OSError:
        return


def _inode(file: Path) -> int | None:
    try:
        return os.stat(file).st_ino
    except OSError:
        return None


def _name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().rstrip("\n")
    except OSError:
        return ""
