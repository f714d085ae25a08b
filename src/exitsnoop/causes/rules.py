"""Evidence -> Cause: who or what ended a process. Pure functions, no input or output.

RULES is the table of verdicts: the first rule that holds is the cause. A rule names the
evidence that it needs; if no rule has its evidence, the cause is unknown.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from exitsnoop.causes import faults, tell
from exitsnoop.causes.case import SI_KERNEL, SI_TKILL, Case
from exitsnoop.decode.signals import NOBODY, Evidence
from exitsnoop.model import status as wait_status
from exitsnoop.model.cause import (
    ABRT,
    HUP,
    INT,
    KILL,
    PIPE,
    QUIT,
    SEGV,
    SYS,
    TIMERS,
    TSTP,
    XFSZ,
    Cause,
    CauseKind,
)
from exitsnoop.model.words import SHELLS, shell_meaning

SYS_SECCOMP = 1  # include/uapi/asm-generic/siginfo.h


class _Rule(NamedTuple):
    kind: CauseKind
    holds: Callable[[Case], bool]
    sentence: Callable[[Case], Cause]


def judge(
    status: int,
    evidence: Evidence | None,
    *,
    pid: int = 0,
    ppid: int = 0,
    comm: str = "",
    names_thread: bool = True,
) -> Cause:
    """Return the cause of an end with this wait status.

    evidence: what is known of the signal; None if nothing is. pid, ppid, comm: of the process.
    names_thread: whether the text says which thread it was, if not the first one.
    """
    signal = wait_status.signal(status)
    if signal is None:
        return _exited(status >> 8 & 0xFF, comm in SHELLS)
    known = evidence or _NOTHING
    case, sentence = _decided(
        signal, known.flags, known.si_code, known.limit is not None, bool(known.tty)
    )
    return sentence(case.with_evidence(known, pid, ppid, names_thread=names_thread))


_NOTHING = Evidence(0, NOBODY)


@lru_cache(maxsize=1024)
def _decided(
    signal: int, flags: int, si_code: int, limited: bool, on_terminal: bool
) -> tuple[Case, Callable[[Case], Cause]]:
    """Return a case with its kind, and the sentence of its rule.

    The rules look only at these parts of the evidence, which repeat.
    """
    stub = Evidence(
        flags, NOBODY, si_code, limit=0 if limited else None, tty="tty" if on_terminal else ""
    )
    case = Case(signal, stub)
    for rule in RULES:
        if rule.holds(case):
            case.kind = rule.kind
            return case, rule.sentence
    raise AssertionError("the last rule always holds")


@lru_cache(maxsize=256)
def _exited(code: int, by_shell: bool) -> Cause:
    meaning = shell_meaning(code) if by_shell else None
    return Cause("exited", f"exit {code}: {meaning}" if meaning else f"exit {code}")


# The order matters: rules with more evidence, and with evidence that cannot be forged, come first.
RULES = (
    _Rule("namespace", lambda c: c.reboots, tell.reboot),
    _Rule("oom", lambda c: c.signal == KILL and c.oom and (c.by_kernel or not c.seen), tell.oom),
    _Rule("seccomp", lambda c: c.signal == SYS and c.filtered and not c.seen, tell.seccomp),
    _Rule("seccomp", lambda c: c.signal == KILL and c.strict and not c.seen, tell.seccomp),
    _Rule("unknown", lambda c: not c.seen or c.several or c.contradicts, tell.unknown),
    _Rule("tracer", lambda c: c.of_tracer, tell.sent_by_tracer),
    _Rule("seccomp", lambda c: c.signal == SYS and c.si_code == SYS_SECCOMP, tell.seccomp),
    _Rule(
        "kernel",
        lambda c: c.in_exec and c.signal == SEGV and c.si_code == SI_KERNEL and c.by_itself,
        lambda c: c.cause("exec failed when the old program was gone: the new one never ran"),
    ),
    _Rule("fault", lambda c: c.has_fault, faults.fault),
    _Rule("tracer", lambda c: c.by_kernel and c.sender_traces and c.sender_dies, tell.tracer),
    _Rule(
        "namespace", lambda c: c.by_kernel and c.sender_is_init and c.sender_dies, tell.namespace
    ),
    _Rule("cpu_limit", lambda c: c.by_kernel and c.hit_cpu_limit, tell.cpu_limit),
    _Rule("timer", lambda c: c.by_kernel and c.signal in TIMERS, tell.timer),
    _Rule(
        "terminal",
        lambda c: c.by_kernel and c.signal in (INT, QUIT, TSTP) and bool(c.evidence.tty),
        tell.terminal,
    ),
    _Rule("hangup", lambda c: c.by_kernel and c.signal == HUP, tell.hangup),
    _Rule("parent_death", lambda c: c.for_sender and c.wanted and c.sender_dies, tell.parent_death),
    _Rule(
        "pipe",
        lambda c: c.for_sender and c.signal == PIPE and c.by_itself,
        lambda c: c.cause("closed pipe"),
    ),
    _Rule(
        "file_limit", lambda c: c.for_sender and c.signal == XFSZ and c.by_itself, tell.file_limit
    ),
    _Rule("killed", lambda c: c.for_sender and not c.by_itself, tell.killed),
    _Rule("timer", lambda c: c.by_timer, tell.timer),
    _Rule(
        "abort",
        lambda c: c.signal == ABRT and c.by_itself and c.si_code == SI_TKILL,
        tell.abort,
    ),
    _Rule(
        "self",
        lambda c: c.by_itself and (c.by_process or c.for_sender),
        tell.itself,
    ),
    _Rule("killed", lambda c: c.by_process, tell.killed),
    _Rule("kernel", lambda _: True, tell.kernel),
)
