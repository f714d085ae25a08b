"""Board: deaths by group in a stretch of time that may move on; each death is counted once."""

import re
from collections import deque
from collections.abc import Iterable
from functools import lru_cache
from statistics import median
from typing import NamedTuple

from exitsnoop.host.clock import SECOND_NS
from exitsnoop.model.outcomes import outcome
from exitsnoop.reports.loops import Ended, Loop, loop_of, looping
from exitsnoop.sinks.escape import word
from exitsnoop.store.coverage import Gap
from exitsnoop.top.deaths import BEFORE_NS, Death

BINS = 24
"""A stretch is counted in so many bins."""
BY = ("unit", "container", "executable")
"""What deaths can be grouped by."""
MOST_GROUPS = 2000
"""What has no place among so many groups is counted together."""
RECENT = 500
"""So many of the last deaths of a group are kept, and as many failures."""
_OTHERS = "(others)"
_LONG_ID = re.compile(r"(?<![0-9a-f])([0-9a-f]{12})[0-9a-f]{52}(?![0-9a-f])")
_GOES_ON_NS = 30 * SECOND_NS
_LEAST_SEEN_NS = 10 * SECOND_NS  # of less, a rate would say too much


def group_of(death: Death, by: str) -> str:
    """Return the name of the group that a death belongs to, escaped. by: one of BY.

    A name in parentheses is none of a process: escaped names have no bare space.
    """
    if by == "unit":
        return _short(death.unit) if death.unit else "(no unit)"
    if by == "container":
        return _short(death.container) if death.container else "(no container)"
    return word(death.exe or death.comm)


@lru_cache(maxsize=4096)
def _short(name: str) -> str:
    """Return the name of a unit or container, with the first digits of an id in it."""
    return word(_LONG_ID.sub(r"\1", name))


class Bin(NamedTuple):
    """What died in a part of the time.

    Attributes:
        ended: how many processes ended.
        failed: how many of them failed.
        worst: the name of the outcome of its last failure; "" if none failed.
    """

    ended: int
    failed: int
    worst: str


_EMPTY = Bin(0, 0, "")


class Group:
    """The deaths of a group.

    Attributes:
        name: its name, escaped.
        ended: how many processes ended in the time.
        failed: how many of them failed.
        recent: the last deaths, the newest last.
        failures: the last failures; also those before the time.
        bins: what died in each bin, by its number.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.ended = self.failed = 0
        self.recent: deque[Death] = deque(maxlen=RECENT)
        self.failures: deque[Death] = deque(maxlen=RECENT)
        self.bins: dict[int, Bin] = {}
        self._loop: Loop | None = None
        self._is_looked_for = False
        self._median_ns: int | None = None

    def add(self, death: Death, bin_: int) -> None:
        """Count a death."""
        failed = int(death.status != 0)
        ended, before, worst = self.bins.get(bin_, _EMPTY)
        if failed:
            worst = outcome(death.cause).name
            self.failures.append(death)
            self._is_looked_for = False
        self.bins[bin_] = Bin(ended + 1, before + failed, worst)
        self.ended += 1
        self.failed += failed
        self.recent.append(death)
        self._median_ns = None

    def remember(self, death: Death) -> None:
        """Keep a failure before the time: a loop may have begun then."""
        self.failures.append(death)

    def drop(self, before: int) -> None:
        """Forget the bins before one."""
        for bin_ in [bin_ for bin_ in self.bins if bin_ < before]:
            ended, failed, _ = self.bins.pop(bin_)
            self.ended -= ended
            self.failed -= failed
            self._median_ns = None

    def last_failure(self, from_ns: int) -> Death | None:
        """Return its last failure in a time that begins then; None if nothing failed."""
        last = self.failures[-1] if self.failures else None
        return last if last is not None and self.failed and last.wall_ns >= from_ns else None

    def median_ns(self) -> int:
        """Return the median of how long the last RECENT of its processes lived, nanoseconds."""
        if self._median_ns is None:
            lives = [one.lived_ns for one in self.recent][-max(1, self.ended) :]
            self._median_ns = round(median(lives)) if lives else 0
        return self._median_ns

    def loop(self, to_ns: int) -> Loop | None:
        """Return the crash loop that it is in at a time; None if it is in none.

        Only processes of the same executable with the same arguments make a loop.
        """
        if not self._is_looked_for:
            self._loop, self._is_looked_for = self._found(), True
        loop = self._loop
        if loop is None or not self.failed:
            return None
        goes_on = to_ns - loop.to_ns < max(3 * loop.every_s * SECOND_NS, _GOES_ON_NS)
        return loop if goes_on else None

    def _found(self) -> Loop | None:
        alike: dict[tuple[str, str | None, int], list[Ended]] = {}
        for one in self.failures:
            ended = Ended(one.wall_ns, one.lived_ns, one.cause, one.status)
            alike.setdefault((one.comm, one.exe, one.args), []).append(ended)
        runs = [run for some in alike.values() if len(some) > 2 for run in looping(some)]
        return max(map(loop_of, runs), key=lambda loop: loop.to_ns, default=None)


class Board:
    """Deaths by group in the time [from_ns, to_ns].

    Args:
        by: one of BY.
        length_ns: how long the time is.
        to_ns: where it ends, nanoseconds since the epoch.

    Attributes:
        groups: the groups, by their names; some may be empty.
        from_ns: where the time begins: at a bin.
        gaps: what was not recorded in it.
        notes: what else is missing, in words.
    """

    def __init__(self, by: str, length_ns: int, to_ns: int) -> None:
        self.by = by
        self.bin_ns = length_ns // BINS
        self.groups: dict[str, Group] = {}
        self.gaps: list[Gap] = []
        self.notes: list[str] = []
        self.to_ns = to_ns
        self.first_bin = self._first()
        self.from_ns = self.first_bin * self.bin_ns

    def _first(self) -> int:
        return self.to_ns // self.bin_ns - BINS + 1

    def add(self, deaths: Iterable[Death]) -> None:
        """Count deaths that are new, in the order of the recording."""
        by, first, bin_ns = self.by, self.first_bin, self.bin_ns
        last = first + BINS - 1
        for death in deaths:
            bin_ = death.wall_ns // bin_ns
            if bin_ >= first:  # a clock that is ahead puts it into the last bin
                self._group(group_of(death, by)).add(death, min(bin_, last))

    def remember(self, failures: Iterable[Death]) -> None:
        """Keep failures before the time, in the order of the recording; first of all."""
        for death in failures:
            self._group(group_of(death, self.by)).remember(death)

    def _group(self, name: str) -> Group:
        group = self.groups.get(name)
        if group is None:
            if len(self.groups) >= MOST_GROUPS:
                name = _OTHERS
            group = self.groups.setdefault(name, Group(name))
        return group

    def advance(self, to_ns: int) -> None:
        """Let the time end later; what is before it then is forgotten."""
        self.to_ns = max(self.to_ns, to_ns)
        first = self._first()
        if first == self.first_bin:
            return
        self.first_bin, self.from_ns = first, first * self.bin_ns
        for group in self.groups.values():
            group.drop(first)
        long_ago = self.from_ns - BEFORE_NS
        self.groups = {
            name: group
            for name, group in self.groups.items()
            if group.ended or (group.failures and group.failures[-1].wall_ns >= long_ago)
        }

    @property
    def ended(self) -> int:
        """How many processes ended in the time."""
        return sum(group.ended for group in self.groups.values())

    @property
    def failed(self) -> int:
        """How many of them failed."""
        return sum(group.failed for group in self.groups.values())

    @property
    def lost(self) -> int:
        """How many exits of the time are known to be missing."""
        return sum(gap.lost or 0 for gap in self.gaps)

    def unseen(self) -> list[bool]:
        """Return for each bin whether nobody looked for most of it."""
        found = []
        for nth in range(BINS):
            begin = self.from_ns + nth * self.bin_ns
            end = min(begin + self.bin_ns, self.to_ns)
            found.append(2 * self._missing(begin, end) > end - begin)
        return found

    def _missing(self, begin: int, end: int) -> int:
        return sum(
            max(0, min(gap.to_ns, end) - max(gap.from_ns, begin))
            for gap in self.gaps
            if gap.lost is None
        )

    def minutes(self) -> float:
        """Return of how many minutes all was seen; never 0."""
        seen = self.to_ns - self.from_ns - self._missing(self.from_ns, self.to_ns)
        return max(seen, _LEAST_SEEN_NS) / (60 * SECOND_NS)

    @property
    def is_unseen(self) -> bool:
        """Whether nobody looked in all that time."""
        return (
            self.from_ns + self._missing(self.from_ns, self.to_ns) >= self.to_ns - SECOND_NS // 10
        )
