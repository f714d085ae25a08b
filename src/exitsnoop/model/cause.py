"""Cause: why a process ended, with what proves it; the kinds, and the signals they come with.

causes.py judges.
"""

from typing import NamedTuple

from exitsnoop.model.status import SIGNALS

KINDS = (
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
    "kernel",
    "unknown",
)

HUP, INT, QUIT, ABRT, KILL, PIPE, XCPU, XFSZ, SYS = (
    SIGNALS[name] for name in "HUP INT QUIT ABRT KILL PIPE XCPU XFSZ SYS".split()
)
ILL, TRAP, BUS, FPE, SEGV = FAULTS = tuple(
    SIGNALS[name] for name in "ILL TRAP BUS FPE SEGV".split()
)
ALRM, VTALRM, PROF = TIMERS = tuple(SIGNALS[name] for name in "ALRM VTALRM PROF".split())

# Kinds that come with some signals only: the kernel side sends no others where these are asked for.
SIGNALS_OF_KIND: dict[str, set[int]] = {
    "exited": set(),
    "abort": {ABRT},
    "fault": set(FAULTS),
    "oom": {KILL},
    "seccomp": {SYS},
    "pipe": {PIPE},
    "cpu_limit": {XCPU, KILL},
    "file_limit": {XFSZ},
    "terminal": {INT, QUIT},
    "hangup": {HUP},
    "namespace": {KILL},
    "tracer": {KILL},
}


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


class Oom(NamedTuple):
    """Why the OOM killer came, and what it found, in bytes.

    Attributes:
        anon, file, shmem: resident memory of the process when it was chosen.
        cgroup: path of the memory cgroup whose limit was hit; None: the whole system's memory.
        limit: that cgroup's limit.
        trigger: the process that asked for the memory.
    """

    anon: int
    file: int
    shmem: int
    cgroup: str | None
    limit: int | None
    trigger: Sender


class Cause(NamedTuple):
    """Why a process ended, with what proves it. What a kind does not bring is None.

    Attributes:
        kind: one of kinds.KINDS; docs/causes.md tells what each means.
        text: one line for a person. It may quote names of processes, and so any character.
        sender: killed: who sent the signal. parent_death, namespace, tracer: who died.
        how: killed: "kill", "tgkill", "sigqueue"; None if the kernel sent it for the sender.
        si_code: the signal's si_code by name, such as "SEGV_MAPERR".
        address: fault: the address.
        syscall: seccomp: the number of the system call.
        limit: cpu_limit: seconds. file_limit: bytes.
        tty: terminal, hangup: the terminal, such as "pts/3".
        oom: oom: the figures.
    """

    kind: str
    text: str
    sender: Sender | None = None
    how: str | None = None
    si_code: str | None = None
    address: int | None = None
    syscall: int | None = None
    limit: int | None = None
    tty: str | None = None
    oom: Oom | None = None
