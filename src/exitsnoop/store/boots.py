"""The boot of this machine that exits belong to."""

import os
import time
from typing import NamedTuple

from exitsnoop.host import clock


class Boot(NamedTuple):
    """A boot of a machine.

    Attributes:
        boot_id: the kernel's random id of it.
        kernel: release of the kernel.
        hostname, machine_id: of the machine; None if unknown.
        began_ns: when the boot clock was 0, in nanoseconds since the epoch.
    """

    boot_id: str
    kernel: str
    hostname: str | None
    machine_id: str | None
    began_ns: int


def this_boot() -> Boot:
    """Return the boot that this process runs in."""
    machine = os.uname()
    return Boot(
        _read("/proc/sys/kernel/random/boot_id") or f"unknown-{clock.wall_offset_ns()}",
        machine.release,
        machine.nodename,
        _read("/etc/machine-id"),
        clock.wall_offset_ns(),
    )


def boot_clock_ns() -> int:
    """Return the boot clock."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip() or None
    except (OSError, UnicodeDecodeError):
        return None
