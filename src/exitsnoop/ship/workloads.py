"""Workloads: under what name deaths are counted; a bounded number of names."""

from collections import OrderedDict
from typing import NamedTuple

from exitsnoop.host.clock import SECOND_NS
from exitsnoop.model.workload import workload as name_of

MOST = 500
"""So many workloads are counted by name."""
IDLE_NS = 86_400 * SECOND_NS
"""After so long without an exit, a workload gives its place to a new one that comes up."""


class Workload(NamedTuple):
    """What processes belong to, whichever instance of it they are of.

    Attributes:
        namespace: the Kubernetes namespace; "" outside of Kubernetes.
        name: as model.workload makes it.
    """

    namespace: str
    name: str


NONE = Workload("", "none")
"""Of processes that are in no unit and no container, or in one that is unknown."""
OTHER = Workload("", "other")
"""Stands for all workloads beyond MOST."""


def workload(
    cgroup: str | None, container_name: str | None = None, namespace: str | None = None
) -> Workload:
    """Return the workload of a process."""
    name = name_of(cgroup, container_name)
    return Workload(namespace or "", name) if name else NONE


class Workloads:
    """The workloads that are counted by name, the one whose exit is the oldest first."""

    def __init__(self, known: "list[tuple[Workload, int]] | None" = None) -> None:
        self._last: OrderedDict[Workload, int] = OrderedDict(known or ())

    def admit(self, wanted: Workload, wall_ns: int) -> tuple[Workload, Workload | None]:
        """Return under which workload to count an exit, and which one gave its place to it.

        Args:
            wanted: the workload of the exit.
            wall_ns: when it exited.
        """
        gone = None
        if wanted not in self._last and len(self._last) >= MOST:
            oldest, last_ns = next(iter(self._last.items()))
            if wall_ns - last_ns < IDLE_NS:
                return OTHER, None
            del self._last[oldest]
            gone = oldest
        self._last[wanted] = wall_ns
        self._last.move_to_end(wanted)
        return wanted, gone

    def known(self) -> list[tuple[Workload, int]]:
        """Return the workloads, each with the time of its last exit."""
        return list(self._last.items())
