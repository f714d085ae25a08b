"""Workloads: under what name deaths are counted; a bounded number of names."""

import re
from collections import OrderedDict
from functools import lru_cache
from typing import NamedTuple

from exitsnoop.host.clock import SECOND_NS
from exitsnoop.model import cgroup as names

MOST = 500
"""So many workloads are counted by name."""
IDLE_NS = 86_400 * SECOND_NS
"""After so long without an exit, a workload gives its place to a new one that comes up."""
_NUMBERED = re.compile(r"-(?:[a-z]{0,2}\d+|[ru]?[0-9a-f]{8,}(?:-[0-9a-f]{4,})*)(?:-i\d+)?$")


class Workload(NamedTuple):
    """What processes belong to, whichever instance of it they are of.

    Attributes:
        namespace: the Kubernetes namespace; "" outside of Kubernetes.
        name: the container's name; else the unit with its instance left out: "getty@.service" for
            "getty@tty1.service", "session.scope" for "session-4.scope".
    """

    namespace: str
    name: str


NONE = Workload("", "none")
"""Of processes that are in no unit and no container, or in one that is unknown."""
OTHER = Workload("", "other")
"""Stands for all workloads beyond MOST."""


@lru_cache(maxsize=4096)
def workload(
    cgroup: str | None, container_name: str | None = None, namespace: str | None = None
) -> Workload:
    """Return the workload of a process.

    A container without a recorded name has that of its runtime: ids would be names without end.
    """
    container = names.container(cgroup or "")
    if container or container_name:
        named = container_name or _of_runtime(container)
        return Workload(namespace or "", named)
    unit = names.unit(cgroup or "")
    return Workload("", without_instance(unit)) if unit else NONE


def _of_runtime(container: names.Container | None) -> str:
    if container is None:
        return NONE.name
    return container.id if container.runtime in ("lxc", "systemd-nspawn") else container.runtime


def without_instance(unit: str) -> str:
    """Return the name of a unit without what tells one instance from another."""
    stem, _, kind = unit.rpartition(".")
    template, at, _ = stem.partition("@")
    if at:
        return f"{template}@.{kind}"
    if kind == "scope" or stem.startswith("run-"):
        stem = _NUMBERED.sub("", stem)
    return f"{stem}.{kind}"


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
