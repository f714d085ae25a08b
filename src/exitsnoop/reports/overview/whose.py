"""Whose deaths are counted together: a program, in the place where it ran."""

from functools import lru_cache
from typing import NamedTuple

from exitsnoop.model import cgroup as names
from exitsnoop.reports.cascade import ANYTHING


class Whose(NamedTuple):
    """A program in a unit, container or pod; elsewhere in a slice.

    Attributes:
        comm: the name of the program.
        unit: the unit; None in a container, and where anything runs, as in a session.
        container: the id of the container; None in a pod, whose containers have new ids all
            the time.
        pod: the UID of the pod.
        within: the cgroup that they were in, or below; None if that is unknown, or the top.
    """

    comm: str
    unit: str | None
    container: str | None
    pod: str | None
    within: str | None


OTHERS = Whose("", None, None, None, None)
"""Stands for programs that are not counted one by one, as there are too many."""
MOST = 10_000
"""So many are counted one by one, and at times twice as many."""


@lru_cache(maxsize=4096)
def whose(comm: str, cgroup: str | None) -> Whose:
    """Return whose an exit is, by its name and its cgroup."""
    path = cgroup or "/"
    pod = names.pod(path)
    if pod:
        return Whose(comm, None, None, pod, _up_to(path, pod, pod.replace("-", "_")))
    container = names.container(path)
    if container:
        return Whose(comm, None, container.id, None, _up_to(path, container.id))
    unit = specific(names.unit(path))
    if unit:
        return Whose(comm, unit, None, None, _up_to(path, unit))
    return Whose(comm, None, None, None, _slices(path))


def specific(unit: str | None) -> str | None:
    """Return a unit; None if anything runs in it."""
    return None if unit is None or unit.startswith(ANYTHING) else unit


def _up_to(path: str, *parts: str) -> str:
    """Return the path up to the name that has one of these parts in it."""
    found = path.split("/")
    for at, name in enumerate(found):
        if any(part in name for part in parts):
            return "/".join(found[: at + 1])
    return path


def _slices(path: str) -> str | None:
    """Return the slices that a path begins with; all of it if it begins with none."""
    found = path.split("/")[1:]
    count = next((at for at, name in enumerate(found) if not name.endswith(".slice")), len(found))
    return f"/{'/'.join(found[:count])}" if count else (path if path != "/" else None)
