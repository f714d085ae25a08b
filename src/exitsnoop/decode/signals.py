"""What is known of the signal that ended a process: bytes -> Evidence."""

import os
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple

from exitsnoop.decode.notes import Process, path, require, text
from exitsnoop.decode.sites import Site
from exitsnoop.decode.structs import only
from exitsnoop.host.kernel_log import Filled
from exitsnoop.layout import (
    ARGS_BYTES,
    EVIDENCE_SEEN,
    EVIDENCE_SENDER_CALL,
    EVIDENCE_TRACED,
    EVIDENCE_TRAP,
)
from exitsnoop.model.cause import Sender, Thread
from exitsnoop.model.context import split_args

_SIGNAL = only(
    "signal_evidence",
    *("start_boot_ns", "sent_boot_ns", "address", "stack_start", "trap_error", "system_call"),
    *("instruction", "stack_pointer", "limit", "origin", "sender_argument", "sender_options"),
    "timer_ns",
    *("pid", "uid", "flags", "si_code", "syscall"),
    *(
        "syscall_arch",
        "thread",
        "handler",
        "forced",
        "signal",
        "trap",
        "sender_pid",
        "sender_tid",
        "sender_ppid",
        "sender_uid",
        "sender_args_bytes",
        "sender_call",
        "timer_clock",
        "earlier",
    ),
    *("thread_comm", "code", "sender_comm", "tty", "sender_args"),
)
_OOM = only(
    "oom_evidence",
    *("start_boot_ns", "pid", "cgroup_bytes"),
    *("anon_pages", "file_pages", "shmem_pages", "swap_pages", "limit_pages", "usage_pages"),
    "cgroup",
)
_PAGE = os.sysconf("SC_PAGESIZE")
_UNLIMITED = 1 << 63
NOBODY = Sender(0, 0, "", 0)  # for a signal that was not seen


class Memory(NamedTuple):
    """The memory of a process when the OOM killer chose it, in bytes, and the limit that was hit.

    cgroup is the path of the memory cgroup that had the limit, usage what was charged to it; all
    three are None if the whole system was out of memory. What fills the cgroup is in `filled`, if
    the kernel's log has it. From 6.2 on the kernel's counters of a process, and so these, may be
    behind by some pages for each CPU.
    """

    anon: int
    file: int
    shmem: int
    swap: int
    cgroup: str | None
    limit: int | None
    usage: int | None
    filled: Filled | None = None


class Trap(NamedTuple):
    """What an x86 CPU said of the last exception in a thread, and where the thread is.

    system_call: the number of the system call that it is in; -1 for none. instruction: the address
    of its instruction; code: the bytes there, zeros if they are not in memory. forced: what the
    kernel may have forced the signal for, enum forced_flags.
    """

    number: int
    error: int
    system_call: int
    instruction: int
    code: bytes
    stack_pointer: int
    forced: int = 0


class Call(NamedTuple):
    """The system call that a sender was in: its number, the first argument, the fourth."""

    number: int
    argument: int
    options: int


class Evidence(NamedTuple):
    """What is known of the signal that ended a process; nothing is judged yet.

    flags: enum signal_evidence_flags of event.h. The rest is unset without EVIDENCE_SEEN. thread:
    that it was sent to; None if it was sent to the process. trap and call are None if they are
    unknown. uid: the user of the process. origin: of the sender, see origins.py. handler: of a
    fault that was handled, enum handler_state. site: where that thread was, if the signal dumps
    core. timer_ns: of a timer, how often it goes off; 0: once; None if that is unknown.
    timer_clock: of timer_create(), CLOCK_..., if timer_ns is known. earlier: of a request that was
    handled: those before it, the last one in the lowest byte.
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
    thread: Thread | None = None
    trap: Trap | None = None
    signal: int = 0
    sent_boot_ns: int = 0
    uid: int = 0
    origin: int = 0
    call: Call | None = None
    handler: int = 0
    timer_ns: int | None = None
    timer_clock: int = 0
    earlier: int = 0
    site: Site | None = None


# In a fraction of the time of Sender(...) and so on.
_sender: Callable[[tuple[Any, ...]], Sender] = partial(tuple.__new__, Sender)
_evidence: Callable[[tuple[Any, ...]], Evidence] = partial(tuple.__new__, Evidence)
_thread: Callable[[tuple[Any, ...]], Thread] = partial(tuple.__new__, Thread)
_trap: Callable[[tuple[Any, ...]], Trap] = partial(tuple.__new__, Trap)
_args = lru_cache(maxsize=256)(split_args)
_UNKNOWN = NOBODY[7:]  # what Origins fills in
_NOT_SENT = Evidence(0, NOBODY)[21:]


def from_sender(found: Evidence, known: tuple[Any, ...]) -> Evidence:
    """Return evidence with what is known of its sender: the parts of a Sender from `user` on."""
    flags, sender, *rest = found
    return _evidence((flags, _sender((*sender[:7], *known)), *rest))


def with_site(found: Evidence, where: Site) -> Evidence:
    """Return evidence with where its thread was."""
    return _evidence((*found[:-1], where))


def signal(record: bytes) -> tuple[Process, Evidence]:
    """Return what is known of a signal that ended a process. Raises struct.error."""
    (
        start_boot_ns,
        sent_boot_ns,
        address,
        stack_start,
        trap_error,
        system_call,
        instruction,
        stack_pointer,
        limit,
        origin,
        argument,
        options,
        timer_ns,
        pid,
        uid,
        flags,
        si_code,
        syscall,
        syscall_arch,
        thread,
        handler,
        forced,
        number,
        trap,
        sender_pid,
        sender_tid,
        sender_ppid,
        sender_uid,
        args_bytes,
        call,
        timer_clock,
        earlier,
        thread_comm,
        code,
        comm,
        tty,
        args,
    ) = _SIGNAL.unpack(record)
    if not flags & EVIDENCE_SEEN:  # the rest is what the kernel's buffer had before
        tracer = Sender(sender_pid, 0, text(comm), 0) if flags & EVIDENCE_TRACED else NOBODY
        return (pid, start_boot_ns), Evidence(flags, tracer)
    sender = _sender(
        (
            sender_pid,
            sender_ppid,
            text(comm),
            sender_uid,
            _args(args[:args_bytes]) if args_bytes else None,
            args_bytes > ARGS_BYTES,
            None if sender_tid == sender_pid else sender_tid,
            *_UNKNOWN,
        )
    )
    evidence = _evidence(
        (
            flags,
            sender,
            si_code,
            address,
            syscall,
            syscall_arch,
            limit if limit < _UNLIMITED else None,
            stack_start,
            text(tty),
            None,
            _thread((thread, text(thread_comm))) if thread else None,
            _trap(
                (
                    trap,
                    trap_error,
                    system_call - (system_call >> 63 << 64),
                    instruction,
                    code,
                    stack_pointer,
                    forced,
                )
            )
            if flags & EVIDENCE_TRAP
            else None,
            number,
            sent_boot_ns,
            uid,
            origin,
            Call(call, argument, options) if flags & EVIDENCE_SENDER_CALL else None,
            handler,
            timer_ns if timer_ns < _UNLIMITED else None,
            timer_clock,
            earlier,
            *_NOT_SENT,
        )
    )
    return (pid, start_boot_ns), evidence


def memory(record: bytes) -> tuple[Process, Memory]:
    """Return the memory of a process that the OOM killer chose. Raises struct.error."""
    start_boot_ns, pid, cgroup_bytes, anon, file, shmem, swap, limit, usage, names = _OOM.unpack(
        record
    )
    require(cgroup_bytes <= len(names))
    cgroup = path(names[:cgroup_bytes])
    found = Memory(
        anon * _PAGE,
        file * _PAGE,
        shmem * _PAGE,
        swap * _PAGE,
        cgroup,
        limit * _PAGE if cgroup_bytes else None,
        usage * _PAGE if cgroup_bytes else None,
    )
    return (pid, start_boot_ns), found
