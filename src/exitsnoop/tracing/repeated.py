"""Ends that repeat: by one sender's kill, or by abort(). What is the same is judged once."""

from collections.abc import Callable, Hashable
from functools import partial
from typing import Any

from exitsnoop.causes.rules import judge
from exitsnoop.causes.senders import beside
from exitsnoop.decode.notes import Process, text
from exitsnoop.decode.origins import size
from exitsnoop.decode.signals import Evidence, signal
from exitsnoop.decode.sites import Site
from exitsnoop.decode.structs import only, span
from exitsnoop.host import users
from exitsnoop.layout import (
    EVIDENCE_KERNEL,
    EVIDENCE_OF_OTHER,
    EVIDENCE_OOM,
    EVIDENCE_SEEN,
    EVIDENCE_SELF,
)
from exitsnoop.model.cause import ABRT, Cause, Thread
from exitsnoop.model.context import Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from exitsnoop.decode.origins import Origin, Origins

_MOST = 128  # each may have some KB
_MOST_CAUSES = 8
_LONG = 1024  # bytes of the paths of a sender that is remembered
_HEAD = only(
    "signal_evidence",
    *("start_boot_ns", "origin", "sender_argument", "sender_options", "pid", "uid", "flags"),
    *("si_code", "thread", "signal", "sender_pid", "sender_uid"),
)
_head = _HEAD.unpack
_SENDER = span("signal_evidence", "sender_pid", "sender_call")
_NAMES = span("signal_evidence", "sender_comm", "sender_args")
_COMM = span("signal_evidence", "thread_comm", "thread_comm")
_OTHER_RULES = EVIDENCE_KERNEL | EVIDENCE_OF_OTHER | EVIDENCE_OOM
_TO_GROUP = 4  # what meant_for() looks at of the fourth argument, and of the first:
_SIGN = 1 << 31
_TARGET = (1 << 32) - 1
_THREAD = Cause._fields.index("thread")
_cause: Callable[[Any], Cause] = partial(tuple.__new__, Cause)


class Kill:
    """What one process sent to others, each time in the same way.

    Args:
        evidence: of one of the signals.
        origin: what is known of the sender.
    """

    def __init__(self, evidence: Evidence, origin: "Origin") -> None:
        self.origin = origin
        self.user = evidence.sender.user
        self._evidence = evidence
        self._above = {one.pid for one in evidence.sender.ancestors or ()}
        self._is_contained = bool(evidence.sender.container or evidence.sender.pod)
        self._causes: dict[Hashable, Cause] = {}

    def cause(
        self, status: int, pid: int, ppid: int, place: Place | None, sites: list[Site]
    ) -> Cause | None:
        """Return the cause of an end by such a signal; None if that must be judged by itself.

        sites: where threads of the process were.
        """
        if sites or pid in self._above:
            return None
        key = status & 0x7F, ppid, place if self._is_contained else None
        cause = self._causes.get(key)
        if cause is None:
            cause = judge(status, beside(self._evidence, place), pid=pid, ppid=ppid)
            if len(self._causes) >= _MOST_CAUSES:
                self._causes.clear()
            self._causes[key] = cause
        return cause if cause.kind == "killed" else None


class Abort:
    """What processes of one name sent themselves by abort(), in their first thread.

    evidence: of one of them.
    """

    def __init__(self, evidence: Evidence, thread: Thread) -> None:
        self._evidence = evidence
        self._tid, self._comm = thread
        self._known: dict[Hashable, tuple[tuple[Any, ...], tuple[Any, ...]]] = {}
        self._holds = judge(ABRT, evidence, pid=self._tid).kind == "abort"

    def cause(
        self, status: int, pid: int, _ppid: int, _place: Place | None, sites: list[Site]
    ) -> Cause | None:
        """Return the cause of such an end; None if that must be judged by itself."""
        if status & 0x7F != ABRT or not self._holds:
            return None
        site = None
        if sites:
            site, *others = sites
            if others or site.signal != ABRT or site.thread.tid != pid:
                return None
        key = site and (site.stack, site.complete, site.at)
        parts = self._known.get(key)
        if parts is None:
            cause = judge(ABRT, self._evidence._replace(site=site), pid=self._tid)
            if len(self._known) >= _MOST_CAUSES:
                self._known.clear()
            parts = self._known[key] = cause[:_THREAD], cause[_THREAD + 1 :]
        before, after = parts
        return _cause((*before, Thread(pid, self._comm), *after))


Sent = tuple[Kill | Abort, bytes]
"""A signal that repeats, and its record."""


class Repeated:
    """The signals that came lately. origins: of their senders."""

    def __init__(self, origins: "Origins") -> None:
        self._origins = origins
        self._kills: dict[Hashable, Kill | None] = {}
        self._aborts: dict[Hashable, Abort] = {}

    def find(self, record: bytes) -> tuple[Process, Sent | None]:
        """Return whose end a record is of, and, if it repeats, what. Raises struct.error."""
        started, origin, argument, options, pid, uid, flags, code, thread, number, *by = _head(
            record
        )
        process = pid, started
        if not flags & EVIDENCE_SEEN or flags & _OTHER_RULES:
            return process, None
        if flags & EVIDENCE_SELF:
            if number != ABRT or thread != pid:
                return process, None
            key: Hashable = flags, code, record[_COMM]
            abort = self._aborts.get(key)
            if abort is None:
                _make_room(self._aborts)
                _, evidence = signal(record)
                abort = self._aborts[key] = Abort(evidence, Thread(pid, text(record[_COMM])))
            return process, (abort, record)
        if thread:
            return process, None
        target = argument & _TARGET
        meant = target == _TARGET, 0 < target < _SIGN  # everybody, one process
        parts = record[_SENDER], record[_NAMES]
        key = number, flags, code, uid, origin, meant, options & _TO_GROUP, parts
        sender_pid, sender_uid = by
        kills = self._kills
        if key not in kills:  # so far, one by itself
            _make_room(kills)
            kills[key] = None
            return process, None
        known = self._origins.known(sender_pid, origin)
        kill = kills[key]
        if known is None:
            return process, None
        if kill is None or kill.origin is not known or kill.user != users.name_in_time(sender_uid):
            if size(known) > _LONG:
                return process, None
            _, evidence = signal(record)
            kill = kills[key] = Kill(self._origins.complete(evidence), known)
        return process, (kill, record)


def _make_room(kept: dict[Hashable, Any]) -> None:
    if len(kept) >= _MOST:
        del kept[next(iter(kept))]
