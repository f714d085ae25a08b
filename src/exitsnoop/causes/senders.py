"""Who sent a signal, and to what, in words."""

from collections.abc import Callable
from functools import partial
from typing import Any

from exitsnoop import layout
from exitsnoop.causes.case import Case
from exitsnoop.decode.signals import Call, Evidence
from exitsnoop.model import cgroup
from exitsnoop.model.cause import KILL, Sender
from exitsnoop.model.context import Ancestor, Place
from exitsnoop.model.words import from_container, quoted, syscall_name

TO = {
    "process group": " to its process group",
    "cgroup": " to its cgroup",
    "every process": " to every process",
}
"""Words for what meant_for() returns, if it meant more than the process."""

_X86_64 = 0xC000003E  # AUDIT_ARCH_X86_64
_EVERYBODY = -1  # kill(2)
_TO_THREAD, _TO_GROUP = 1, 4  # include/uapi/linux/pidfd.h: PIDFD_SIGNAL_...
_MOST = 4  # ancestors that a sentence names
_INIT = 1


def named(one: Sender | Ancestor) -> str:
    """Return the name and the PID of a process."""
    return f"{quoted(one.comm)}[{one.pid}]"


def user(sender: Sender, uid: int) -> str:
    """Return the user of a sender; "" if that is the one of the process, with this uid."""
    if sender.uid == uid:
        return ""
    return f" user {quoted(sender.user)}" if sender.user else f" uid {sender.uid}"


def run_by(sender: Sender, pid: int, ppid: int) -> str:
    """Return what started a sender, such as ", run by cleanup[810] < cron[400]".

    pid, ppid: of the process that got the signal. What is above its parent is above both, and says
    nothing. "" also if init started the sender, or if that is unknown.
    """
    chain: list[str] = []
    for one in sender.ancestors or ():
        if one.pid == _INIT or sender.pid == ppid:
            break
        chain.append("the process itself" if one.pid == pid else named(one))
        if one.pid in (pid, ppid):
            break
    if len(chain) > _MOST:
        chain = [*chain[: _MOST - 2], "...", chain[-1]]
    return f", run by {' < '.join(chain)}" if chain else ""


def place(sender: Sender, evidence: Evidence) -> str:
    """Return the container of a sender, such as " from container web-1".

    "" if it is in none, or in that of the process.
    """
    return "" if evidence.flags & layout.EVIDENCE_SAME_CGROUPS else from_container(sender)


def beside(known: Evidence, where: Place | None) -> Evidence:
    """Mark a sender that is in the container of the process, though in other cgroups of it."""
    if where is None or where.cgroup is None or not (known.sender.container or known.sender.pod):
        return known
    its_own = cgroup.container(where.cgroup), cgroup.pod(where.cgroup)
    if its_own != (known.sender.container, known.sender.pod):
        return known
    return known._replace(flags=known.flags | layout.EVIDENCE_SAME_CGROUPS)


def meant_for(case: Case) -> str | None:
    """Return what the sender of a signal meant it for; None if that is unknown.

    To a process in a cgroup the kernel sends its SIGKILL as to a thread, without siginfo; so it
    does for PTRACE_KILL, the command kill of gdb.
    """
    call = case.evidence.call
    name = called(call) if call else None
    if case.evidence.thread is not None:
        if case.si_code is not None:
            return "thread"
        if name == "ptrace" or (name is None and case.sender_traces):
            return "process"
        return "cgroup" if case.signal == KILL else None
    if call is None or name is None:
        return None
    if name == "kill":
        target = (call.argument & 0xFFFFFFFF) - (call.argument >> 31 & 1) * (1 << 32)
        if target == _EVERYBODY:
            return "every process"
        return "process" if target > 0 else "process group"
    if name == "pidfd_send_signal":
        return "process group" if call.options & _TO_GROUP else "process"
    return "process" if name == "rt_sigqueueinfo" else None


def meaning(sender: Sender, what: str | None) -> Sender:
    """Return a sender that meant this by its signal, in a third of the time of _replace()."""
    return _sender((*sender[:-1], what))


_sender: Callable[[tuple[Any, ...]], Sender] = partial(tuple.__new__, Sender)


def called(call: Call) -> str | None:
    """Return the name of the system call that a sender was in; None if that is unknown."""
    return syscall_name(call.number, _X86_64)
