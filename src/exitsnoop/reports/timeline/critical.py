"""The critical path of a build: what had to be faster for all of it to be faster.

It goes back from the end of the topmost process. At each moment one process is on it. A process
whose child has just ended has waited for that child: the path goes on in it, back to its start, and
then again in the parent, which started it then. So what a process does between the end of one child
and the start of the next that is on the path is its own. The record has no waits. A child that ran
beside, and for which nobody waited, is taken for one that was waited for if it was the last to end.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from exitsnoop.reports.timeline.tree import Process


class Step(NamedTuple):
    """A stretch of the path: from one time to another, this process was on it, none below it."""

    process: Process
    from_ns: int
    to_ns: int

    @property
    def took_ns(self) -> int:
        """How long it took."""
        return self.to_ns - self.from_ns


def critical_path(top: Process) -> list[Step]:
    """Return the path from the start of a process to its end, without a break, the oldest first."""
    steps: list[Step] = []
    walks = [_Walk(top, top.end_ns)]
    while walks:
        walk = walks[-1]
        child = walk.last_child()
        from_ns = child.end_ns if child else walk.process.begin_ns
        if walk.at_ns > from_ns:
            steps.append(Step(walk.process, from_ns, walk.at_ns))
        if child:
            walk.at_ns = child.begin_ns
            walks.append(_Walk(child, child.end_ns))
        else:
            walks.pop()
    return steps[::-1]


class _Walk:
    """The way back through a process.

    Attributes:
        process: the process.
        at_ns: the time that was reached.
    """

    def __init__(self, process: Process, at_ns: int) -> None:
        self.process = process
        self.at_ns = at_ns
        self._left = sorted(process.below, key=_end)

    def last_child(self) -> Process | None:
        """Return the child that was the last to end up to here; None if none is left."""
        del self._left[bisect_right(self._left, self.at_ns, key=_end) :]
        while self._left:
            child = self._left.pop()
            if child.exit and child.begin_ns >= self.process.begin_ns:
                return child
        return None


def _end(one: Process) -> int:
    return one.end_ns


def own_times(steps: Sequence[Step]) -> dict[str, int]:
    """Return how long programs were on the path, by name, the longest first."""
    found: dict[str, int] = {}
    for step in steps:
        name = step.process.comm or ""
        found[name] = found.get(name, 0) + step.took_ns
    return dict(sorted(found.items(), key=lambda one: -one[1]))
