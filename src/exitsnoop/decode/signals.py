"""What the kernel side knows of the signal that ended a process: bytes -> Evidence.

_native/bpf/event.h defines the bytes.
"""

import os
import struct
from typing import NamedTuple

from exitsnoop.decode.notes import Process, path, require, text
from exitsnoop.model.cause import Sender
from exitsnoop.model.context import split_args

SIGNAL = struct.Struct("=QQQQQQIIiiIIIIII16s16s128s")
OOM = struct.Struct("=QQQIIQQQQ2048s")
_PAGE = os.sysconf("SC_PAGESIZE")
_UNLIMITED = 1 << 63


class Flags:
    """Bits of Evidence.flags: enum signal_evidence_flags of event.h, which says what each means."""

    SEEN = 1 << 0
    OOM = 1 << 1
    SECCOMP = 1 << 2
    TAKES_EFFECT = 1 << 3
    SEVERAL = 1 << 4
    NO_INFO = 1 << 5
    KERNEL = 1 << 6
    SELF = 1 << 7
    SENDER_EXITING = 1 << 8
    SENDER_IS_INIT = 1 << 9
    SENDER_TRACES = 1 << 10
    PDEATHSIG = 1 << 11
    OF_SENDER = 1 << 12


NOBODY = Sender(0, 0, "", 0)  # of a signal that was not seen


class Memory(NamedTuple):
    """The memory of a process as the OOM killer chose it, in bytes, and the limit that was hit.

    cgroup is the path of the memory cgroup whose limit it was; both are None if it was the whole
    system that had no memory left. From 6.2 on the kernel's counters, and so these, may be behind
    by some pages for each CPU.
    """

    anon: int
    file: int
    shmem: int
    cgroup: str | None
    limit: int | None


class Evidence(NamedTuple):
    """Of the signal that ended a process; nothing is judged yet."""

    flags: int
    sender: Sender
    si_code: int = 0
    address: int = 0
    syscall: int = 0
    syscall_arch: int = 0
    limit: int | None = None
    stack_start: int = 0
    tty: str = ""
    memory: Memory | None = None


def signal(record: bytes) -> tuple[Process, Evidence]:
    """Return what is known of a signal that ended a process. Raises struct.error."""
    (
        _,
        _,
        start_boot_ns,
        address,
        stack_start,
        limit,
        pid,
        flags,
        si_code,
        syscall,
        syscall_arch,
        _thread,
        sender_pid,
        sender_ppid,
        sender_uid,
        args_bytes,
        comm,
        tty,
        args,
    ) = SIGNAL.unpack(record)
    if not flags & Flags.SEEN:  # then the rest is what was there before in the kernel's buffer
        return (pid, start_boot_ns), Evidence(flags, NOBODY)
    sender = Sender(
        sender_pid,
        sender_ppid,
        text(comm),
        sender_uid,
        split_args(args[:args_bytes]) if args_bytes else None,
        args_bytes > len(args),
    )
    evidence = Evidence(
        flags,
        sender,
        si_code,
        address,
        syscall,
        syscall_arch,
        limit if limit < _UNLIMITED else None,
        stack_start,
        text(tty),
    )
    return (pid, start_boot_ns), evidence


def memory(record: bytes) -> tuple[Process, Memory]:
    """Return the memory of a process that the OOM killer chose. Raises struct.error."""
    _, _, start_boot_ns, pid, cgroup_bytes, anon, file, shmem, limit, names = OOM.unpack(record)
    require(cgroup_bytes <= len(names))
    cgroup = path(names[:cgroup_bytes])
    found = Memory(
        anon * _PAGE, file * _PAGE, shmem * _PAGE, cgroup, limit * _PAGE if cgroup_bytes else None
    )
    return (pid, start_boot_ns), found
