"""Processes of this machine that are what an answer is about, and still run."""

import os
import sqlite3
from collections.abc import Callable, Sequence
from typing import NamedTuple

from exitsnoop.host import processes
from exitsnoop.model import cgroup
from exitsnoop.reports.target import Target
from exitsnoop.store.boots import this_boot
from exitsnoop.store.recording import Recording

_GLOB = sqlite3.connect(":memory:", check_same_thread=False)
_DEAD = (b"Z", b"X")  # it has ended; its parent has not waited for it


class Living(NamedTuple):
    """A process that runs.

    Attributes:
        pid: its PID.
        comm: its name.
        start_boot_ns: when it was created, nanoseconds of the boot clock, to a tick.
    """

    pid: int
    comm: str
    start_boot_ns: int


def living(recording: Recording, target: Target) -> list[Living]:
    """Return the processes that are what X is; [] if the recording is of another machine or boot.

    Only what /proc shows to this user.
    """
    boots = recording.boots()
    here = boots and boots[-1].boot_id == this_boot().boot_id
    if not here or target.kind == "last" or not processes.in_first_namespace("pid"):
        return []
    pids = target.query.pids or processes.all_pids()
    found = []
    for pid in pids:
        try:
            if _IS[target.kind](pid, target) and processes.stat(pid)[0] not in _DEAD:
                found.append(_read(pid))
        except (OSError, ValueError):
            continue
    return found


def _read(pid: int) -> Living:
    ticks = int(processes.stat(pid)[19])  # starttime, the 22nd field of proc(5)
    return Living(pid, _comm(pid), ticks * 1_000_000_000 // os.sysconf("SC_CLK_TCK"))


def _comm(pid: int) -> str:
    with open(f"/proc/{pid}/comm", "rb") as file:
        return file.read().removesuffix(b"\n").decode("utf-8", "replace")


def _cgroup(pid: int) -> str:
    with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="replace") as lines:
        paths = [line.rstrip("\n").split(":", 2) for line in lines]
    return next((path for _, name, path in paths if name in ("", "name=systemd")), "")


def _fits(text: str, patterns: Sequence[str]) -> bool:
    """Return whether a text matches a pattern, as in the recording."""
    found = (
        _GLOB.execute("SELECT ? GLOB ?", (_encodable(text), _encodable(pattern))).fetchone()[0]
        for pattern in patterns
    )
    return any(found)


def _encodable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _has_name(pid: int, target: Target) -> bool:
    return _fits(_comm(pid), target.query.names)


def _has_exe(pid: int, target: Target) -> bool:
    return _fits(os.readlink(f"/proc/{pid}/exe"), target.query.exes)


def _has_unit(pid: int, target: Target) -> bool:
    unit = cgroup.unit(_cgroup(pid))
    return unit is not None and _fits(unit, target.query.units)


def _has_container(pid: int, target: Target) -> bool:
    if target.query.cgroups:
        return _in_cgroup(pid, target)
    container = cgroup.container(_cgroup(pid))
    ids = [f"{name}*" for name in target.query.containers]
    return container is not None and _fits(container.id, ids)


def _in_cgroup(pid: int, target: Target) -> bool:
    path = f"{_cgroup(pid)}/"
    return any(
        path.startswith(f"{one.rstrip('/')}/") if one.startswith("/") else f"/{one}/" in path
        for one in target.query.cgroups
    )


_IS: dict[str, Callable[[int, Target], bool]] = {
    "pid": lambda pid, _: os.path.exists(f"/proc/{pid}"),
    "name": _has_name,
    "exe": _has_exe,
    "unit": _has_unit,
    "container": _has_container,
    "cgroup": _in_cgroup,
}
