"""Whose end a process passed on: its child ended by the same code, or by the signal of the code."""

from typing import NamedTuple

from exitsnoop.model.cause import Cause
from exitsnoop.model.status import signal_name
from exitsnoop.model.words import quoted

_MOST = 1024  # processes with a child that is remembered
_AT_ONCE_NS = 1_000_000_000  # a process that passes on how its child ended does so soon
_BY_SIGNAL = 128


class _Child(NamedTuple):
    pid: int
    comm: str
    status: int
    boot_ns: int
    has_passed_on: bool
    ended_with_group: bool


class Children:
    """The child of each process that ended last, of those with a code above 125 or by a signal."""

    def __init__(self) -> None:
        self._last: dict[int, _Child] = {}

    def passed_on(
        self, cause: Cause, status: int, comm: str, *, pid: int, ppid: int, boot_ns: int
    ) -> Cause:
        """Return the cause of an end, with the child that had just ended so, if one had."""
        child = self._last.pop(pid, None)
        text = cause.text
        if child and boot_ns - child.boot_ns <= _AT_ONCE_NS:
            text = _text(cause, status, comm, child)
        if len(self._last) >= _MOST:
            del self._last[next(iter(self._last))]
        sender = cause.sender
        with_group = bool(sender and sender.pid == ppid and sender.meant_for == "process group")
        self._last[ppid] = _Child(pid, comm, status, boot_ns, text != cause.text, with_group)
        return cause._replace(text=text)


def _text(cause: Cause, status: int, comm: str, child: _Child) -> str:
    signal, who = child.status & 0x7F, f"its child {quoted(child.comm)}[{child.pid}]"
    if signal:
        if cause.kind == "self" and status & 0x7F == signal:
            if child.ended_with_group:  # one kill() was for both
                return cause.text
            return f"{cause.text}, which had ended {who}"
        if cause.kind == "abort" and status & 0x7F == signal:  # raise() does what abort() does
            return f"{cause.text}, after SIGABRT had ended {who}"
        if cause.kind == "exited" and status >> 8 == _BY_SIGNAL + signal:
            return f"exit {status >> 8}, as SIG{signal_name(signal)} ended {who}"
    # A child that has its parent's name found no program to run, so that code is the parent's own.
    elif (cause.kind, status) == ("exited", child.status) and (
        child.comm != comm or child.has_passed_on
    ):
        return f"exit {status >> 8}, as {who}"
    return cause.text
