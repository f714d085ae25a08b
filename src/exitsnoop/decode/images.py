"""What processes run: their executable and arguments, from exec to exit.

The BPF programs report every exec and fork; what ran before is looked up in /proc once.
"""

import contextlib
import os
from bisect import insort
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from exitsnoop.decode.long_images import LONG, LongImages
from exitsnoop.decode.notes import SHORT, Process, path, require, short_path
from exitsnoop.decode.structs import only, whole
from exitsnoop.host.processes import all_pids, exists, stat
from exitsnoop.layout import IMAGE_ARGS_UNREAD, MAX_ARGS_BYTES, MAX_REPORTED
from exitsnoop.model.context import Image

_HEAD = only(
    "exec_image",
    *("start_boot_ns", "peak_pages", "all_args_bytes", "pid", "flags", "exe_bytes", "args_bytes"),
    "exec_id",
)
_FORKED = only("forked", "start_boot_ns", "parent_start_boot_ns", "exec_id", "pid", "parent_pid")
_head, _EXE_AT = _HEAD.unpack_from, _HEAD.size
_forked = _FORKED.unpack
_GONE = whole("gone")
_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_SWEEP_AT_LEAST = 4096
_MOST_THREADS = 64  # that are looked at, until one has not ended


Running = tuple[Image | None, int | None, int | None]
"""What a process runs: its image, earlier_peak_pages, exec_id; each is None if it is unknown.

earlier_peak_pages is the peak of the memory of images before it; exec_id counts its execs, as the
kernel does. A tuple without names is made in a fifth of the time, for each exec and fork.
"""
Quick = tuple[dict[Process, Running] | None, type[Image], Callable[[bytes], str | None], int]
"""The processes that run, None if execs and forks mean more than that; and see _native.pyi."""
IMAGE: Final = 0
EXEC_ID: Final = 2


class Images:
    """The images of all processes that may end.

    Args:
        per_thread: whether each thread of a process is reported. Then a thread may be reported
            after its process, and its record does not say when the process started.
    """

    def __init__(self, *, per_thread: bool = False) -> None:
        self._running: dict[Process, Running] = {}
        # By PID, of those in _running, the latest last.
        self._starts: dict[int, list[int]] | None = {} if per_thread else None
        self._before: dict[int, tuple[int, Running]] = {}  # by PID: start in ticks
        self._retired: deque[Process] = deque()
        self._long = LongImages()
        self._sweep_at = _SWEEP_AT_LEAST

    @property
    def quick(self) -> Quick:
        """What the extension needs to take execs and forks itself, as exec() and fork() do."""
        return self._running if self._starts is None else None, Image, short_path, SHORT

    def fork(self, record: bytes) -> None:
        """Take note of a fork. Raises struct.error, as the three after it."""
        started, parent_started, exec_id, pid, parent = _forked(record)
        above = self._running.get((parent, parent_started)) or self._from_before(
            parent, parent_started
        )
        image = None  # unknown also if the parent's last exec was not reported
        if above and above[EXEC_ID] in (exec_id, None):
            image = above[IMAGE]
        if self._starts is not None:
            self._note_start(pid, started)
        self._running[pid, started] = image, 0, exec_id

    def exec(self, record: bytes) -> None:
        """Take note of an exec."""
        started, peak, all_args_bytes, pid, flags, exe_bytes, args_bytes, exec_id = _head(record)
        at = _EXE_AT + exe_bytes
        if len(record) != at + args_bytes:
            require(False)
        raw_args = None if flags & IMAGE_ARGS_UNREAD else record[at:]
        image = Image(path(record[_EXE_AT:at]), raw_args, all_args_bytes)
        if args_bytes + exe_bytes > LONG:
            self._long.note(image)
        if self._starts is not None:
            self._note_start(pid, started)
        self._running[pid, started] = image, peak, exec_id

    def gone(self, record: bytes) -> Process:
        """Take note of an end that is not reported; return whose it was."""
        _, _, started, pid = _GONE.unpack(record)
        self._forget((pid, started))
        return pid, started

    def left(self, record: bytes) -> None:
        """Check a record that says nothing about images."""
        require(len(record) == _GONE.size)

    def get(self, pid: int, start_boot_ns: int) -> Running | None:
        """Return what a process runs."""
        return self._running.get((pid, start_boot_ns)) or self._from_before(pid, start_boot_ns)

    def take(
        self,
        pids: Sequence[int],
        tids: Sequence[int],
        starts: Sequence[int],
        last_thread: Sequence[bool],
    ) -> list[Running | None]:
        """Return what ran in threads that ended, and forget it if the process ended with them."""
        if self._starts is None:
            took = self._running.pop
            return [
                took(process, None) or self._taken_from_before(process)
                for process in zip(pids, starts, strict=True)
            ]
        return list(map(self._of_thread, pids, tids, starts, last_thread))

    def _of_thread(self, pid: int, tid: int, start_boot_ns: int, last: bool) -> Running | None:
        # The record of another thread than the first does not say when the process started.
        started = start_boot_ns if tid == pid else self._start_of(pid, start_boot_ns)
        running = self.get(pid, started)
        if last:
            self._retire((pid, started))
        return running

    def _start_of(self, pid: int, thread_boot_ns: int) -> int:
        """Return when the process of a thread started, to a tick; -1 if it is unknown.

        thread_boot_ns: when the thread was created: whatever has the PID later started after that.
        """
        for start_boot_ns in reversed((self._starts or {}).get(pid, ())):
            if start_boot_ns <= thread_boot_ns:
                return start_boot_ns
        ticks, _ = self._before.get(pid, (None, None))
        return -1 if ticks is None else ticks * _TICK_NS

    def _retire(self, process: Process) -> None:
        """Forget a process, but only after MAX_REPORTED more.

        Before v6.16, a thread that ended with the last one or before it may be reported after it.
        """
        self._retired.append(process)
        if len(self._retired) > MAX_REPORTED:
            self._forget(self._retired.popleft())

    def _forget(self, process: Process) -> None:
        if self._running.pop(process, None) and self._starts:
            pid, start_boot_ns = process
            self._starts[pid].remove(start_boot_ns)
            if not self._starts[pid]:
                del self._starts[pid]
        self._taken_from_before(process)

    def _from_before(self, pid: int, start_boot_ns: int) -> Running | None:
        """Return what a process that ran before the first report of it runs."""
        found = self._before.get(pid)
        return found[1] if found and found[0] == start_boot_ns // _TICK_NS else None

    def _taken_from_before(self, process: Process) -> Running | None:
        found = self._from_before(*process)
        if found:
            del self._before[process[0]]
        return found

    def scan(self) -> None:
        """Look up what runs now. Processes whose files may not be read stay unknown."""
        for pid in all_pids():
            with contextlib.suppress(OSError):  # it has ended
                self._before[pid] = _, running = _look_up(pid)
                if image := running[IMAGE]:
                    self._long.note(image)

    def _note_start(self, pid: int, start_boot_ns: int) -> None:
        if self._starts is not None and (pid, start_boot_ns) not in self._running:
            insort(self._starts.setdefault(pid, []), start_boot_ns)

    def sweep(self) -> None:
        """Forget processes that ended unreported, as the buffer was full, if there are many."""
        if len(self._running) <= self._sweep_at:
            return
        ended = [process for process in self._running if not exists(process[0])]
        # The exits of the youngest ones may not have been read yet.
        for process in ended[: len(ended) // 2]:
            self._forget(process)
        self._sweep_at = max(_SWEEP_AT_LEAST, 2 * len(self._running))


def _look_up(pid: int) -> tuple[int, Running]:
    """Return a process's start in clock ticks, and its image. Raises OSError."""
    ticks = int(stat(pid)[19])
    image = _image_of(str(pid))
    if image is None:  # a kernel thread; or the leader has ended, and other threads have not
        for tid in os.listdir(f"/proc/{pid}/task")[:_MOST_THREADS]:
            with contextlib.suppress(OSError):
                image = image or _image_of(f"{pid}/task/{tid}")
    return ticks, (image, None, None)


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
