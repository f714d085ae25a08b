"""Cause: why a process ended, with the evidence. The kinds of cause, and their signals.

causes/ decides which kind it was.
"""

from typing import Literal, NamedTuple, get_args

from exitsnoop.model.cgroup import Container
from exitsnoop.model.context import Ancestor
from exitsnoop.model.status import SIGNALS

CauseKind = Literal[
    "exited",
    "killed",
    "self",
    "abort",
    "fault",
    "oom",
    "seccomp",
    "pipe",
    "timer",
    "cpu_limit",
    "file_limit",
    "terminal",
    "hangup",
    "parent_death",
    "namespace",
    "tracer",
    "other_thread",
    "kernel",
    "unknown",
]
"""What can end a process; docs/causes.md explains each."""

KINDS: tuple[CauseKind, ...] = get_args(CauseKind)

HUP, INT, QUIT, ABRT, KILL, PIPE, XCPU, XFSZ, SYS = (
    SIGNALS[name] for name in "HUP INT QUIT ABRT KILL PIPE XCPU XFSZ SYS".split()
)
REQUESTS = {SIGNALS[name] for name in "HUP INT QUIT ABRT TERM XCPU".split()}
"""Signals that ask a process to end."""
PATIENCE_S = 90
"""What was so long before the end at most had to do with it: it is how long systemd waits."""
ILL, TRAP, BUS, FPE, SEGV = FAULTS = tuple(
    SIGNALS[name] for name in "ILL TRAP BUS FPE SEGV".split()
)
IO = SIGNALS["IO"]
TSTP = SIGNALS["TSTP"]
STOPS = {TSTP, *(SIGNALS[name] for name in "STOP TTIN TTOU".split())}
WITH_CODES = {*FAULTS, SYS, SIGNALS["CHLD"]}
"""Signals whose positive si_codes are their own; others can have those of SIGIO."""
ALRM, VTALRM, PROF = TIMERS = tuple(SIGNALS[name] for name in "ALRM VTALRM PROF".split())

# Kinds that come only with some signals. A filter for such kinds is also one for these signals,
# which the BPF program can decide.
SIGNALS_OF_KIND: dict[str, set[int]] = {
    "exited": set(),
    "abort": {ABRT},
    "fault": set(FAULTS),
    "oom": {KILL},
    "seccomp": {SYS, KILL},
    "pipe": {PIPE},
    "cpu_limit": {XCPU, KILL},
    "file_limit": {XFSZ},
    "terminal": {INT, QUIT},
    "hangup": {HUP},
    "namespace": {KILL, HUP, INT},
}


ENDS_WITH_CODE = {"exited", "other_thread"}
"""Kinds that come with exit codes; all others only with signals."""


class Sender(NamedTuple):
    """A process that sent a signal, or that was running when the kernel sent it.

    Attributes:
        pid, ppid: of the initial PID namespace.
        comm: its name; invalid UTF-8 is U+FFFD.
        uid: its real user, of the initial user namespace.
        args: the first 128 bytes of its arguments; None if they could not be read.
        args_truncated: whether there were more.
        tid: its thread, if that is not the first one; None if it is.
        user: the name of its user, on the machine that traced it; None if it has none, or if the
            name service did not answer in time.
        exe: path of its executable, as /proc/PID/exe shows it.
        cgroup: path of its cgroup.
        unit: the systemd unit that the cgroup belongs to.
        container: the container that the cgroup belongs to.
        pod: UID of the Kubernetes pod that the cgroup belongs to.
        ancestors: its parent, that one's parent, and so on, the nearest first, at most 32.
        container_name: what people call the container.
        pod_name, namespace: name of the pod, and its Kubernetes namespace.
        meant_for: killed: what it meant: "process", "thread", "process group", "cgroup", or "every
            process" (all that it may send a signal to); None if that is unknown.

    From user on, it is as it was when it sent the signal; what is unknown is None.
    """

    pid: int
    ppid: int
    comm: str
    uid: int
    args: tuple[str, ...] | None = None
    args_truncated: bool = False
    tid: int | None = None
    user: str | None = None
    exe: str | None = None
    cgroup: str | None = None
    unit: str | None = None
    container: Container | None = None
    pod: str | None = None
    ancestors: tuple[Ancestor, ...] | None = None
    container_name: str | None = None
    pod_name: str | None = None
    namespace: str | None = None
    meant_for: str | None = None


class Thread(NamedTuple):
    """A thread of the process.

    Attributes:
        tid: of the initial PID namespace.
        comm: its name; invalid UTF-8 is U+FFFD.
    """

    tid: int
    comm: str


class At(NamedTuple):
    """A place in a program.

    Attributes:
        module: path of the file that is mapped there, as the process sees it; " (deleted)" is at
            its end if it was removed. None if no file is mapped there.
        build_id: of the file, in hexadecimal digits.
        offset: in the file, in bytes; of a caller's frame: where it would have gone on.
        function: its name, mangled as in the file; None if the file has no symbol for it.
        function_offset: how far in the function.
    """

    module: str | None
    build_id: str | None = None
    offset: int | None = None
    function: str | None = None
    function_offset: int | None = None


MappingKind = Literal["file", "heap", "stack", "guard", "reserved", "anonymous", "hugetlb", "none"]


class Mapped(NamedTuple):
    """What lies at an address.

    Attributes:
        kind: "guard": a page that stands guard at the end of a stack, or a few that nobody may use.
            "reserved": more of such pages, for memory that is to be used later.
            "anonymous": memory without a file, such as that of mmap(). "none": nothing.
        path: of the file; " (deleted)" is at its end if it was removed.
        offset: of the address in the file, in bytes.
    """

    kind: MappingKind
    path: str | None = None
    offset: int | None = None


class Timer(NamedTuple):
    """A timer of the process's own.

    Attributes:
        clock: of setitimer() and alarm() the timer's name, such as "ITIMER_REAL"; of timer_create()
            the clock's, such as "CLOCK_MONOTONIC".
        interval: the seconds after which it goes off again; 0 if once; None if that is unknown.
    """

    clock: str
    interval: float | None = None


HANDLED = (
    *("handled", "ignored", "blocked", "waiting", "stopped", "dumping core", "stopping"),
    "init without handler",
)
"""What a process did with a signal that came before its end; After explains each."""


class After(NamedTuple):
    """A signal that a process handled, ignored or blocked before it ended in another way.

    Or a signal that was about to end it, until it was killed while it dumped core.

    Attributes:
        signal: its number.
        signal_name: its name, such as "SIGTERM".
        seconds: how long before the end it was sent.
        kind: where it came from, as the kind of a Cause.
        handled: what the process did with it: "handled", "ignored", "blocked"; "waiting" or
            "stopped" if it still waited, though nothing blocked it, in the latter case because
            the process was stopped; "dumping core" if a SIGKILL came while it did; "stopping" if
            this signal had stopped the process, until the SIGKILL; "init without handler" if it
            is the init of a PID namespace: the kernel drops what such a process does not handle.
        sender, address, tty, limit: the evidence, as in a Cause.
        earlier: names of other signals that asked it to end before this one, the oldest first.
        text: what the text of the Cause says of it, such as "a segfault reading 0x40 in demo
            load+0x5"; None if it leaves it out, because the end had hardly to do with it.
        syscall, thread, access, at, timer, path: more evidence, as in a Cause.
    """

    signal: int
    signal_name: str
    seconds: float
    kind: CauseKind
    handled: str
    sender: Sender | None = None
    address: int | None = None
    tty: str | None = None
    limit: int | None = None
    earlier: tuple[str, ...] | None = None
    text: str | None = None
    syscall: int | None = None
    thread: Thread | None = None
    access: str | None = None
    at: At | None = None
    timer: Timer | None = None
    path: str | None = None


class Oom(NamedTuple):
    """What the OOM killer found, in bytes.

    Attributes:
        anon, file, shmem: resident memory of the process when it was chosen.
        cgroup: path of the memory cgroup that hit its limit; None if the whole system was out of
            memory.
        limit: the limit of that cgroup.
        trigger: the process that asked for memory.
        usage: what was charged to that cgroup.
        cgroup_anon: of it, memory of processes.
        cgroup_file: page cache of files, without shmem.
        cgroup_shmem: files in a tmpfs, and shared memory.
        cgroup_kernel: what the kernel itself kept for the cgroup.
        cgroup_sock: buffers of sockets.
        swap: what the process had in swap.
    """

    anon: int
    file: int
    shmem: int
    cgroup: str | None
    limit: int | None
    trigger: Sender
    usage: int | None = None
    cgroup_anon: int | None = None
    cgroup_file: int | None = None
    cgroup_shmem: int | None = None
    cgroup_kernel: int | None = None
    cgroup_sock: int | None = None
    swap: int | None = None


class Cause(NamedTuple):
    """Why a process ended, with the evidence. What does not belong to the kind is None.

    Attributes:
        kind: what ended it; docs/causes.md explains each kind.
        text: one line for a person. It may quote names of processes, so it may contain any
            character.
        sender: killed: the process that sent the signal. parent_death, hangup: the process that
            died.
            tracer: the tracer, which died, or made the signal up. namespace: the init that died,
            or the process that called reboot(2).
        how: killed: "kill", "tgkill", "sigqueue"; None if the kernel sent it for the sender.
        si_code: the si_code of the signal by name, such as "SEGV_MAPERR".
        address: fault: the address; None if the kernel gave none.
        thread: the thread that had a fault, called abort(), or took a signal that dumps core.
            other_thread: the one that ended the process.
        access: fault: "read", "write" or "execute": what it tried at the address (x86).
        trap: fault: what the CPU reported, where si_code has no word for it, such as "general
            protection" (x86).
        at: the instruction that had the fault, or where the thread was when it took a signal that
            dumps core.
        stack: where it was called from, the innermost first; the first is `at` if that is known.
        stack_complete: whether the stack reaches the start of the thread.
        mapping: fault: what lies at the address.
        timer: timer: which one.
        path: file_limit: the file that reached the limit; None if it is unknown.
        meant_for: self: "process group" if it sent the signal to all of that; None if to itself,
            or if that is unknown.
        reraised: True if the process sent itself the signal again, after it had handled it;
            the cause is that of the first one.
        after: the last such signal before another end.
        syscall: seccomp: the number of the system call.
        limit: cpu_limit: seconds. file_limit: bytes.
        tty: terminal, hangup: the terminal, such as "pts/3".
        oom: oom: the figures.
    """

    kind: CauseKind
    text: str
    sender: Sender | None = None
    how: str | None = None
    si_code: str | None = None
    address: int | None = None
    syscall: int | None = None
    limit: int | None = None
    tty: str | None = None
    oom: Oom | None = None
    thread: Thread | None = None
    access: str | None = None
    trap: str | None = None
    reraised: bool | None = None
    after: After | None = None
    at: At | None = None
    stack: tuple[At, ...] | None = None
    stack_complete: bool | None = None
    mapping: Mapped | None = None
    timer: Timer | None = None
    path: str | None = None
    meant_for: str | None = None
