"""Whether the cause in a record is what a test brought about."""

import os

from exitsnoop import Cause, Exit
from support.processes import Puppet


def cause_of(exits: list[Exit], who: Puppet | int) -> Cause:
    """Return the cause in the one record of a process, which has waitpid's status."""
    pid = who if isinstance(who, int) else who.pid
    (record,) = [
        record
        for record in exits
        if record.pid == pid and (isinstance(who, int) or record.ppid == who.ppid)  # PIDs recur
    ]
    if isinstance(who, Puppet) and who.process.pid == pid:
        assert os.waitstatus_to_exitcode(record.status) == who.process.returncode
    cause = record.cause
    assert cause, record
    assert cause.text
    assert cause.text.isprintable()
    return cause


# With every signal that dumps core; test_crash_sites.py looks at it. So has the thread, but faults
# and aborts have it on all kernels.
WHERE = {"at", "stack", "stack_complete", "mapping"}


def assert_only(cause: Cause, kind: str, *fields: str) -> None:
    """It is of this kind, with these parts of the evidence, no others.

    Perhaps a si_code, and where the process was.
    """
    assert cause.kind == kind, cause
    there = {name for name, value in cause._asdict().items() if value is not None} - WHERE
    if kind not in ("fault", "abort"):
        there -= {"thread"}
    assert there - {"kind", "text", "si_code"} == set(fields) - {"si_code"}, cause


def assert_killed(
    cause: Cause, sender: Puppet, how: str | None = "kill", *, uid: int = 0, kind: str = "killed"
) -> None:
    """The kernel saw this puppet send it."""
    assert cause.kind == kind, cause
    who = cause.sender
    assert who, cause
    assert (who.pid, who.ppid, who.comm, who.uid) == (sender.pid, sender.ppid, "deaths", uid)
    assert who.args == sender.args
    if how:
        assert cause.how == how
    for part in ("address", "syscall", "limit", "tty", "oom"):
        assert getattr(cause, part) is None, cause
