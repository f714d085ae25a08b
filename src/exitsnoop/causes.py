"""Evidence -> Cause: who or what ended a process. Pure functions, no input or output.

RULES is the table of verdicts: the first rule that holds is the cause. A rule names the
evidence that it needs; if no rule has its evidence, the cause is unknown. Which task is `current`
when the kernel sends a signal of each kind, and which siginfo it sends, was found in the sources of
v5.10 to v7.3 and by experiment.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from exitsnoop import layout, traps
from exitsnoop.decode.signals import NOBODY, Evidence
from exitsnoop.model import status as wait_status
from exitsnoop.model.cause import (
    ABRT,
    ALRM,
    BUS,
    FAULTS,
    FPE,
    HUP,
    ILL,
    INT,
    KILL,
    PIPE,
    QUIT,
    SEGV,
    SYS,
    TIMERS,
    VTALRM,
    XCPU,
    XFSZ,
    Cause,
    CauseKind,
    Oom,
    Sender,
)
from exitsnoop.model.words import (
    SHELLS,
    human_bytes,
    quoted,
    shell_meaning,
    si_code_name,
    syscall_name,
)

# include/uapi/asm-generic/siginfo.h
SI_USER, SI_QUEUE, SI_TIMER, SI_MESGQ, SI_ASYNCIO, SI_SIGIO, SI_TKILL = 0, -1, -2, -3, -4, -5, -6
SI_KERNEL = 0x80
SYS_SECCOMP = 1
SEGV_ACCERR = 2
_MIB = 1 << 20
_GAP = 120 * _MIB
_FRAMES = 256 << 10  # arguments, environment, the frame of a signal
_RED_ZONE = 256  # what a function may use below its stack pointer, and a push
_OF_THE_KERNEL = {SI_MESGQ, SI_ASYNCIO, SI_SIGIO}
_HOW = {SI_USER: "kill", SI_QUEUE: "sigqueue", SI_TKILL: "tgkill"}


class _Case:
    """A process that was ended by a signal: its evidence in the words of the rules."""

    def __init__(self, signal: int, evidence: Evidence, pid: int) -> None:
        self.kind: CauseKind = "unknown"  # until a rule holds
        self.signal = signal
        self.evidence = evidence
        self.pid = pid
        flags = evidence.flags
        self.seen = bool(flags & layout.EVIDENCE_SEEN)
        self.oom = bool(flags & layout.EVIDENCE_OOM)
        self.several = bool(flags & layout.EVIDENCE_SEVERAL)
        self.filtered = bool(flags & layout.EVIDENCE_SECCOMP)
        self.by_kernel = bool(flags & layout.EVIDENCE_KERNEL)
        self.for_sender = bool(flags & layout.EVIDENCE_NO_INFO)
        self.by_itself = bool(flags & layout.EVIDENCE_SELF)
        self.sender_dies = bool(flags & layout.EVIDENCE_SENDER_EXITING)
        self.sender_is_init = bool(flags & layout.EVIDENCE_SENDER_IS_INIT)
        self.sender_traces = bool(flags & layout.EVIDENCE_SENDER_TRACES)
        self.sender_goes_on = bool(flags & layout.EVIDENCE_SENDER_GOES_ON)
        self.wanted = bool(flags & layout.EVIDENCE_PDEATHSIG)
        self.reboots = bool(flags & layout.EVIDENCE_REBOOT)
        self.in_exec = bool(flags & layout.EVIDENCE_IN_EXEC)
        # The siginfo that came with it, if any did.
        self.si_code = None if self.by_kernel or self.for_sender else evidence.si_code
        # A timer sends its own siginfo; one from a system call with the same code is forged.
        self.by_timer = self.si_code == SI_TIMER and not flags & layout.EVIDENCE_OF_SENDER
        # The kernel forces only faults on a process; the process itself may claim SI_KERNEL.
        self.contradicts = (
            self.si_code == SI_KERNEL
            and self.by_itself
            and bool(flags & layout.EVIDENCE_OF_SENDER)
            and signal not in FAULTS
        )
        self.by_process = self.si_code is not None and (
            self.si_code <= 0 and self.si_code not in _OF_THE_KERNEL and not self.by_timer
        )

    def with_evidence(self, evidence: Evidence, pid: int) -> "_Case":
        """Return the same case for evidence that differs only in what no rule looks at."""
        case = _Case.__new__(_Case)
        vars(case).update(vars(self), evidence=evidence, pid=pid)
        return case

    @property
    def name(self) -> str:
        return f"SIG{wait_status.signal_name(self.signal)}"

    @property
    def has_fault(self) -> bool:
        return self.signal in FAULTS and self.si_code is not None and self.si_code > 0

    def below_limit(self, address: int) -> int:
        """Return how far below the limit of the first thread's stack an address is, about."""
        limit, start = self.evidence.limit, self.evidence.stack_start
        return -1 << 64 if limit is None or not start else start - address - limit

    def at_end_of_stack(self, stack_pointer: int) -> bool:
        """Whether the address is just below the stack pointer, or that points to no memory."""
        above = self.evidence.address - stack_pointer
        gone = bool(self.evidence.flags & layout.EVIDENCE_NO_STACK)
        return -_RED_ZONE <= above < 0 or (above >= 0 and gone)

    @property
    def hit_cpu_limit(self) -> bool:
        if self.evidence.limit is None:
            return False
        return self.signal == XCPU or (self.signal == KILL and self.by_itself)


class _Rule(NamedTuple):
    kind: CauseKind
    holds: Callable[[_Case], bool]
    tell: Callable[[_Case], Cause]


def judge(status: int, evidence: Evidence | None, *, pid: int = 0, comm: str = "") -> Cause:
    """Return the cause of an end with this wait status.

    evidence: what is known of the signal; None if nothing is. pid, comm: of the process.
    """
    signal = wait_status.signal(status)
    if signal is None:
        return _exited(status >> 8 & 0xFF, comm in SHELLS)
    known = evidence or _NOTHING
    case, tell = _decided(
        signal, known.flags, known.si_code, known.limit is not None, bool(known.tty)
    )
    return tell(case.with_evidence(known, pid))


_NOTHING = Evidence(0, NOBODY)


@lru_cache(maxsize=1024)
def _decided(
    signal: int, flags: int, si_code: int, limited: bool, on_terminal: bool
) -> "tuple[_Case, Callable[[_Case], Cause]]":
    """Return a case with its kind, and what tells its cause.

    The rules look only at these parts of the evidence, which repeat.
    """
    stub = Evidence(
        flags, NOBODY, si_code, limit=0 if limited else None, tty="tty" if on_terminal else ""
    )
    case = _Case(signal, stub, 0)
    for rule in RULES:
        if rule.holds(case):
            case.kind = rule.kind
            return case, rule.tell
    raise AssertionError("the last rule always holds")


@lru_cache(maxsize=256)
def _exited(code: int, by_shell: bool) -> Cause:
    meaning = shell_meaning(code) if by_shell else None
    return Cause("exited", f"exit {code}: {meaning}" if meaning else f"exit {code}")


def named(sender: Sender) -> str:
    """Return the name and the PID of a process."""
    return f"{quoted(sender.comm)}[{sender.pid}]"


def _cause(case: _Case, text: str, sender: Sender | None = None, **more: Any) -> Cause:
    code = case.evidence.si_code  # without siginfo the kernel fills in the same
    if case.by_kernel:
        code = SI_KERNEL
    name = si_code_name(case.signal, code) if case.seen else None
    return Cause(case.kind, text, sender, si_code=name, **more)


def _oom(case: _Case) -> Cause:
    trigger, memory = case.evidence.sender, case.evidence.memory
    if memory is None or not case.seen:
        return _cause(case, "out of memory")
    where = "system"
    if memory.cgroup is not None and memory.limit is not None:
        where = f"cgroup {memory.cgroup} limit {human_bytes(memory.limit)}"
    text = f"out of memory: {where}, anon {human_bytes(memory.anon)}"
    text = f"{text}, triggered by {named(trigger)}"
    return _cause(case, text, oom=Oom(*memory, trigger=trigger))


def _seccomp(case: _Case) -> Cause:
    if not case.seen:
        return _cause(case, "a system call that seccomp forbids")
    number = case.evidence.syscall
    name = syscall_name(number, case.evidence.syscall_arch)
    text = f"system call {number}{f' ({name})' if name else ''}, forbidden by seccomp"
    return _cause(case, text, syscall=number)


def _fault(case: _Case) -> Cause:
    words = {
        SEGV: "segfault",
        BUS: "bus error",
        FPE: "arithmetic fault",
        ILL: "illegal instruction",
    }
    text = words.get(case.signal, "trap")
    code = si_code_name(case.signal, case.si_code or 0)
    thread, where = case.evidence.thread, ""
    if thread and thread.tid != case.pid:
        where = f", thread {quoted(thread.comm)}[{thread.tid}]"
    address = case.evidence.address
    # The first: a fault for which the CPU gives no address. The other: x86 gives none, and reports
    # 0, which is aligned.
    if case.si_code == SI_KERNEL or (not address and code == "BUS_ADRALN"):
        trap = traps.reason(case.signal, case.evidence.trap)
        overflow = ", stack overflow" if trap == traps.NO_ROOM and _is_stack_overflow(case) else ""
        text = f"{text}{f', {trap}' if trap else ''} ({code}){overflow}{where}"
        return _cause(case, text, thread=thread, trap=trap)
    access = traps.access(address, case.evidence.trap)
    doing = f"{traps.DOING[access]} " if access else "at "
    overflow = ", stack overflow" if _is_stack_overflow(case) else ""
    text = f"{text} {doing}{address:#x} ({code}){overflow}{where}"
    return _cause(case, text, address=address, thread=thread, access=access)


def _is_stack_overflow(case: _Case) -> bool:
    """Whether a stack has reached its end: its limit, or the guard page of a thread's.

    The kernel measures the limit from the end of the stack's mapping, which is above stack_start by
    the size of arguments and environment. A large frame reaches below the limit. Then the stack
    pointer is there, too; nothing else is mapped in the 128 MiB below stack_start (mmap_base() in
    arch/x86/mm/mmap.c).
    """
    trap, address = case.evidence.trap, case.evidence.address
    if case.signal != SEGV:
        return False
    if case.si_code == SI_KERNEL:
        return trap is not None and -_FRAMES <= case.below_limit(trap.stack_pointer) <= _GAP
    if -_FRAMES <= case.below_limit(address) <= _MIB:
        return True
    if trap is None or not case.at_end_of_stack(trap.stack_pointer):
        return False
    if case.evidence.thread and case.evidence.thread.tid != case.pid:
        return case.si_code == SEGV_ACCERR or traps.access(address, trap) == "write"
    return 0 <= case.below_limit(address) <= _GAP


def _killed(case: _Case) -> Cause:
    sender = case.evidence.sender
    text = f"killed by {named(sender)} uid {sender.uid} ({case.name})"
    how = None if case.si_code is None else _HOW.get(case.si_code, "sigqueue")
    return _cause(case, text, sender, how=how)


def _timer(case: _Case) -> Cause:
    if case.si_code == SI_TIMER:
        return _cause(case, f"timer (timer_create, {case.name})")
    words = {ALRM: "alarm or interval timer", VTALRM: "interval timer of user CPU time"}
    return _cause(case, f"{words.get(case.signal, 'interval timer of CPU time')} ({case.name})")


def _cpu_limit(case: _Case) -> Cause:
    limit = case.evidence.limit
    return _cause(case, f"CPU time limit of {limit} s ({case.name})", limit=limit)


def _file_limit(case: _Case) -> Cause:
    limit = case.evidence.limit
    size = "" if limit is None else f" of {human_bytes(limit)}"
    return _cause(case, f"file size limit{size} ({case.name})", limit=limit)


def _tty(case: _Case) -> str | None:
    name = case.evidence.tty
    return f"pts/{name[3:]}" if name.startswith("pts") else name or None


def _terminal(case: _Case) -> Cause:
    tty = _tty(case)
    key = "ctrl-c" if case.signal == INT else "ctrl-\\"
    return _cause(case, f"{key} on {tty}", tty=tty)


def _hangup(case: _Case) -> Cause:
    tty = _tty(case)
    return _cause(case, f"hangup of {tty}" if tty else "hangup of the terminal", tty=tty)


def _parent_death(case: _Case) -> Cause:
    sender = case.evidence.sender
    who = f"parent {named(sender)} died"
    if case.sender_goes_on:
        who = f"thread {sender.tid or sender.pid} of parent {named(sender)} ended"
    return _cause(case, f"{who} (PDEATHSIG)", sender)


def _namespace(case: _Case) -> Cause:
    sender = case.evidence.sender
    text = f"init {named(sender)} of its PID namespace died"
    return _cause(case, text, sender)


def _reboot(case: _Case) -> Cause:
    """The kernel gives the init of a namespace SIGHUP for a restart, SIGINT else."""
    what = "restarted" if case.signal == HUP else "halted or powered off"
    if not case.seen:
        return _cause(case, f"its PID namespace was {what} (reboot)")
    sender = case.evidence.sender
    text = f"its PID namespace was {what} by {named(sender)} (reboot)"
    return _cause(case, text, sender)


def _tracer(case: _Case) -> Cause:
    sender = case.evidence.sender
    return _cause(case, f"tracer {named(sender)} died (EXITKILL)", sender)


def _kernel(case: _Case) -> Cause:
    return _cause(case, f"{case.name} from the kernel")


def _unknown(case: _Case) -> Cause:
    why = "not seen being sent"
    if case.several:
        why = "sent by several processes, the first is unknown"
    elif case.contradicts:
        why = "sent by the process to itself, marked as from the kernel"
    return _cause(case, f"{case.name}, {why}")


def _abort(case: _Case) -> Cause:
    return _cause(case, "abort()", thread=case.evidence.thread)


# The order matters: rules with more evidence, and with evidence that cannot be forged, come first.
RULES = (
    _Rule("namespace", lambda c: c.reboots, _reboot),
    _Rule("oom", lambda c: c.signal == KILL and c.oom and (c.by_kernel or not c.seen), _oom),
    _Rule("seccomp", lambda c: c.signal == SYS and c.filtered and not c.seen, _seccomp),
    _Rule("unknown", lambda c: not c.seen or c.several or c.contradicts, _unknown),
    _Rule("seccomp", lambda c: c.signal == SYS and c.si_code == SYS_SECCOMP, _seccomp),
    _Rule(
        "kernel",
        lambda c: c.in_exec and c.signal == SEGV and c.si_code == SI_KERNEL and c.by_itself,
        lambda c: _cause(c, "exec failed when the old program was gone: the new one never ran"),
    ),
    _Rule("fault", lambda c: c.has_fault, _fault),
    _Rule("tracer", lambda c: c.by_kernel and c.sender_traces and c.sender_dies, _tracer),
    _Rule("namespace", lambda c: c.by_kernel and c.sender_is_init and c.sender_dies, _namespace),
    _Rule("cpu_limit", lambda c: c.by_kernel and c.hit_cpu_limit, _cpu_limit),
    _Rule("timer", lambda c: c.by_kernel and c.signal in TIMERS, _timer),
    _Rule(
        "terminal",
        lambda c: c.by_kernel and c.signal in (INT, QUIT) and bool(c.evidence.tty),
        _terminal,
    ),
    _Rule("hangup", lambda c: c.by_kernel and c.signal == HUP, _hangup),
    _Rule("parent_death", lambda c: c.for_sender and c.wanted and c.sender_dies, _parent_death),
    _Rule(
        "pipe",
        lambda c: c.for_sender and c.signal == PIPE and c.by_itself,
        lambda c: _cause(c, "closed pipe"),
    ),
    _Rule("file_limit", lambda c: c.for_sender and c.signal == XFSZ and c.by_itself, _file_limit),
    _Rule("killed", lambda c: c.for_sender and not c.by_itself, _killed),
    _Rule("timer", lambda c: c.by_timer, _timer),
    _Rule(
        "abort",
        lambda c: c.signal == ABRT and c.by_itself and c.si_code == SI_TKILL,
        _abort,
    ),
    _Rule(
        "self",
        lambda c: c.by_itself and (c.by_process or c.for_sender),
        lambda c: _cause(c, f"sent itself {c.name}"),
    ),
    _Rule("killed", lambda c: c.by_process, _killed),
    _Rule("kernel", lambda _: True, _kernel),
)
