"""Bytes from the kernel -> Exit.

The kernel's words are translated here, once: its tgid is our pid, its pid is our tid, its
real_parent->tgid our ppid. _native/event.h defines the bytes.
"""

import struct
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from exitsnoop import status as wait_status
from exitsnoop.causes import Cause

EVENT = struct.Struct("=QQIIIH?x16s")
EVENT_FIELDS = (
    "boot_ns",
    "start_boot_ns",
    "pid",
    "tid",
    "ppid",
    "status",
    "last_thread",
    "raw_comm",
)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Exit(NamedTuple):
    """One process that ended, or one thread when tracing per thread.

    Take the parts by name; their order and number will change.

    Attributes:
        boot_ns: when it exited, nanoseconds of the boot clock (CLOCK_BOOTTIME).
        start_boot_ns: when the process was created, same clock; exec does not change it.
        pid: the process.
        tid: the thread; equals pid in the record of a process.
        ppid: the parent at that time.
        status: the wait status, as waitpid gives it to the parent (see the os.W* functions). For a
            thread that was not its process's last, what it ended with itself.
        last_thread: whether the process ended with it: False only for other threads, per thread.
        raw_comm: the name as the kernel has it, 16 bytes filled up with NUL.
        wall_ns: when it exited, nanoseconds since the epoch.
        cause: why, if traced with why; None for a thread after which its process went on.

    PIDs are those of the initial PID namespace.
    """

    boot_ns: int
    start_boot_ns: int
    pid: int
    tid: int
    ppid: int
    status: int
    last_thread: bool
    raw_comm: bytes
    wall_ns: int
    cause: Cause | None = None

    def __repr__(self) -> str:
        return (
            f"Exit(pid={self.pid}, tid={self.tid}, ppid={self.ppid}, comm={self.comm!r}, "
            f"age={self.age}, status={self.status:#x} <{wait_status.describe(self.status)}>)"
        )

    @property
    def comm(self) -> str:
        """The name of the process (of the thread, per thread), at most 15 bytes.

        Any character may be in it. Invalid UTF-8 becomes U+FFFD.
        """
        return self.raw_comm.partition(b"\0")[0].decode("utf-8", "replace")

    @property
    def time(self) -> datetime:
        """When it exited, in UTC, to the microsecond."""
        return _EPOCH + timedelta(microseconds=self.wall_ns // 1000)

    @property
    def age(self) -> float:
        """How long it lived, in seconds to the microsecond, time in suspend included."""
        return (self.boot_ns - self.start_boot_ns) // 1000 / 1_000_000

    @property
    def exit_code(self) -> int | None:
        """What it exited with, 0-255; None if a signal ended it."""
        return wait_status.exit_code(self.status)

    @property
    def signal(self) -> int | None:
        """The signal that ended it, 1-64; None if it exited."""
        return wait_status.signal(self.status)

    @property
    def signal_name(self) -> str | None:
        """That signal's kernel name with SIG, such as "SIGSEGV" or "SIGRTMIN+2"."""
        number = self.signal
        return None if number is None else f"SIG{wait_status.signal_name(number)}"

    @property
    def core_dumped(self) -> bool:
        """Whether the kernel wrote a core."""
        return wait_status.core_dumped(self.status)


def decode(block: "bytes | memoryview", wall_offset_ns: int) -> list[Exit]:
    """Return the exits of a block of whole records, in their order.

    Raises struct.error if the block's size is not that of whole records.
    """
    make = Exit._make
    return [make((*event, event[0] + wall_offset_ns, None)) for event in EVENT.iter_unpack(block)]
