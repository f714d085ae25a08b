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
from exitsnoop.decode.structs import whole
from exitsnoop.host import containers, users
from exitsnoop.host.engines import Called
from exitsnoop.layout import CONTEXT_OWN_PEAK, CONTEXT_PARTIAL, MAX_ANCESTORS, STRUCTS
from exitsnoop.model import cgroup as paths
from exitsnoop.model.context import NO_ANCESTORS, Chain, Place, chain, place
from exitsnoop.model.fields import COLLECTED
from exitsnoop.model.remembered import Remembered

_HEAD = whole("exit_context")
_FIELDS = tuple(STRUCTS["exit_context"])
_ANCESTOR = whole("ancestor")
_PAGE = os.sysconf("SC_PAGESIZE")
_SECOND_NS = 1_000_000_000

# From its uid on, the head of a record and the parts after it are often those of a record before.
_REPEATED = struct.Struct(
    "=" + "".join(list(STRUCTS["exit_context"].values())[_FIELDS.index("uid") :])
)
_REPEATED_AT = _HEAD.size - _REPEATED.size
_REPEATED_FIELDS = _FIELDS[_FIELDS.index("uid") :]

Head = tuple[Any, ...]
Column = Sequence[Any]
whose: Callable[[Head], Process] = itemgetter(*map(_FIELDS.index, ("tid", "start_boot_ns")))
"""Returns the exit that a context belongs to: (tid, start_boot_ns)."""
head: Callable[[bytes], Head] = _HEAD.unpack_from
"""Returns the head of a record. Raises struct.error."""
_ANCESTORS = _FIELDS.index("ancestors_bytes")
_lengths: Callable[[Head], tuple[int, ...]] = itemgetter(
    *[at for at, name in enumerate(_FIELDS) if name.endswith("_bytes") and name not in COLLECTED]
)


def check(records: Iterable[bytes], heads: Iterable[Head]) -> None:
    """Raise struct.error if a record is malformed."""
    for record, raw in zip(records, heads, strict=True):
        require(len(record) == _HEAD.size + sum(_lengths(raw)))
        number, rest = divmod(raw[_ANCESTORS], _ANCESTOR.size)
        require(not rest and number <= MAX_ANCESTORS)


class Contexts:
    """Decodes what was collected of exits, of these groups."""

    def __init__(self, groups: frozenset[str]) -> None:
        self._groups = groups
        self._places: Remembered[bytes, Place | None] = Remembered(self._place)
        self._chains: Remembered[bytes, Chain] = Remembered(self._chain)
        self._same = [name for name in _FIELDS if COLLECTED.get(name) in groups - {"resources"}]
        self._same = [name for name in self._same if name not in ("uid", "parent_comm")]
        self._counts = [
            name for name in _FIELDS if COLLECTED.get(name) == "resources" and "resources" in groups
        ]

    def columns(
        self, records: Sequence[bytes], heads: Iterable[Head], running: Sequence[Running | None]
    ) -> dict[str, Column]:
        """Return what was collected, as the columns that Exits takes; what is unknown is None.

        Args:
            records: at least one.
            heads: head() of each.
            running: the last report of what each of the processes ran.

        Raises struct.error if a record is not as long as it says.
        """
        raw: dict[str, Column] = dict(zip(_FIELDS, zip(*heads, strict=True), strict=True))
        made: dict[str, Column] = {name: raw[name] for name in self._same}
        made |= self._parts(records, raw)
        if "identity" in self._groups:
            made["parent_comm"] = list(map(text, raw["parent_comm"]))
        if "resources" in self._groups:
            made |= self._resources(raw, running)
        if self._groups & {"args", "exe"}:
            made["image"] = [
                one[IMAGE] if one and one[EXEC_ID] in (None, exec_id) else None
                for one, exec_id in zip(running, raw["exec_id"], strict=True)
            ]
        return made

    def _parts(self, records: Sequence[bytes], raw: dict[str, Column]) -> dict[str, Column]:
        ends = [
            (_HEAD.size + cgroup + hostname, _HEAD.size + cgroup + hostname + ancestors)
            for cgroup, hostname, ancestors in zip(
                raw["cgroup_bytes"], raw["hostname_bytes"], raw["ancestors_bytes"], strict=True
            )
        ]
        expected = [end + cwd for (_, end), cwd in zip(ends, raw["cwd_bytes"], strict=True)]
        require(expected == [*map(len, records)])
        made: dict[str, Column] = {}
        parts = list(zip(records, ends, strict=True))
        if self._groups & {"identity", "cgroup"}:
            places = self._places
            if containers.NAMES.is_due():
                places.clear()
            before = users.numbers_given()
            made["place"] = [places[record[_REPEATED_AT:at]] for record, (at, _) in parts]
            if users.numbers_given() != before:  # their names may come later
                places.clear()
        chains = self._chains
        of_chains = [chains[record[at:end]] for record, (at, end) in parts]
        if "ancestors" in self._groups:
            made["chain"] = of_chains
        if "cwd" in self._groups:
            made["cwd"] = [path(record[end:]) for record, (_, end) in parts]
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
        require(len(raw) <= MAX_ANCESTORS * _ANCESTOR.size)
        pid, comm = _ANCESTOR.unpack_from(raw)
        return chain(pid, text(comm), self._chains[raw[_ANCESTOR.size :]])

    def _resources(
        self, raw: dict[str, Column], running: Sequence[Running | None]
    ) -> dict[str, Column]:
        made = {name: raw[name] for name in self._counts}
        times = list(map(_adjusted, *(raw[name] for name in _TIMES)))
        made["cpu_user"], made["cpu_system"] = zip(*times, strict=True)
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
) -> tuple[float, float]:
    """Divide the measured time in the proportion of the sampled times, as cputime_adjust() does.

    What the kernel has reported never falls, even if the samples since then say otherwise. This is
    the same from v4.18 to v7.3; machines that account for every switch (ppc64, s390) sample
    nothing, so their times are exact already.
    """
    if reported_user_ns + reported_system_ns >= run_ns:
        return reported_user_ns / _SECOND_NS, reported_system_ns / _SECOND_NS
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
    return user / _SECOND_NS, (run_ns - user) / _SECOND_NS
