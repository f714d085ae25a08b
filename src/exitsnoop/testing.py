"""Test code that uses exitsnoop without root and without BPF.

make_exit() makes up an exit. Inside fake_kernel() a Tracer gets the exits that the test reports:

>>> with fake_kernel() as kernel, exitsnoop.Tracer() as tracer:
...     kernel.report(make_exit(pid=42, exit_code=3))
...     tracer.stop()
...     assert [ended.pid for ended in tracer] == [42]
"""

import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from exitsnoop.decode.exits import EVENT, EVENT_FIELDS
from exitsnoop.kernel import session
from exitsnoop.model.exit import Exit

__all__ = ["FakeKernel", "FakeSession", "fake_kernel", "make_exit"]

_SECOND_NS = 1_000_000_000
_STATUS = EVENT_FIELDS.index("status")
_RECORD_BYTES = 8 + EVENT.size  # the ring buffer puts 8 bytes before each record
_CLOSED = "the session is closed"


def make_exit(
    *,
    comm: str = "sh",
    exit_code: int = 0,
    signal: int | None = None,
    core_dumped: bool = False,
    age: float = 1.0,
    **attributes: Any,
) -> Exit:
    """Return an exit with these attributes; the others have plain values, or are None.

    By default it is process 1000, a child of 1 that ended with exit(0) after a second.

    Args:
        comm: the name, at most 15 bytes.
        exit_code: what it exited with.
        signal: the signal that ended it; then exit_code does not matter.
        core_dumped: whether it left a core; only with a signal.
        age: how long it lived, in seconds.
        attributes: any other attribute that Exit stores, such as pid, status, cause, uid or args.

    Raises TypeError for a name that is not an attribute of Exit.
    """
    boot_ns = attributes.get("boot_ns", 10_000 * _SECOND_NS)
    pid = attributes.get("pid", 1000)
    known = {
        "boot_ns": boot_ns,
        "start_boot_ns": boot_ns - round(age * _SECOND_NS),
        "pid": pid,
        "tid": pid,
        "ppid": 1,
        "status": exit_code << 8 if signal is None else signal | core_dumped << 7,
        "raw_comm": comm.encode()[:15].ljust(16, b"\0"),
        "wall_ns": 1_600_000_000 * _SECOND_NS,
    }
    return Exit(**{**known, **attributes})


class FakeSession:
    """Stands in for a loaded and attached BPF program. A FakeKernel makes them.

    It has the methods of the extension's Session. The buffer has the requested size; exits
    that find no room in it are counted as lost.

    Attributes:
        programs: the BPF programs that the Tracer asked for.
        tunables: their settings, by name.
        variant: the build of the program that was chosen.
        closed: whether the Tracer has closed it.
    """

    def __init__(
        self,
        *,
        variant: str,
        tunables: dict[str, bytes],
        programs: tuple[str, ...],
        maps: dict[str, tuple[int, list[tuple[bytes, bytes]]]],
        ring_bytes: int,
        ring_nodes: tuple[int, ...],
    ) -> None:
        self.variant = variant
        self.programs = programs
        self.tunables = tunables
        self.closed = False
        self._tree = dict(maps["tree"][1]) if "tree" in maps else None
        self._room = len(ring_nodes) * (ring_bytes // _RECORD_BYTES)
        self._lock = threading.Lock()
        self._records: deque[tuple[bytes, Sequence[bytes]]] = deque()
        self._corrupt = False
        self._lost = 0
        self._ring = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def filenos(self) -> tuple[int, ...]:
        """Return a descriptor that is readable while there are records."""
        self._require_open()
        return (self._ring,)

    def drain(self, most: int) -> tuple[bytes, list[bytes], bool]:
        """Return (exits, notes, complete), as the extension does."""
        self._require_open()
        with self._lock:
            if self._corrupt and not self._records:
                raise ValueError("a record from the BPF program has no size of event.h")
            taken = [self._records.popleft() for _ in range(min(most, len(self._records)))]
            complete = not self._records
            if complete and taken:
                self._clear_ring()
        notes = [note for _, with_exit in taken for note in with_exit]
        return b"".join(record for record, _ in taken), notes, complete

    def look(self) -> tuple[int, bool]:
        """Return (bytes, presses), as the extension does; notes never press."""
        self._require_open()
        with self._lock:
            self._clear_ring()
            statuses = [EVENT.unpack(record)[_STATUS] for record, _ in self._records]
            size = sum(len(record) + sum(map(len, notes)) for record, notes in self._records)
        return size, any(status & 0x7F for status in statuses)

    def join_tree(self, pid: bytes, start: bytes) -> bool:
        """Add a process to the tree; return False if it is there."""
        tree = self._require_tree()
        return tree.setdefault(pid, start) is start

    def leave_tree(self, pid: bytes) -> None:
        """Remove a process from the tree."""
        self._require_tree().pop(pid, None)

    def tree_members(self) -> int:
        """Return how many processes the tree has."""
        return len(self._require_tree())

    def lost(self) -> tuple[int, int]:
        """Return how many exits could not be delivered, and 0: no filter is at work."""
        self._require_open()
        return self._lost, 0

    def settle(self) -> None:
        """Return at once: every loss has been counted."""
        self._require_open()

    def signals_recorded(self) -> int:
        """Return 0: no signals are seen here."""
        self._require_open()
        return 0

    def detach(self) -> None:
        """Do nothing: a test reports what it wants to."""
        self._require_open()

    def close(self) -> None:
        """Free the descriptor. Harmless when closed."""
        if not self.closed:
            self.closed = True
            os.close(self._ring)

    def put(self, record: bytes, notes: Sequence[bytes] = ()) -> None:
        """Put a record of an exit, and the notes before it, into the buffer."""
        with self._lock:
            if len(self._records) >= self._room:
                self._lost += 1
                return
            self._records.append((record, notes))
            os.eventfd_write(self._ring, 1)

    def lose(self, exits: int) -> None:
        """Count more exits as lost."""
        self._lost += exits

    def corrupt(self) -> None:
        """Put a record that cannot be decoded into the buffer, after those that are there."""
        with self._lock:
            self._corrupt = True
            os.eventfd_write(self._ring, 1)

    def _clear_ring(self) -> None:
        if not self._corrupt:
            with suppress(BlockingIOError):  # nothing has come since the last time
                os.eventfd_read(self._ring)

    def _require_open(self) -> None:
        if self.closed:
            raise ValueError(_CLOSED)

    def _require_tree(self) -> dict[bytes, bytes]:
        self._require_open()
        if self._tree is None:
            raise ValueError("no tree was planned")
        return self._tree


class FakeKernel:
    """Reports the exits that a test makes up to every open Tracer. fake_kernel() makes one.

    Attributes:
        sessions: a FakeSession for each Tracer, in the order in which they began.
    """

    def __init__(self) -> None:
        self.sessions: list[FakeSession] = []
        self._refusal: Exception | None = None

    def report(self, *exits: Exit, notes: Sequence[bytes] = ()) -> None:
        """Report exits, which have happened in this order. Any thread may call this.

        A Tracer gets what the BPF program sends of each exit; `wall_ns` follows from `boot_ns`.
        Filters that the kernel decides are not applied; those of causes and containers are.

        Args:
            exits: what make_exit() returns.
            notes: records of other kinds, as in event.h, to come before them.
        """
        for ended in exits:
            record = EVENT.pack(*(getattr(ended, name) for name in EVENT_FIELDS))
            for opened in self._open():
                opened.put(record, notes)
            notes = ()

    def lose(self, exits: int) -> None:
        """Have this many exits lost."""
        for opened in self._open():
            opened.lose(exits)

    def corrupt(self) -> None:
        """Send a record that cannot be decoded: reading raises MalformedRecord."""
        for opened in self._open():
            opened.corrupt()

    def refuse(self, error: Exception) -> None:
        """Refuse every Tracer from now on with this error, such as NotPermitted."""
        self._refusal = error

    def _open(self) -> list[FakeSession]:
        return [opened for opened in self.sessions if not opened.closed]

    def _attach(self, **plan: Any) -> FakeSession:
        if self._refusal:
            raise self._refusal
        opened = FakeSession(**plan)
        self.sessions.append(opened)
        return opened


@contextmanager
def fake_kernel() -> Iterator[FakeKernel]:
    """Let every Tracer that begins in this block trace a FakeKernel.

    PIDs in `pids`, `tree` and `ppids` must be those of real processes: their ends are waited for.
    """
    kernel = FakeKernel()
    before = session.stand_in
    session.stand_in = kernel._attach  # noqa: SLF001 - of this module
    try:
        yield kernel
    finally:
        session.stand_in = before
