"""What is known of the signal that ended a process: bytes -> Evidence."""

import os
from typing import NamedTuple

from exitsnoop.decode.notes import Process, path, require, text
from exitsnoop.decode.structs import only
from exitsnoop.layout import ARGS_BYTES, EVIDENCE_SEEN
from exitsnoop.model.cause import Sender
from exitsnoop.model.context import split_args

_SIGNAL = only(
    "signal_evidence",
    *("start_boot_ns", "address", "stack_start", "limit", "pid", "flags", "si_code", "syscall"),
    *("syscall_arch", "sender_pid", "sender_ppid", "sender_uid", "sender_args_bytes"),
    *("sender_comm", "tty", "sender_args"),
)
_OOM = only(
    "oom_evidence",
    *("start_boot_ns", "pid", "cgroup_bytes"),
    *("anon_pages", "file_pages", "shmem_pages", "limit_pages", "cgroup"),
)
_PAGE = os.sysconf("SC_PAGESIZE")
_UNLIMITED = 1 << 63
NOBODY = Sender(0, 0, "", 0)  # for a signal that was not seen


class Memory(NamedTuple):
    """The memory of a process when the OOM killer chose it, in bytes, and the limit that was hit.

    cgroup is the path of the memory cgroup that had the limit; both are None if the whole system
    was out of memory. From 6.2 on the kernel's counters, and so these, may be behind by some pages
    for each CPU.
    """

    anon: int
    file: int
    shmem: int
    cgroup: str | None
    limit: int | None


class Evidence(NamedTuple):
    """What is known of the signal that ended a process; nothing is judged yet.

    flags: enum signal_evidence_flags of event.h. The rest is unset without EVIDENCE_SEEN.
    """

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
        start_boot_ns,
        address,
        stack_start,
        limit,
        pid,
        flags,
        si_code,
        syscall,
        syscall_arch,
        sender_pid,
        sender_ppid,
        sender_uid,
        args_bytes,
        comm,
        tty,
        args,
    ) = _SIGNAL.unpack(record)
    if not flags & EVIDENCE_SEEN:  # the rest is what the kernel's buffer had before
        return (pid, start_boot_ns), Evidence(flags, NOBODY)
    sender = Sender(
        sender_pid,
        sender_ppid,
        text(comm),
        sender_uid,
        split_args(args[:args_bytes]) if args_bytes else None,
        args_bytes > ARGS_BYTES,
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
    start_boot_ns, pid, cgroup_bytes, anon, file, shmem, limit, names = _OOM.unpack(record)
    require(cgroup_bytes <= len(names))
    cgroup = path(names[:cgroup_bytes])
    found = Memory(
        anon * _PAGE, file * _PAGE, shmem * _PAGE, cgroup, limit * _PAGE if cgroup_bytes else None
    )
    return (pid, start_boot_ns), found
