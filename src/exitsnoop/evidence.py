"""What the kernel side knows of the signal that ended a process: bytes -> Evidence.

_native/event.h defines the bytes.
"""

import os
import struct
from collections.abc import Iterator
from enum import IntFlag
from typing import NamedTuple

SIGNAL = struct.Struct("=QQQQIIiiIIIIII16s16s128s")
OOM = struct.Struct("=QIIQQQQ2048s")
_SIZE = struct.Struct("=Q")
_PAGE = os.sysconf("SC_PAGESIZE")
_UNLIMITED = 1 << 63


class Flags(IntFlag):
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


class Sender(NamedTuple):
    """A process that sent a signal, or was at work when the kernel did.

    Attributes:
        pid, ppid: of the initial PID namespace.
        comm: its name; invalid UTF-8 is U+FFFD.
        uid: its real user, of the initial user namespace.
        args: its arguments, as far as 128 bytes hold them; None if they could not be had.
        args_truncated: whether there were more.
    """

    pid: int
    ppid: int
    comm: str
    uid: int
    args: tuple[str, ...] | None = None
    args_truncated: bool = False


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

    flags: Flags
    sender: Sender
    si_code: int = 0
    address: int = 0
    syscall: int = 0
    syscall_arch: int = 0
    limit: int | None = None
    stack_start: int = 0
    tty: str = ""
    memory: Memory | None = None


Process = tuple[int, int]
"""(pid, start_boot_ns): not a PID alone, which may be used again."""


def decode(block: bytes) -> Iterator[tuple[Process, Evidence | Memory]]:
    """Iterate over the records of a block, each after its size."""
    at = 0
    while at < len(block):
        (size,) = _SIZE.unpack_from(block, at)
        record = block[at + _SIZE.size : at + _SIZE.size + size]
        yield _signal(record) if size == SIGNAL.size else _memory(record)
        at += _SIZE.size + size


def _signal(record: bytes) -> tuple[Process, Evidence]:
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
        _thread,
        sender_pid,
        sender_ppid,
        sender_uid,
        args_bytes,
        comm,
        tty,
        args,
    ) = SIGNAL.unpack(record)
    sender = Sender(
        sender_pid,
        sender_ppid,
        _text(comm),
        sender_uid,
        _args(args[:args_bytes]),
        args_bytes > len(args),
    )
    evidence = Evidence(
        Flags(flags),
        sender,
        si_code,
        address,
        syscall,
        syscall_arch,
        limit if limit < _UNLIMITED else None,
        stack_start,
        _text(tty),
    )
    return (pid, start_boot_ns), evidence


def _memory(record: bytes) -> tuple[Process, Memory]:
    start_boot_ns, pid, cgroup_bytes, anon, file, shmem, limit, names = OOM.unpack(record)
    cgroup = _cgroup(names[:cgroup_bytes]) if cgroup_bytes else None
    memory = Memory(
        anon * _PAGE, file * _PAGE, shmem * _PAGE, cgroup, limit * _PAGE if cgroup_bytes else None
    )
    return (pid, start_boot_ns), memory


def _cgroup(names: bytes) -> str:
    """Return the path of names that start with the last; "..." stands for what did not fit."""
    *nearest_first, top = names.decode("utf-8", "replace").removesuffix("\0").split("\0")
    if top:
        nearest_first += [top, "..."]
    return "/" + "/".join(reversed(nearest_first))


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode("utf-8", "replace")


def _args(raw: bytes) -> tuple[str, ...] | None:
    if not raw:
        return None
    return tuple(arg.decode("utf-8", "replace") for arg in raw.removesuffix(b"\0").split(b"\0"))
