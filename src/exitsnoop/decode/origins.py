"""Who the senders of signals are: the program, the place, and what started them."""

from collections.abc import Callable
from functools import lru_cache, partial
from sys import getsizeof
from typing import Any, NamedTuple

from exitsnoop.decode.context import called
from exitsnoop.decode.notes import path, require, text
from exitsnoop.decode.signals import Evidence, from_sender
from exitsnoop.decode.structs import whole
from exitsnoop.host import users
from exitsnoop.layout import EVIDENCE_SEEN, EVIDENCE_SELF, MAX_ANCESTORS
from exitsnoop.model import cgroup as names
from exitsnoop.model.cgroup import Container
from exitsnoop.model.context import Ancestor

_HEAD = whole("sender_origin")
_ANCESTOR = whole("ancestor")
MOST = 4096  # senders that are remembered: four times as many as the BPF program knows
MOST_BYTES = 4 << 20  # of their paths, which others choose


class Origin(NamedTuple):
    """What is known of a sender besides its signal, in the order of Sender."""

    exe: str | None
    cgroup: str | None
    unit: str | None
    container: Container | None
    pod: str | None
    ancestors: tuple[Ancestor, ...] | None
    container_name: str | None = None
    pod_name: str | None = None
    namespace: str | None = None


_NOT_SENT = Origin(None, None, None, None, None, None)
_NO_NAMES = _NOT_SENT[6:]
_origin: Callable[[tuple[Any, ...]], Origin] = partial(tuple.__new__, Origin)


class Origins:
    """The senders that were reported lately."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], Origin] = {}
        self._bytes = 0  # of their paths

    def add(self, record: bytes) -> None:
        """Take in a report. Raises struct.error if it is malformed."""
        require(len(record) >= _HEAD.size)
        _, _, number, pid, ancestors, cgroup, exe = _HEAD.unpack_from(record)
        parts = record[_HEAD.size :]
        require(len(parts) == ancestors + cgroup + exe)
        require(ancestors % _ANCESTOR.size == 0 and ancestors <= MAX_ANCESTORS * _ANCESTOR.size)
        where = path(parts[ancestors : ancestors + cgroup])
        above = _ancestors(parts[:ancestors])
        exe = path(parts[ancestors + cgroup :])
        known = _origin((exe, where, *_names(where), above, *_NO_NAMES))
        if known.container or known.pod:
            known = _with_names(known)  # now, as the container may soon be gone
        self._forget((pid, number))
        self._known[pid, number] = known
        self._bytes += size(known)
        while len(self._known) > MOST or self._bytes > MOST_BYTES:
            self._forget(next(iter(self._known)))

    def _forget(self, sender: tuple[int, int]) -> None:
        if known := self._known.pop(sender, None):
            self._bytes -= size(known)

    def known(self, pid: int, number: int) -> Origin | None:
        """Return what was reported of a sender; None if its names are to come."""
        known = self._known.get((pid, number), _NOT_SENT)
        return None if _lacks_names(known) else known

    def complete(self, found: Evidence) -> Evidence:
        """Return evidence with all that is known of the sender, if that is another process."""
        if found.flags & (EVIDENCE_SEEN | EVIDENCE_SELF) != EVIDENCE_SEEN:
            return found
        sender = found.sender
        known = self._known.get((sender.pid, found.origin), _NOT_SENT)
        if _lacks_names(known):
            known = _with_names(known)
        return from_sender(found, (users.name_in_time(sender.uid), *known, sender.meant_for))


def _lacks_names(known: Origin) -> bool:
    """Whether names that it should have had not come in time."""
    return bool(
        (known.container and not known.container_name) or (known.pod and not known.pod_name)
    )


def size(known: Origin) -> int:
    """Return about how many bytes its paths take."""
    return getsizeof(known.exe) + getsizeof(known.cgroup)


def _with_names(known: Origin) -> Origin:
    container_name, pod_name, namespace = called(known.cgroup or "/")
    return known._replace(container_name=container_name, pod_name=pod_name, namespace=namespace)


def _names(cgroup: str | None) -> tuple[str | None, Container | None, str | None]:
    if not cgroup:
        return None, None, None
    return names.unit(cgroup), names.container(cgroup), names.pod(cgroup)


def _made(raw: bytes) -> tuple[Ancestor, ...]:
    return tuple([Ancestor(pid, text(comm)) for pid, comm in _ANCESTOR.iter_unpack(raw)])


_ancestors: Callable[[bytes], tuple[Ancestor, ...]] = lru_cache(maxsize=256)(_made)
