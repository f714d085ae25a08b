"""What processes run: their executable and arguments, from exec to exit.

The BPF programs report every exec and fork; what ran before is looked up in /proc once.
"""

import contextlib
import os
from bisect import insort
from collections import deque
from typing import NamedTuple

from exitsnoop.decode.notes import Process, path, require
from exitsnoop.decode.structs import only, whole
from exitsnoop.host.processes import all_pids, exists, stat
from exitsnoop.layout import (
    EXEC_IMAGE,
    FORKED,
    GONE,
    IMAGE_ARGS_UNREAD,
    LEFT,
    MAX_ARGS_BYTES,
    MAX_REPORTED,
)
from exitsnoop.model.context import Image

_HEAD = only(
    "exec_image",
    *("start_boot_ns", "peak_pages", "all_args_bytes", "pid", "flags", "exe_bytes", "args_bytes"),
    "exec_id",
)
_FORKED = only("forked", "start_boot_ns", "parent_start_boot_ns", "exec_id", "pid", "parent_pid")
_GONE = whole("gone")
_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_SWEEP_AT_LEAST = 4096


class Running(NamedTuple):
    """What a process runs: its image, None if that is unknown.

    earlier_peak_pages is the peak of the memory of images before it; exec_id counts its execs, as
    the kernel does. Both are None if they are unknown.
    """

    image: Image | None
    earlier_peak_pages: int | None
    exec_id: int | None


class Images:
    """The images of all processes that may end."""

    def __init__(self) -> None:
        self._running: dict[Process, Running] = {}
        self._starts: dict[int, list[int]] = {}  # by PID, of those in _running, the latest last
        self._before: dict[int, tuple[int, Running]] = {}  # by PID: start in ticks
        self._retired: deque[Process] = deque()
        self._sweep_at = _SWEEP_AT_LEAST

    def add(self, kind: int, record: bytes) -> None:
        """Take note of an exec, a fork, or an end that is not reported. Raises struct.error."""
        if kind == EXEC_IMAGE:
            self._exec(record)
        elif kind == FORKED:
            started, parent_started, exec_id, pid, parent = _FORKED.unpack(record)
            above = self.get(parent, parent_started)
            if above and above.exec_id not in (None, exec_id):
                above = None  # the parent's last exec was not reported
            self._set(pid, started, Running(above.image if above else None, 0, exec_id))
        elif kind == GONE:
            _, _, started, pid = _GONE.unpack(record)
            self.forget(pid, started)
        else:
            require(kind == LEFT and len(record) == _GONE.size)

    def start_of(self, pid: int, thread_boot_ns: int) -> int:
        """Return when the process of a thread started, to a tick; -1 if it is unknown.

        thread_boot_ns: when the thread was created: whatever has the PID later started after that.
        """
        for start_boot_ns in reversed(self._starts.get(pid, ())):
            if start_boot_ns <= thread_boot_ns:
                return start_boot_ns
        ticks, _ = self._before.get(pid, (None, None))
        return -1 if ticks is None else ticks * _TICK_NS

    def get(self, pid: int, start_boot_ns: int) -> Running | None:
        """Return what a process runs."""
        known = self._running.get((pid, start_boot_ns))
        if known:
            return known
        ticks, running = self._before.get(pid, (-1, None))
        return running if ticks == start_boot_ns // _TICK_NS else None

    def forget(self, pid: int, start_boot_ns: int) -> None:
        """Drop a process that has ended."""
        if self._running.pop((pid, start_boot_ns), None):
            self._starts[pid].remove(start_boot_ns)
            if not self._starts[pid]:
                del self._starts[pid]
        ticks, _ = self._before.get(pid, (None, None))
        if ticks == start_boot_ns // _TICK_NS:
            del self._before[pid]

    def retire(self, pid: int, start_boot_ns: int) -> None:
        """Forget a process, but only after MAX_REPORTED more: its threads may be reported later."""
        self._retired.append((pid, start_boot_ns))
        if len(self._retired) > MAX_REPORTED:
            self.forget(*self._retired.popleft())

    def scan(self) -> None:
        """Look up what runs now. Processes whose files may not be read stay unknown."""
        for pid in all_pids():
            with contextlib.suppress(OSError):  # it has ended
                self._before[pid] = _look_up(pid)

    def _exec(self, record: bytes) -> None:
        started, peak, all_args_bytes, pid, flags, exe_bytes, args_bytes, exec_id = (
            _HEAD.unpack_from(record)
        )
        require(len(record) == _HEAD.size + exe_bytes + args_bytes)
        at = _HEAD.size + exe_bytes
        exe = path(record[_HEAD.size : at])
        raw_args = None if flags & IMAGE_ARGS_UNREAD else record[at : at + args_bytes]
        self._set(pid, started, Running(Image(exe, raw_args, all_args_bytes), peak, exec_id))

    def _set(self, pid: int, start_boot_ns: int, running: Running) -> None:
        if (pid, start_boot_ns) not in self._running:
            insort(self._starts.setdefault(pid, []), start_boot_ns)
        self._running[pid, start_boot_ns] = running
        if len(self._running) > self._sweep_at:
            self._sweep()

    def _sweep(self) -> None:
        """Forget processes that ended unreported, because the buffer was full."""
        ended = [process for process in self._running if not exists(process[0])]
        # The exits of the youngest ones may not have been read yet.
        for pid, start_boot_ns in ended[: len(ended) // 2]:
            self.forget(pid, start_boot_ns)
        self._sweep_at = max(_SWEEP_AT_LEAST, 2 * len(self._running))


def _look_up(pid: int) -> tuple[int, Running]:
    """Return a process's start in clock ticks, and its image. Raises OSError."""
    ticks = int(stat(pid)[19])
    image = _image_of(str(pid))
    if image is None:  # a kernel thread; or the leader has ended, and other threads have not
        for tid in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                image = image or _image_of(f"{pid}/task/{tid}")
    return ticks, Running(image, None, None)


def _image_of(process: str) -> Image | None:
    """Return the image that /proc has of a process, or of a thread. Raises OSError."""
    with open(f"/proc/{process}/cmdline", "rb") as file:
        raw_args = file.read(MAX_ARGS_BYTES + 1)
    exe = None
    with contextlib.suppress(OSError):  # not ours to see, or a kernel thread
        exe = os.fsencode(os.readlink(f"/proc/{process}/exe")).decode("utf-8", "replace")
    if not raw_args and exe is None:
        return None
    return Image(exe, raw_args[:MAX_ARGS_BYTES], len(raw_args))
