"""Deaths made up one by one, with what a report needs to know of each."""

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

from exitsnoop.model.batch import Exits
from exitsnoop.model.cause import Cause
from exitsnoop.model.context import Ancestor
from support import recorded
from support.recorded import SECOND_NS

WELL = Cause("exited", "exit 0")
INIT = Ancestor(1, "systemd")


class Death(NamedTuple):
    """An exit: when in the fortnight, in seconds, and what is to be known of it."""

    at_s: float
    lived_s: float
    comm: str
    cgroup: str
    status: int
    cause: Cause
    pid: int
    ppid: int
    args: tuple[str, ...]
    parent: str
    user: str
    max_rss: int
    cpu_s: float


class Machine:
    """Makes deaths; each has a PID of its own, and all are the same each time."""

    def __init__(self) -> None:
        self.random = random.Random(17)
        self._pid = 4000

    def pid(self) -> int:
        """Return a new PID."""
        self._pid += self.random.randint(1, 9)
        return self._pid

    def death(
        self,
        at_s: float,
        lived_s: float,
        comm: str,
        cgroup: str,
        status: int = 0,
        cause: Cause = WELL,
        **known: Any,
    ) -> Death:
        """Return a death; `known` has fields of Death that differ from the usual."""
        more = {
            "pid": self.pid(),
            "ppid": 1,
            "args": (comm,),
            "parent": "systemd",
            "user": "root",
            "max_rss": 6 << 20,
            "cpu_s": min(lived_s, 0.004),
            **known,
        }
        return Death(at_s, lived_s, comm, cgroup, status, cause, **more)


def exits(some: Sequence[Death], begin_ns: int, offset_ns: int) -> Exits:
    """Return the exits of deaths that are in the order of time.

    begin_ns: the time from which they are counted; offset_ns: how far the wall clock is ahead.
    """
    count = len(some)
    boot_ns = [begin_ns + round(one.at_s * SECOND_NS) - offset_ns for one in some]
    columns: dict[str, list[Any]] = {
        "boot_ns": boot_ns,
        "start_boot_ns": [
            at - round(one.lived_s * SECOND_NS) for at, one in zip(boot_ns, some, strict=True)
        ],
        "pid": [one.pid for one in some],
        "tid": [one.pid for one in some],
        "ppid": [one.ppid for one in some],
        "status": [one.status for one in some],
        "raw_comm": [one.comm.encode()[:15].ljust(16, b"\0") for one in some],
        "cause": [one.cause for one in some],
        "args": [one.args for one in some],
        "exe": [f"/usr/bin/{one.comm}" for one in some],
        "parent_comm": [one.parent for one in some],
        "ancestors": [_above(one) for one in some],
        "user": [one.user for one in some],
        "cgroup": [one.cgroup for one in some],
        "max_rss": [one.max_rss for one in some],
        "cpu_user": [one.cpu_s * 0.8 for one in some],
        "cpu_system": [one.cpu_s * 0.2 for one in some],
    }
    zeros = "read_bytes write_bytes minor_faults major_faults voluntary_switches"
    same = dict.fromkeys((*zeros.split(), "involuntary_switches"), 0)
    return recorded.exits(range(count), offset_ns, cwd="/", **same, **columns)


def _above(one: Death) -> tuple[Ancestor, ...]:
    return (INIT,) if one.ppid == 1 else (Ancestor(one.ppid, one.parent), INIT)
