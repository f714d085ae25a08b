"""Per thread: another one ended the process, and so this one."""

from exitsnoop.causes.rules import judge
from exitsnoop.decode.signals import Evidence
from exitsnoop.decode.threads import ThreadEnd
from exitsnoop.model.cause import Cause, Thread
from exitsnoop.model.words import quoted


def ended_by_call(end: ThreadEnd, status: int) -> Cause:
    """Another thread called exit_group(), or exec, in which all others end."""
    return _ended(end.by, "exec" if end.by_exec else judge(status, None).text)


def ended_by_signal(status: int, taken: Evidence, *, pid: int, ppid: int) -> Cause:
    """Another thread took the signal: had the fault, called abort(), or was meant."""
    cause = judge(status, taken, pid=pid, ppid=ppid, names_thread=False)
    return _ended(taken.thread, cause.text)


def _ended(thread: Thread | None, why: str) -> Cause:
    who = f"thread {quoted(thread.comm)}[{thread.tid}]" if thread else "another thread"
    return Cause("other_thread", f"ended by {who}: {why}", thread=thread)
