"""Filters -> what the kernel side is told: tunables, programs, maps."""

import os
import struct
from typing import NamedTuple

from exitsnoop.filters import Filters
from exitsnoop.kernel import exit_has_memory, has_loops, tracepoints_are_preemptible
from exitsnoop.topology import rings

_U32, _U64 = struct.Struct("=I"), struct.Struct("=Q")
_CGROUP = struct.Struct("=I512s")  # struct cgroup_filter of event.h
_UNKNOWN_START = _U64.pack(0)
_ON, _MEMBER = b"\1", b"\1"
_SECOND_NS = 1_000_000_000
MAX_ANCESTORS = 32  # of event.h

Entries = list[tuple[bytes, bytes]]


class Plan(NamedTuple):
    """The arguments of a Session, see _native.pyi; names are those of exit.bpf.c."""

    variant: str
    tunables: dict[str, bytes]
    programs: tuple[str, ...]
    maps: dict[str, tuple[int, Entries]]
    ring_nodes: tuple[int, ...]


def plan(filters: Filters, *, unwanted: bool) -> Plan:
    """Return what these filters need, and no more.

    unwanted: send also what the filters leave out, of the processes that are traced.
    """
    groups = filters.groups()
    images = bool(groups & {"args", "exe"}) or ("resources" in groups and not exit_has_memory())
    preemptible = tracepoints_are_preemptible()
    switches = {
        "failed": filters.failed,
        "per_thread": filters.per_thread,
        "tells_last_thread": exit_has_memory(),  # by the same commit
        "preemptible": preemptible,
        "send_unwanted": unwanted,
        "why": filters.why,
        "with_identity": "identity" in groups,
        "with_cgroup": "cgroup" in groups,
        "with_resources": "resources" in groups,
        "with_args": "args" in groups,
        "with_exe": "exe" in groups,
        "with_images": images,
    }
    tunables = {name: _ON for name, on in switches.items() if on}
    maps: dict[str, tuple[int, Entries]] = {"reported": (0, [])}
    programs = _offered("on_exit", preemptible=preemptible)
    if "ancestors" in groups:
        tunables["with_ancestors"] = _U32.pack(MAX_ANCESTORS)
    if groups - {"why"}:
        maps["contexts"] = (0, [])
    if filters.why:
        programs.append("on_signal")
        maps |= {"signals": (0, []), "oom_kills": (0, []), "oom_scratch": (0, [])}
    if images:
        execs = _offered("on_exec", preemptible=preemptible)
        programs += execs
        maps |= {"images": (len(execs), []), "file_walks": (len(execs), [])}
    if (images and not filters.pids) or filters.tree:  # of what is forked none is in `pids`
        programs += _offered("on_fork", preemptible=preemptible)
    shared = rings()
    if shared.of_cpu:
        tunables |= {"several_rings": _ON, "ring_of_cpu": shared.of_cpu}
    _add_statuses(filters, tunables)
    _add_who(filters, tunables, maps)
    variant = _variant(filters, unwanted=unwanted)
    return Plan(variant, tunables, tuple(programs), maps, shared.nodes)


def _offered(program: str, *, preemptible: bool) -> list[str]:
    """Return those that are offered an event in turn: exit.bpf.c tells why."""
    return [program, *(f"{program}_if_missed_{n}" for n in (1, 2, 3) if preemptible)]


def _variant(filters: Filters, *, unwanted: bool) -> str:
    """Return the object that is enough, of those that meson.build makes of exit.bpf.c."""
    plain = Filters(
        pids=filters.pids,
        failed=filters.failed,
        signals=filters.signals,
        codes=filters.codes,
        per_thread=filters.per_thread,
    )
    if filters == plain and not unwanted:
        return "small"
    return "full" if has_loops() else "full_without_loops"


def pid_key(pid: int) -> bytes:
    """Return a PID as the maps of PIDs have it."""
    return _U32.pack(pid)


def tree_entry(pid: int) -> tuple[bytes, bytes]:
    """Return a process that is not started by one of the tree, as the map `tree` has it."""
    return _U32.pack(pid), _UNKNOWN_START


def _add_statuses(filters: Filters, tunables: dict[str, bytes]) -> None:
    if not (filters.signals or filters.codes or filters.causes):
        return
    signals, codes = filters.statuses()
    words = [
        sum(1 << code - at for code in codes if code // 64 == at // 64) for at in (0, 64, 128, 192)
    ]
    tunables |= {
        "only_statuses": _ON,
        "signal_set": _U64.pack(sum(1 << signal - 1 for signal in signals)),
        "code_set": struct.pack("=4Q", *words),
    }


def _add_who(
    filters: Filters, tunables: dict[str, bytes], maps: dict[str, tuple[int, Entries]]
) -> None:
    if filters.min_age:
        tunables["min_age_ns"] = _U64.pack(round(filters.min_age * _SECOND_NS))
    if filters.max_age is not None:
        tunables["max_age_ns"] = _U64.pack(round(filters.max_age * _SECOND_NS))
    for name in ("pids", "tree", "ppids"):
        if pids := getattr(filters, name):
            tunables[_sense(filters, name)] = _ON
            size = 0 if name == "tree" else len(pids)
            maps[name] = (size, [tree_entry(pid) for pid in pids])
    if filters.users:
        tunables[_sense(filters, "users")] = _ON
        members = [(_U32.pack(uid), _MEMBER) for uid in filters.users]
        maps["users"] = (len(members), members)
    if filters.names:
        tunables[_sense(filters, "names")] = _ON
        maps["names"] = (0, [(_U32.pack(0), filters.name_globs())])
    if filters.cgroups:
        tunables[_sense(filters, "cgroups")] = _U32.pack(len(filters.cgroups))
        entries = [(_U32.pack(i), _cgroup(path)) for i, path in enumerate(filters.cgroups)]
        maps["cgroups"] = (0, entries)
    if filters.containers and "containers" not in filters.excluding:
        tunables["only_containers"] = _ON
        maps["containers"] = (0, [(_U32.pack(0), filters.container_globs())])


def _sense(filters: Filters, name: str) -> str:
    return f"not_{name}" if name in filters.excluding else f"only_{name}"


def _cgroup(path: str) -> bytes:
    """Return a path as the kernel side reads one: the names, the nearest first."""
    names = [os.fsencode(name) for name in path.split("/") if name]
    text = b"".join(name + b"\0" for name in reversed(names)) + b"\0"
    return _CGROUP.pack(len(text), text)
