"""Which process was below which: the tree of those that ended.

A PID comes again. Only one process has it at a time, so a process is found by its PID and a time
at which it had it. A parent at the exit is older than its child, also if it adopted it: so it is
the process that had this PID when the child started (kernel/exit.c: find_new_reaper() takes another
thread of the parent, or an ancestor).
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from exitsnoop.model.exit import Exit


class Process:
    """A process of a time line. Times are nanoseconds since the epoch.

    Attributes:
        pid: its PID.
        comm: its name; None if that is unknown.
        exit: how it ended; None if that is not there: it still ran, or its exit was not recorded.
            Such a process is known from another one, which it was the parent or the killer of.
        begin_ns, end_ns: when it began and ended. Without an exit: the time for which it is known.
        above: its parent when it ended; None if that is unknown.
        below: its children, by the time of their start.
        killer: the process that sent the signal that ended it; None if none did.
        boot: the boot that it ran in.
    """

    __slots__ = (
        *("pid", "comm", "exit", "begin_ns", "end_ns", "above", "below", "killer", "boot"),
    )

    def __init__(
        self, pid: int, comm: str | None, begin_ns: int, end_ns: int, boot: str = ""
    ) -> None:
        self.pid = pid
        self.comm = comm
        self.exit: Exit | None = None
        self.begin_ns = begin_ns
        self.end_ns = end_ns
        self.above: Process | None = None
        self.below: list[Process] = []
        self.killer: Process | None = None
        self.boot = boot

    @property
    def lived_ns(self) -> int:
        """How long it lived."""
        return self.end_ns - self.begin_ns


class Tree(NamedTuple):
    """The processes of a time line.

    Attributes:
        ended: those that ended, by the time of their start.
        others: those without an exit.
    """

    ended: list[Process]
    others: list[Process]

    def largest(self) -> Process | None:
        """Return the process that ended and has most below it; the longest of several."""
        sizes: dict[Process, int] = defaultdict(lambda: 1)
        for one in reversed(self.ended):  # children are younger
            if one.above:
                sizes[one.above] += sizes[one]
        tops = [one for one in self.ended if one.above is None or one.above.exit is None]
        return max(tops, key=lambda one: (sizes[one], one.lived_ns), default=None)


def tree(exits: Iterable[tuple[str, Exit]], without: Sequence[int] = ()) -> Tree:
    """Return the tree of exits, each with its boot.

    Args:
        exits: of processes.
        without: PIDs of processes that are not shown if they did not end.
    """
    boots: dict[str, list[Exit]] = defaultdict(list)
    for boot, one in exits:
        boots[boot].append(one)
    ended: list[Process] = []
    others: list[Process] = []
    for boot, some in boots.items():
        made = _Boot(boot, some, without)
        ended += made.ended
        others += made.others.values()
    ended.sort(key=_begin)
    return Tree(ended, others)


def _begin(one: Process) -> int:
    return one.begin_ns


class _Boot:
    """The processes of a boot: its clock is not set, so all times come from it."""

    def __init__(self, boot: str, exits: Sequence[Exit], without: Sequence[int]) -> None:
        last = max(exits, key=lambda one: one.boot_ns)
        self._offset_ns = last.wall_ns - last.boot_ns
        self._boot = boot
        self._without = without
        self.others: dict[tuple[int, int], Process] = {}
        self._had: dict[int, list[Process]] = defaultdict(list)
        self.ended = [self._process(one) for one in exits]
        self.ended.sort(key=_begin)
        for one in self.ended:
            self._had[one.pid].append(one)
        for one in self.ended:
            self._join(one)
        for one in (*self.ended, *self.others.values()):
            one.below.sort(key=_begin)

    def _process(self, exit_: Exit) -> Process:
        begin_ns = exit_.start_boot_ns + self._offset_ns
        end_ns = exit_.boot_ns + self._offset_ns
        made = Process(exit_.pid, exit_.comm, begin_ns, end_ns, self._boot)
        made.exit = exit_
        return made

    def _who_had(self, pid: int, at_ns: int) -> Process | None:
        """Return the process that ended and had a PID at a time."""
        some = self._had.get(pid, ())
        nth = bisect_right(some, at_ns, key=_begin) - 1
        return some[nth] if nth >= 0 and some[nth].end_ns >= at_ns else None

    def _other(self, pid: int, comm: str | None, begin_ns: int, end_ns: int) -> Process | None:
        """Return a process that had a PID from one time to another, and whose exit is not there."""
        if pid <= 0 or pid in self._without:
            return None
        before = bisect_right(self._had.get(pid, ()), begin_ns, key=lambda one: one.end_ns)
        key = (pid, before)
        known = self.others.get(key)
        if known is None:
            known = self.others[key] = Process(pid, comm, begin_ns, end_ns, self._boot)
        known.begin_ns = min(known.begin_ns, begin_ns)
        known.end_ns = max(known.end_ns, end_ns)
        return known

    def _join(self, one: Process) -> None:
        exit_ = one.exit
        assert exit_ is not None  # noqa: S101 - it is of those that ended
        above = self._who_had(exit_.ppid, one.begin_ns)
        if above is None or above is one:
            above = self._other(exit_.ppid, exit_.parent_comm, one.begin_ns, one.end_ns)
        one.above = above
        if above:
            above.below.append(one)
        cause = exit_.cause
        if cause is not None and cause.kind == "killed" and cause.sender:
            one.killer = self._killer(one, cause.sender.pid, cause.sender.comm)

    def _killer(self, one: Process, pid: int, comm: str) -> Process | None:
        """Return who killed a process. It may have ended before the process did."""
        some = self._had.get(pid, ())
        nth = bisect_right(some, one.end_ns, key=_begin) - 1
        if nth >= 0:
            found = some[nth]
            if found.end_ns >= one.end_ns or (found.comm == comm and found.end_ns > one.begin_ns):
                return found
        return self._other(pid, comm, one.end_ns, one.end_ns)
