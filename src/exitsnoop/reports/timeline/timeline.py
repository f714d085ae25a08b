"""A time line: the processes of a build, or of a stretch of time, and what is known of it."""

from collections.abc import Sequence
from typing import NamedTuple

from exitsnoop.model.outcomes import outcome
from exitsnoop.reports.timeline.critical import Step, critical_path
from exitsnoop.reports.timeline.gathering import Gathering
from exitsnoop.reports.timeline.tree import Process, Tree, tree
from exitsnoop.store.coverage import Gap

WELL = "well"
"""How those ended that ended well, where the others have the name of their outcome."""


class About(NamedTuple):
    """What a time line is about. Times are nanoseconds since the epoch.

    Attributes:
        title: the command, or the machine; as it was given.
        command: the PID of the command; None if it is about a stretch of a recording.
        from_ns: where it begins at the earliest; None: at the first start.
        now_ns: the time now.
        gaps: what was not recorded in it.
        missing: the same in words, with what was dropped or damaged.
        lost: how many exits of a command were lost.
        running: how many processes of the command still ran when it ended; None if not known.
        without: PIDs that are not shown unless they ended.
    """

    title: str
    command: int | None
    from_ns: int | None
    now_ns: int
    gaps: Sequence[Gap] = ()
    missing: Sequence[str] = ()
    lost: int = 0
    running: int | None = None
    without: Sequence[int] = ()


class Timeline(NamedTuple):
    """A time line.

    Attributes:
        about: what it is about.
        tree: its processes.
        counts: how many there were, those that are left out included.
        from_ns, to_ns: where it begins and ends, nanoseconds since the epoch.
        top: the process of which `path` is the critical path: the command, or else the process that
            has most below it; None if none ended.
        path: the critical path.
        failures: the processes that failed and had no child that failed, by the time of their end.
    """

    about: About
    tree: Tree
    counts: Gathering
    from_ns: int
    to_ns: int
    top: Process | None
    path: list[Step]
    failures: list[Process]

    @property
    def earlier(self) -> int:
        """How many processes began before it."""
        return sum(one.begin_ns < self.from_ns for one in self.tree.ended)

    def at(self, wall_ns: int) -> float:
        """Return where a time is, from 0 to 1."""
        whole_ns = max(1, self.to_ns - self.from_ns)
        return min(1.0, max(0.0, (wall_ns - self.from_ns) / whole_ns))


def timeline(counts: Gathering, about: About) -> Timeline:
    """Return the time line of what was gathered."""
    found = tree(counts.kept(), about.without)
    top = next((one for one in found.ended if one.pid == about.command), None) or found.largest()
    from_ns = min((one.begin_ns for one in found.ended), default=about.now_ns)
    if about.from_ns is not None:
        from_ns = max(from_ns, about.from_ns)
    to_ns = max((one.end_ns for one in found.ended), default=from_ns)
    return Timeline(
        about=about,
        tree=found,
        counts=counts,
        from_ns=from_ns,
        to_ns=max(to_ns, from_ns + 1),
        top=top,
        path=critical_path(top) if top else [],
        failures=_failures(found),
    )


def _failures(found: Tree) -> list[Process]:
    failed = [one for one in found.ended if ended(one) != WELL]
    followed = {one.above for one in failed}
    return sorted((one for one in failed if one not in followed), key=lambda one: one.end_ns)


def ended(one: Process) -> str:
    """Return the name of the outcome of a process; WELL, or "" if its exit is not there."""
    if one.exit is None:
        return ""
    if not one.exit.status:
        return WELL
    return outcome(one.exit.cause.kind if one.exit.cause else "").name


def failed_with(one: Process) -> list[Process]:
    """Return the processes above that failed, too: the nearest first, up to one that did not."""
    found: list[Process] = []
    above = one.above
    while above and ended(above) not in (WELL, ""):
        found.append(above)
        above = above.above
    return found
