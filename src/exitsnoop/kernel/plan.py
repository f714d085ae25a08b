"""Filters -> what the BPF programs need: tunables, programs, maps."""

import os
import sys

from exitsnoop.filters.filters import Filters
from exitsnoop.kernel.features import (
    exit_has_memory,
    has_loops,
    perf_events_are_allowed,
    tracepoints_are_preemptible,
)
from exitsnoop.kernel.rings import POSSIBLE, cpus_in, rings
from exitsnoop.layout import (
    CGROUP_FILTER_BYTES,
    LRU_SHARE,
    MAX_ENDING,
    MAX_GROUP_EXITS,
    MAX_ORIGINS,
    MAX_REPORTED,
    MAX_VICTIMS,
    PROGRAMS_PER_EVENT,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_UNKNOWN_START = bytes(8)
_ON, _MEMBER = b"\1", b"\1"
_SECOND_NS = 1_000_000_000

_PLAIN = {"pids", "failed", "signals", "codes", "per_thread"}

# The maps that the programs use with `why`: how many entries one has that forgets the oldest, 0 for
# the size that it has in exit.bpf.c.
_OF_SIGNALS = {
    **dict.fromkeys(
        (
            *("signal_scratch", "kept", "living", "accounts", "oom_kills", "oom_scratch"),
            *("origin_scratch", "crash_scratch", "failed_writes"),
        ),
        0,
    ),
    "signals": MAX_ENDING,
    "victims": MAX_VICTIMS,
    "origins": MAX_ORIGINS,
}

_SITES = "on_delivery"

Entries = list[tuple[bytes, bytes]]


class Plan:
    """The arguments of a Session, see _native.pyi; names are those of exit.bpf.c."""

    def __init__(
        self,
        variant: str,
        tunables: dict[str, bytes],
        programs: tuple[str, ...],
        maps: dict[str, tuple[int, Entries]],
        ring_nodes: tuple[int, ...],
    ) -> None:
        self.variant = variant
        self.tunables = tunables
        self.programs = programs
        self.maps = maps
        self.ring_nodes = ring_nodes

    def programs_without_sites(self) -> tuple[str, ...]:
        """Return the programs but the one that finds out where processes crash."""
        return tuple(name for name in self.programs if name != _SITES)


def plan(filters: Filters, *, unwanted: bool) -> Plan:
    """Return what these filters need, and no more.

    unwanted: also send the exits of `pids` and `tree` that the other filters leave out.
    """
    groups = filters.groups()
    images = bool(groups & {"args", "exe"}) or ("resources" in groups and not exit_has_memory())
    preemptible = tracepoints_are_preemptible()
    switches = {
        "failed": filters.failed,
        "asked": filters.asked,
        "per_thread": filters.per_thread,
        "tells_last_thread": exit_has_memory(),  # by the same commit
        "preemptible": preemptible,
        "send_unwanted": unwanted,
        "why": filters.why,
        "with_images": images,
    }
    tunables = {name: _ON for name, on in switches.items() if on}
    tunables |= {f"with_{group}": _ON for group in groups - {"why"}}
    spare = LRU_SHARE * (len(cpus_in(POSSIBLE)) or os.cpu_count() or 1)  # each CPU keeps so many
    maps: dict[str, tuple[int, Entries]] = {"reported": (MAX_REPORTED + spare, [])}
    programs = _offered("on_exit", preemptible=preemptible)
    if groups - {"why"}:
        maps["contexts"] = (0, [])
    if filters.why:
        programs.append("on_signal")
        if has_loops():  # without them it is too much for the verifier
            programs.append(_SITES)
        maps |= {name: (most and most + spare, []) for name, most in _OF_SIGNALS.items()}
        if filters.per_thread:
            maps["group_exits"] = (MAX_GROUP_EXITS + spare, [])
    if images:
        execs = _offered("on_exec", preemptible=preemptible)
        programs += execs
        maps["images"] = (len(execs), [])
    if (images and not filters.pids) or filters.tree:  # a child is never in `pids`
        programs.append("on_fork_unpreempted" if preemptible else "on_fork")
    ring_nodes, ring_of_cpu = rings()
    if ring_of_cpu:
        tunables |= {"several_rings": _ON, "ring_of_cpu": ring_of_cpu}
    _add_statuses(filters, tunables)
    _add_who(filters, tunables, maps)
    variant = _variant(filters, unwanted=unwanted)
    return Plan(variant, tunables, tuple(programs), maps, ring_nodes)


def _offered(program: str, *, preemptible: bool) -> list[str]:
    """Return the programs that are offered an event in turn: once.bpf.h says why."""
    standing_by = range(1, PROGRAMS_PER_EVENT if preemptible else 1)
    programs = [program, *(f"{program}_if_missed_{n}" for n in standing_by)]
    if preemptible and perf_events_are_allowed():
        programs[-1] = f"{program}_unpreempted"
    return programs


def _variant(filters: Filters, *, unwanted: bool) -> str:
    """Return the smallest object that is enough; meson.build makes them of exit.bpf.c."""
    if filters.given() <= _PLAIN and not unwanted:
        return "small"
    return "full" if has_loops() else "full_without_loops"


def pid_key(pid: int) -> bytes:
    """Return a PID as a key of the maps of PIDs."""
    return _u32(pid)


def tree_entry(pid: int) -> tuple[bytes, bytes]:
    """Return the entry of the map `tree` for a process that Python adds."""
    return _u32(pid), _UNKNOWN_START


def _add_statuses(filters: Filters, tunables: dict[str, bytes]) -> None:
    if not (filters.signals or filters.codes or filters.causes):
        return
    signals, codes = filters.statuses()
    words = [
        sum(1 << code - at for code in codes if code // 64 == at // 64) for at in (0, 64, 128, 192)
    ]
    tunables |= {
        "only_statuses": _ON,
        "signal_set": _u64(sum(1 << signal - 1 for signal in signals)),
        "code_set": b"".join(map(_u64, words)),
    }


def _add_who(
    filters: Filters, tunables: dict[str, bytes], maps: dict[str, tuple[int, Entries]]
) -> None:
    if filters.min_age:
        tunables["min_age_ns"] = _u64(round(filters.min_age * _SECOND_NS))
    if filters.max_age is not None:
        tunables["max_age_ns"] = _u64(round(filters.max_age * _SECOND_NS))
    for name, made in _MAPS.items():
        if not getattr(filters, name):
            continue
        sense = "not" if name in filters.excluding else "only"
        if (sense, name) == ("not", "containers"):  # Python decides
            continue
        maps[name] = made(filters)
        tunables[f"{sense}_{name}"] = _u32(len(filters.cgroups)) if name == "cgroups" else _ON
    if filters.cgroups:
        tunables["cgroup_levels"] = _u32(max(len(_names(path)) for path in filters.cgroups))


def _processes(pids: tuple[int, ...]) -> Entries:
    return [tree_entry(pid) for pid in pids]


# The map of each filter that has one: its size, 0 if exit.bpf.c has it, and its entries. Its
# tunables are only_NAME and not_NAME.
_MAPS: "dict[str, Callable[[Filters], tuple[int, Entries]]]" = {
    "pids": lambda f: (len(f.pids), _processes(f.pids)),
    "tree": lambda f: (0, _processes(f.tree)),
    "ppids": lambda f: (len(f.ppids), _processes(f.ppids)),
    "users": lambda f: (len(f.users), [(_u32(uid), _MEMBER) for uid in f.users]),
    "names": lambda f: (0, [(_u32(0), f.name_globs())]),
    "cgroups": lambda f: (0, [(_u32(i), _cgroup(path)) for i, path in enumerate(f.cgroups)]),
    "containers": lambda f: (0, [(_u32(0), f.container_globs())]),
}


def _cgroup(path: str) -> bytes:
    """Return a path as the BPF programs have it: its names, the nearest first."""
    names = _names(path)
    text = b"".join(name + b"\0" for name in reversed(names)) + b"\0"
    return _u32(len(text)) + _u32(len(names)) + text.ljust(CGROUP_FILTER_BYTES, b"\0")


def _names(path: str) -> list[bytes]:
    return [os.fsencode(name) for name in path.split("/") if name]


def _u32(value: int) -> bytes:
    return value.to_bytes(4, sys.byteorder)


def _u64(value: int) -> bytes:
    return value.to_bytes(8, sys.byteorder)
