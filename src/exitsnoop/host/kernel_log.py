"""What the kernel's log says of memory: what filled a cgroup when the OOM killer came.

The kernel adds up what a cgroup holds, logs it (mem_cgroup_print_oom_meminfo()), and then kills. A
tracer can read no figures that are as fresh. It does so for 10 kills in 5 seconds at most.
"""

import contextlib
import os
import re
from typing import NamedTuple

_LOG = "/dev/kmsg"
_LONGEST = 8192  # of a record
_FROM_KERNEL = 7  # priorities up to here have the kernel's facility, which nobody else can use
_MOST = 64  # victims that are remembered

_BLOCK = re.compile(r"Memory cgroup stats for (.+):")
_FIGURE = re.compile(r"(\w+) (\d+)")
_LIMIT = re.compile(r"memory: usage (\d+)kB, limit (\d+)kB, .*")
_KMEM = re.compile(r"kmem: usage (\d+)kB, .*")
_CHOSEN = re.compile(r"oom-kill:constraint=CONSTRAINT_MEMCG,.*,pid=(\d+),uid=\d+")
_GROUP = re.compile(r"Tasks in .* are going to be killed due to memory\.oom\.group set")
_KILLED = re.compile(r"Memory cgroup out of memory: Killed process (\d+) .*")
_BEGIN = re.compile(r".* invoked oom-killer: .*")


class Filled(NamedTuple):
    """What filled a cgroup and those below it, in bytes; None where the kernel does not say.

    Attributes:
        anon: of processes.
        file: page cache of files, without shmem.
        shmem: files in a tmpfs, and shared memory.
        kernel: what the kernel itself keeps for them.
        sock: buffers of sockets.
    """

    anon: int | None
    file: int | None
    shmem: int | None
    kernel: int | None
    sock: int | None


class Told(NamedTuple):
    """An OOM kill for the limit of a cgroup.

    Attributes:
        cgroup: the path of the cgroup.
        limit, usage: its own, in bytes; None where the kernel does not say.
        filled: what filled it.
    """

    cgroup: str
    limit: int | None
    usage: int | None
    filled: Filled


class KernelLog:
    """Reads the kernel's log from when it was opened, as far as it has been written."""

    def __init__(self) -> None:
        self._file: int | None = None
        self._victims: dict[int, Told] = {}
        self._cgroup: str | None = None
        self._figures: dict[str, int] = {}
        self._is_group = False

    def open(self) -> None:
        """Open the log. Without the right to read it, there are no figures."""
        with contextlib.suppress(OSError):
            self._file = os.open(_LOG, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.lseek(self._file, 0, os.SEEK_END)

    def told(self, pid: int) -> Told | None:
        """Return why the OOM killer chose a process.

        None if that was not for the limit of a cgroup, if the log does not have it, or if it could
        not be opened.
        """
        if self._file is None:
            return None
        with contextlib.suppress(OSError):
            self._read(self._file)
        return self._victims.pop(pid, None)

    def _read(self, file: int) -> None:
        while True:
            try:
                record = os.read(file, _LONGEST)
            except BlockingIOError:
                return
            except BrokenPipeError:  # records were overwritten before they could be read
                continue
            head, _, text = record.partition(b";")
            if int(head.partition(b",")[0]) <= _FROM_KERNEL:
                lines = text.decode("utf-8", "replace").partition("\n")[0]
                for line in lines.split("\\x0a"):  # up to v5.19 all figures are one record
                    self._take(line)

    def _take(self, line: str) -> None:
        if found := _FIGURE.fullmatch(line):
            if self._cgroup is not None:
                self._figures[found[1]] = int(found[2])
        elif found := _BLOCK.fullmatch(line):
            self._cgroup = found[1]
        elif found := _LIMIT.fullmatch(line):
            self._figures |= {"usage": int(found[1]) << 10, "limit": int(found[2]) << 10}
        elif found := _KMEM.fullmatch(line):
            self._figures["kmem"] = int(found[1]) << 10
        elif found := _CHOSEN.fullmatch(line):
            self._chose(int(found[1]))
        elif _GROUP.fullmatch(line):
            self._is_group = True
        elif found := _KILLED.fullmatch(line):
            if self._is_group:
                self._chose(int(found[1]))
        elif _BEGIN.fullmatch(line):
            self._cgroup, self._figures, self._is_group = None, {}, False

    def _chose(self, pid: int) -> None:
        if self._cgroup is None:
            return
        if len(self._victims) >= _MOST:
            del self._victims[next(iter(self._victims))]
        limit, usage = map(self._figures.get, ("limit", "usage"))
        self._victims[pid] = Told(self._cgroup, limit, usage, _filled(self._figures))

    def close(self) -> None:
        """Close the log."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _filled(figures: dict[str, int]) -> Filled:
    """Return the figures by their names in version 2 of cgroups, or else in version 1."""
    if "total_rss" in figures:
        anon, cache, shmem, kernel, sock = (
            figures.get(name)
            for name in ("total_rss", "total_cache", "total_shmem", "kmem", "none")
        )
    else:
        anon, cache, shmem, kernel, sock = (
            figures.get(name) for name in ("anon", "file", "shmem", "kernel", "sock")
        )
    file = None if cache is None or shmem is None else cache - shmem
    return Filled(anon, file, shmem, kernel, sock)
