"""Whose end a process passed on, or failed after: what is known of the child that ended last."""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

from exitsnoop.model.cause import ABRT, FAULTS, KILL, SYS, XCPU, Cause
from exitsnoop.model.status import signal_name
from exitsnoop.model.words import quoted

_MOST = 1024  # processes with a child that is remembered
_AT_ONCE_NS = 1_000_000_000  # a process that passes on how its child ended does so soon
_BY_SIGNAL = 128
_NEGATIVE = 256  # Python has -n for signal n, and many a script exits with that
_PLAIN = 125  # the highest code that means nothing by itself
# Their code is that of their child, if that had one.
_PASS_ON = frozenset(
    "catatonit chronic dbus-run-sessio docker-init doas dumb-init flock nsenter runuser script "
    "setsid su sudo systemd-run time timeout tini unshare".split()
)
_CRASHES = {*FAULTS, ABRT, KILL, SYS, XCPU}


class _Child(NamedTuple):
    pid: int
    comm: str
    status: int
    boot_ns: int
    has_passed_on: bool
    ended_by: Literal["parent", "parent with its group"] | None


_child: Callable[[tuple[Any, ...]], _Child] = partial(tuple.__new__, _Child)


class Children:
    """The child of each process that ended last: with a code up to 125, or in another way."""

    def __init__(self) -> None:
        self._last: dict[int, _Child] = {}
        self._failed: dict[int, _Child] = {}

    def passed_on(
        self, cause: Cause, status: int, comm: str, *, pid: int, ppid: int, boot_ns: int
    ) -> Cause:
        """Return the cause of an end, with the child that had just ended so, if one had."""
        child, failed = self._last.pop(pid, None), self._failed.pop(pid, None)
        text = cause.text
        if comm == "xargs" and cause.kind == "exited":
            text = _of_xargs(status >> 8, child, failed) or text
        if text == cause.text and child and boot_ns - child.boot_ns <= _AT_ONCE_NS:
            text = _text(cause, status, comm, child)
        if text == cause.text and failed and boot_ns - failed.boot_ns <= _AT_ONCE_NS:
            text = _of_starter(cause, status, comm, failed)
        known = self._failed if not status & 0x7F and status >> 8 <= _PLAIN else self._last
        if len(known) >= _MOST:
            del known[next(iter(known))]
        passes = text is not cause.text and text != cause.text
        known[ppid] = _child((pid, comm, status, boot_ns, passes, _by(cause, ppid)))
        return cause if text is cause.text else cause._replace(text=text)


def _by(cause: Cause, ppid: int) -> Literal["parent", "parent with its group"] | None:
    if cause.sender is None or cause.sender.pid != ppid:
        return None
    # None: the kernel does not tell what was called.
    with_group = cause.sender.meant_for in (None, "process group")
    return "parent with its group" if with_group else "parent"


def _named(child: _Child) -> str:
    return f"its child {quoted(child.comm)}[{child.pid}]"


def _of_xargs(code: int, child: _Child | None, failed: _Child | None) -> str | None:
    """Return what a code of its own says: some child failed so, maybe long ago."""
    if code == 123 and failed:
        return f"exit 123, as {_named(failed)} exited with {failed.status >> 8}"
    if code == 124 and child and child.status >> 8 == 255:
        return f"exit 124, as {_named(child)} exited with 255"
    if code == 125 and child and (signal := child.status & 0x7F):
        return f"exit 125, as SIG{signal_name(signal)} ended {_named(child)}"
    return None


def _of_starter(cause: Cause, status: int, comm: str, child: _Child) -> str:
    """Return the same for a program that only starts another one."""
    passes = comm in _PASS_ON and (child.comm != comm or child.has_passed_on)
    if cause.kind == "exited" and status == child.status and passes:
        return f"{cause.text}, as {_named(child)}"
    return cause.text


def _text(cause: Cause, status: int, comm: str, child: _Child) -> str:
    signal, who = child.status & 0x7F, _named(child)
    if signal:
        if cause.kind == "self" and status & 0x7F == signal:
            if child.ended_by == "parent with its group":  # one kill() was for both
                return cause.text
            return f"{cause.text}, which had ended {who}"
        if cause.kind == "abort" and status & 0x7F == signal:  # raise() does what abort() does
            return f"{cause.text}, after SIGABRT had ended {who}"
        if cause.kind == "exited" and status >> 8 in (_BY_SIGNAL + signal, _NEGATIVE - signal):
            return f"exit {status >> 8}, as SIG{signal_name(signal)} ended {who}"
        crashed = signal in _CRASHES and child.ended_by is None
        if crashed and cause.kind == "exited" and 0 < status >> 8 <= _PLAIN:
            return f"{cause.text}, after SIG{signal_name(signal)} had ended {who}"
    # A child that has its parent's name found no program to run, so that code is the parent's own.
    elif (cause.kind, status) == ("exited", child.status) and (
        child.comm != comm or child.has_passed_on
    ):
        return f"exit {status >> 8}, as {who}"
    return cause.text
