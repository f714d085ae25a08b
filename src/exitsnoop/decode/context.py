"""Who it was, where, and what it used: bytes -> columns, many at a time.

A member of struct exit_context that has the name of a field becomes that field as it is. What must
be worked out, or is in `parts`, is named below.
"""

import os
import struct
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any

from exitsnoop.decode.images import EXEC_ID, IMAGE, Running
from exitsnoop.decode.notes import Process, path, require, text
from exitsnoop.decode.structs import only, whole
from exitsnoop.host import containers, users
from exitsnoop.host.engines import Called
from exitsnoop.layout import CONTEXT_OWN_PEAK, CONTEXT_PARTIAL, MAX_ANCESTORS, STRUCTS
from exitsnoop.model import cgroup as paths
from exitsnoop.model.context import NO_ANCESTORS, Chain, Place, place
from exitsnoop.model.fields import COLLECTED
from exitsnoop.model.remembered import Remembered

_FIELDS = tuple(STRUCTS["exit_context"])
_ANCESTOR = whole("ancestor")
_PAGE = os.sysconf("SC_PAGESIZE")

# From its uid on, a record is often the same as one before: the rest of its head, and its parts.
_OWN_FIELDS = _FIELDS[_FIELDS.index("start_boot_ns") : _FIELDS.index("uid")]
_REPEATED_FIELDS = _FIELDS[_FIELDS.index("uid") :]
_REPEATED = struct.Struct("=" + "".join(STRUCTS["exit_context"][name] for name in _REPEATED_FIELDS))
_OWN = only("exit_context", *_OWN_FIELDS)
_repeated, _REPEATED_BYTES = _REPEATED.unpack_from, _REPEATED.size
_ancestor, _ANCESTOR_BYTES = _ANCESTOR.unpack_from, _ANCESTOR.size
_REPEATED_AT = _OWN.size - _REPEATED.size
_MOST_ANCESTORS = MAX_ANCESTORS * _ANCESTOR.size
_MOST_REPEATED = 128  # each may have some KB

Head = tuple[Any, ...]
Column = Sequence[Any]
head: Callable[[bytes], Head] = _OWN.unpack_from
"""Returns what a record has of its own. Raises struct.error."""
TID, START = "tid", "start_boot_ns"
whose: Callable[[Head], Process] = itemgetter(*map(_OWN_FIELDS.index, (TID, START)))
"""Returns the exit that a context belongs to: (tid, start_boot_ns)."""


def own(heads: Iterable[Head]) -> dict[str, Column]:
    """Return as columns what records have of their own, of at least one."""
    return dict(zip(_OWN_FIELDS, zip(*heads, strict=True), strict=True))


def check(records: Iterable[bytes]) -> None:
    """Raise struct.error if a record is malformed."""
    for record in records:
        _divided(record[_REPEATED_AT:])


def _divided(raw: bytes) -> tuple[bytes, bytes, bool, bytes, bytes]:
    """Divide what repeats in a record.

    Returns all that a Place is made of, the name of the parent, whether there were more ancestors,
    the ancestors, and the working directory. Raises struct.error if it is malformed.
    """
    _, cgroup, hostname, ancestors, cwd, truncated, parent_comm = _repeated(raw)
    ancestors_at = _REPEATED_BYTES + cgroup + hostname
    cwd_at = ancestors_at + ancestors
    if len(raw) != cwd_at + cwd or ancestors > _MOST_ANCESTORS or ancestors % _ANCESTOR_BYTES:
        require(False)
    return raw[:ancestors_at], parent_comm, truncated, raw[ancestors_at:cwd_at], raw[cwd_at:]


class Contexts:
    """Decodes what was collected of exits, of these groups."""

    def __init__(self, groups: frozenset[str]) -> None:
        self._groups = groups
        self._repeated: dict[bytes, tuple[Any, ...]] = {}
        self._places: Remembered[bytes, Place | None] = Remembered(self._place)
        self._chains: Remembered[bytes, Chain] = Remembered(self._chain)
        self._last_cwd: tuple[bytes, str | None] = b"", None
        self._is_somewhere = bool(groups & {"identity", "cgroup"})
        collected = groups - {"resources"}
        self._same = [name for name in _OWN_FIELDS if COLLECTED.get(name) in collected]
        self._counts = [
            name
            for name in _OWN_FIELDS
            if COLLECTED.get(name) == "resources" and "resources" in groups
        ]

    def columns(
        self, records: Sequence[bytes], own: dict[str, Column], running: Sequence[Running | None]
    ) -> dict[str, Column]:
        """Return what was collected, as the columns that Exits takes; what is unknown is None.

        Args:
            records: at least one.
            own: what own() returns of them.
            running: the last report of what each of the processes ran.

        Raises struct.error if a record is malformed.
        """
        made: dict[str, Column] = {name: own[name] for name in self._same}
        made |= self._of_repeated(records)
        if "resources" in self._groups:
            made |= self._resources(own, running)
        if self._groups & {"args", "exe"}:
            made["image"] = [
                one[IMAGE] if one and (one[EXEC_ID] == exec_id or one[EXEC_ID] is None) else None
                for one, exec_id in zip(running, own["exec_id"], strict=True)
            ]
        return made

    def _of_repeated(self, records: Sequence[bytes]) -> dict[str, Column]:
        """Return the columns of what repeats: each that differs is decoded once."""
        known = self._repeated
        if containers.NAMES.is_due():
            self._places.clear()
            known.clear()
        elif len(known) > _MOST_REPEATED:
            known.clear()
        before = users.numbers_given()
        tails = [record[_REPEATED_AT:] for record in records]
        columns = zip(*[known.get(raw) or self._decoded(raw) for raw in tails], strict=True)
        if users.numbers_given() != before:  # their names may come later
            self._places.clear()
            known.clear()
        names = ("place", "parent_comm", "chain", "ancestors_truncated", "cwd")
        groups = ({"identity", "cgroup"}, {"identity"}, {"ancestors"}, {"ancestors"}, {"cwd"})
        return {
            name: column
            for name, of, column in zip(names, groups, columns, strict=True)
            if of & self._groups
        }

    def _decoded(self, raw: bytes) -> tuple[Any, ...]:
        """Return a value for each of those columns, and remember them."""
        identified, parent_comm, truncated, ancestors, cwd = _divided(raw)
        if cwd != self._last_cwd[0]:
            self._last_cwd = cwd, path(cwd)
        made = self._repeated[raw] = (
            self._places[identified] if self._is_somewhere else None,
            text(parent_comm),
            self._chains[ancestors],
            truncated,
            self._last_cwd[1],
        )
        return made

    def _place(self, raw: bytes) -> Place | None:
        known = dict(zip(_REPEATED_FIELDS, _REPEATED.unpack_from(raw), strict=True))
        uid = user = cgroup = hostname = None
        names = containers.NOTHING
        end = _REPEATED.size + known["cgroup_bytes"]
        if "identity" in self._groups:
            uid = known["uid"]
            # Looked up here and now: a recording may be shown on another machine.
            user = users.name(uid)
            hostname = text(raw[end:]) if known["hostname_bytes"] else None
        if "cgroup" in self._groups:
            cgroup = path(raw[_REPEATED.size : end])
            names = called(cgroup or "/")
        return place(uid, user, cgroup, *names, hostname)

    def _chain(self, raw: bytes) -> Chain:
        if not raw:
            return NO_ANCESTORS
        pid, comm = _ancestor(raw)
        return Chain(pid, text(comm), self._chains[raw[_ANCESTOR_BYTES:]])

    def _resources(
        self, raw: dict[str, Column], running: Sequence[Running | None]
    ) -> dict[str, Column]:
        made = {name: raw[name] for name in self._counts}
        times = [*map(_adjusted, *(raw[name] for name in _TIMES))]
        made["cpu_user_ns"], made["cpu_system_ns"] = zip(*times, strict=True)
        flags = set(raw["flags"])
        if any(some & CONTEXT_PARTIAL for some in flags):  # no sums over the threads
            made = {
                name: [
                    None if some & CONTEXT_PARTIAL else value
                    for value, some in zip(column, raw["flags"], strict=True)
                ]
                for name, column in made.items()
            }
        if all(some & CONTEXT_OWN_PEAK for some in flags):
            made["max_rss"] = [pages * _PAGE for pages in raw["peak_pages"]]
        else:
            sources = (raw["peak_pages"], raw["flags"], raw["exec_id"], running)
            made["max_rss"] = list(map(_own_peak, *sources))
        return made


def called(cgroup: str) -> Called:
    """Return the names of the container and pod of a cgroup: they are looked up here and now."""
    container = paths.container(cgroup)
    runtime, number = container or (None, None)
    return containers.NAMES.of(runtime, number, paths.pod(cgroup))


_TIMES = ("user_ns", "system_ns", "run_ns", "reported_user_ns", "reported_system_ns")


def _own_peak(peak_pages: int, flags: int, exec_id: int, running: Running | None) -> int | None:
    """Return the peak of the image in bytes; None if an earlier image may have had a higher one."""
    if flags & CONTEXT_OWN_PEAK:
        return peak_pages * _PAGE
    if running is None:
        return None
    _, earlier, of_exec = running
    if of_exec not in (None, exec_id):
        return None
    return peak_pages * _PAGE if earlier is not None and peak_pages > earlier else None


def _adjusted(
    user_ns: int, system_ns: int, run_ns: int, reported_user_ns: int, reported_system_ns: int
) -> tuple[int, int]:
    """Divide the measured time in the proportion of the sampled times, as cputime_adjust() does.

    What the kernel has reported never falls, even if the samples since then say otherwise. This is
    the same from v4.18 to v7.3; machines that account for every switch (ppc64, s390) sample
    nothing, so their times are exact already.
    """
    if reported_user_ns + reported_system_ns >= run_ns:
        return reported_user_ns, reported_system_ns
    if system_ns == 0:
        system = 0
    elif user_ns == 0:
        system = run_ns
    else:
        system = run_ns * system_ns // (user_ns + system_ns)
    if system < reported_system_ns:
        system = reported_system_ns
    user = run_ns - system
    if user < reported_user_ns:
        user = reported_user_ns
    return user, run_ns - user
