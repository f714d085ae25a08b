"""What is known of a signal, in the words of the rules.

Which task is `current` when the kernel sends a signal of each kind, and which siginfo it sends, was
found in the sources of v5.10 to v7.3 and by experiment.
"""

from typing import Any

from exitsnoop import layout
from exitsnoop.decode.signals import Evidence
from exitsnoop.model import status as wait_status
from exitsnoop.model.cause import FAULTS, KILL, XCPU, Cause, CauseKind, Sender
from exitsnoop.model.words import quoted, si_code_name

# include/uapi/asm-generic/siginfo.h
SI_USER, SI_QUEUE, SI_TIMER, SI_MESGQ, SI_ASYNCIO, SI_SIGIO, SI_TKILL = 0, -1, -2, -3, -4, -5, -6
SI_KERNEL = 0x80
_OF_THE_KERNEL = {SI_MESGQ, SI_ASYNCIO, SI_SIGIO}
_RED_ZONE = 256  # what a function may use below its stack pointer, and a push


class Case:
    """A process that was ended by a signal: its evidence in the words of the rules."""

    def __init__(self, signal: int, evidence: Evidence) -> None:
        self.kind: CauseKind = "unknown"  # until a rule holds
        self.signal = signal
        self.evidence = evidence
        self.pid = self.ppid = 0
        self.names_thread = True
        flags = evidence.flags
        self.seen = bool(flags & layout.EVIDENCE_SEEN)
        self.forgotten = bool(flags & layout.EVIDENCE_FORGOTTEN)
        self.oom = bool(flags & layout.EVIDENCE_OOM)
        self.several = bool(flags & layout.EVIDENCE_SEVERAL)
        self.filtered = bool(flags & layout.EVIDENCE_SECCOMP)
        self.strict = bool(flags & layout.EVIDENCE_STRICT)
        self.traced = bool(flags & layout.EVIDENCE_TRACED)
        self.by_kernel = bool(flags & layout.EVIDENCE_KERNEL)
        self.for_sender = bool(flags & layout.EVIDENCE_NO_INFO)
        self.by_itself = bool(flags & layout.EVIDENCE_SELF)
        self.sender_dies = bool(flags & layout.EVIDENCE_SENDER_EXITING)
        self.sender_is_init = bool(flags & layout.EVIDENCE_SENDER_IS_INIT)
        self.sender_traces = bool(flags & layout.EVIDENCE_SENDER_TRACES)
        self.sender_goes_on = bool(flags & layout.EVIDENCE_SENDER_GOES_ON)
        self.wanted = bool(flags & layout.EVIDENCE_PDEATHSIG)
        self.reboots = bool(flags & layout.EVIDENCE_REBOOT)
        self.of_tracer = bool(flags & layout.EVIDENCE_OF_TRACER)
        self.of_realtime = bool(flags & layout.EVIDENCE_REALTIME)
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
        # The C library itself tells a process of the end of its asynchronous I/O.
        of_kernel = self.si_code in _OF_THE_KERNEL and not (
            self.si_code == SI_ASYNCIO and self.by_itself and flags & layout.EVIDENCE_OF_SENDER
        )
        self.by_process = self.si_code is not None and (
            self.si_code <= 0 and not of_kernel and not self.by_timer
        )

    def with_evidence(
        self, evidence: Evidence, pid: int, ppid: int, *, names_thread: bool
    ) -> "Case":
        """Return the same case for evidence that differs only in what no rule looks at."""
        case = Case.__new__(Case)
        case.__dict__ = vars(self).copy()  # in half the time of an update
        case.evidence = evidence
        case.pid = pid
        case.ppid = ppid
        case.names_thread = names_thread
        return case

    @property
    def name(self) -> str:
        """The signal by name, such as "SIGTERM"."""
        return f"SIG{wait_status.signal_name(self.signal)}"

    @property
    def has_fault(self) -> bool:
        """Whether the kernel raised the signal for a fault."""
        return self.signal in FAULTS and self.si_code is not None and self.si_code > 0

    @property
    def in_thread(self) -> str:
        """Which thread it was, for a sentence; "" for the first one, or if another text has it."""
        thread = self.evidence.thread
        if not self.names_thread or not thread or thread.tid == self.pid:
            return ""
        return f", thread {quoted(thread.comm)}[{thread.tid}]"

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
        """Whether the process has used as much CPU time as it may."""
        if self.evidence.limit is None:
            return False
        return self.signal == XCPU or (self.signal == KILL and self.by_itself)

    def cause(self, text: str, sender: Sender | None = None, **more: Any) -> Cause:
        """Return a cause of the kind of the rule that holds."""
        code = self.evidence.si_code  # without siginfo the kernel fills in the same
        if self.by_kernel:
            code = SI_KERNEL
        code_name = si_code_name(self.signal, code) if self.seen else None
        if (site := self.evidence.site) and not self.in_exec:
            more = {
                "thread": site.thread,
                "at": site.at,
                "stack": site.stack or None,
                "stack_complete": site.complete if site.stack else None,
                **{name: known for name, known in more.items() if known is not None},
            }
        return Cause(self.kind, text, sender, si_code=code_name, **more)
