"""Failures of a period, counted: whose, how, when."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from exitsnoop.reports.loops import Ended, Loop, loop_of, looping
from exitsnoop.reports.overview.asking import FAILED, Asking, hour_ns
from exitsnoop.reports.overview.whose import MOST, OTHERS, Whose, specific, whose

_READ = 2000  # failures of a group are enough to see its loops
_MOST = 100_000
_MOST_S = 600


class Tally(NamedTuple):
    """Failures of one kind in a part of a bin.

    Attributes:
        whose: whose they are.
        cause: the kind of cause; "" if it was not collected.
        status: the wait status.
        part: the part of a bin, counted from the first.
        times: how many.
        first_ns, last_ns: when the first and the last was, nanoseconds since the epoch.
    """

    whose: Whose
    cause: str
    status: int
    part: int
    times: int
    first_ns: int
    last_ns: int


class Looping(NamedTuple):
    """A crash loop.

    Attributes:
        whose: whose it is.
        loop: since when, how often, why.
        deaths: its deaths, the newest 2000 at most, in the order of time.
    """

    whose: Whose
    loop: Loop
    deaths: list[Ended]


def tallies(asking: Asking) -> list[Tally]:
    """Return all failures of the period, counted; of many thousand programs, some together."""
    groups: dict[Whose, list[Tally]] = {}
    rest: dict[tuple[str, int, int], Tally] = {}
    for one in _each(asking):
        groups.setdefault(one.whose, []).append(one)
        if len(groups) > 2 * MOST:
            _fold(groups, rest)
    return [*(one for some in groups.values() for one in some), *rest.values()]


def _fold(groups: dict[Whose, list[Tally]], rest: dict[tuple[str, int, int], Tally]) -> None:
    """Move the smallest groups to the rest, so that MOST are left."""
    by_size = sorted(groups, key=lambda of: sum(one.times for one in groups[of]))
    for of in by_size[:-MOST]:
        for one in groups.pop(of):
            key = (one.cause, one.status, one.part)
            before = rest.get(key, one._replace(whose=OTHERS, times=0))
            rest[key] = before._replace(
                times=before.times + one.times,
                first_ns=min(before.first_ns, one.first_ns),
                last_ns=max(before.last_ns, one.last_ns),
            )


def _each(asking: Asking) -> Iterator[Tally]:
    period = asking.period
    within: dict[Whose, Whose] = {}
    for comm, cgroup, *counted in asking.complete(
        "counting failures",
        "SELECT comm, cgroup, ifnull(cause, ''), status, "
        f"(wall_ns - {period.first_ns}) / {period.part_ns}, count(*), min(wall_ns), max(wall_ns) "
        f"FROM exits WHERE {FAILED} GROUP BY comm, cgroup, 3, status, 5",
    ):
        of = whose(comm, cgroup)
        if len(within) < MOST:
            within[of._replace(within=None)] = of
        yield Tally(of, *counted)
    for comm, unit, container, cause, status, hour, count in asking.dropped(
        "counting failures that were dropped",
        "SELECT comm, unit, container, ifnull(cause, ''), status, hour, sum(exits) FROM hours "
        "WHERE status <> 0 GROUP BY comm, unit, container, 4, status, hour",
    ):
        at_ns = max(hour_ns(hour), period.from_ns)
        known = Whose(comm or "", None if container else specific(unit), container, None, None)
        part = (at_ns - period.first_ns) // period.part_ns
        yield Tally(within.get(known, known), cause, status, part, count, at_ns, at_ns)


def exits_by_bin(asking: Asking) -> list[int]:
    """Return how many processes ended in each bin, however they ended."""
    period = asking.period
    counts = [0] * period.bins
    for nth, count in asking.complete(
        "counting exits",
        f"SELECT (wall_ns - {period.first_ns}) / {period.bin_ns}, count(*) FROM exits "
        "WHERE last_thread = 1 GROUP BY 1",
    ):
        counts[min(max(nth, 0), period.bins - 1)] += count
    for hour, count in asking.dropped(
        "counting exits that were dropped", "SELECT hour, sum(exits) FROM hours GROUP BY hour"
    ):
        counts[period.bin(hour_ns(hour))] += count
    return counts


def loops(asking: Asking, counted: Sequence[Tally]) -> list[Looping]:
    """Return the crash loops of the period, the latest first."""
    deaths: dict[tuple[Whose, str], list[Ended]] = defaultdict(list)
    for comm, cgroup, wall_ns, age, cause, status, args in asking.during(
        "looking for crash loops",
        "SELECT comm, cgroup, wall_ns, age, ifnull(cause, ''), status, args FROM ("
        "SELECT comm, cgroup, wall_ns, age, cause, status, args, id, "
        "row_number() OVER (PARTITION BY comm, cgroup ORDER BY id DESC) AS nth FROM exits "
        f"WHERE {FAILED} AND age <= {_MOST_S}) WHERE nth <= {_READ} ORDER BY id DESC LIMIT {_MOST}",
    ):
        deaths[whose(comm, cgroup), args or ""].append(
            Ended(wall_ns, round(age * 1e9), cause, status)
        )
    found = []
    for (of, _), some in deaths.items():
        some.reverse()
        for run in looping(some):
            loop = loop_of(run)
            if len(some) >= _READ and run[0] is some[0]:
                same = [one for one in counted if one.whose == of]
                loop = _longer(loop, same, asking.period.part_ns)
            found.append(Looping(of, loop, run))
    return sorted(found, key=lambda one: (-one.loop.to_ns, -one.loop.deaths))


def _longer(loop: Loop, counted: Sequence[Tally], part_ns: int) -> Loop:
    """Return a loop that began before what was read: the counts say since when.

    The part in which what was read begins is not counted again.
    """
    parts: dict[int, tuple[int, int, int]] = {}
    for one in counted:
        if one.last_ns < loop.from_ns:
            count, first_ns, last_ns = parts.get(one.part, (0, one.first_ns, one.last_ns))
            parts[one.part] = (
                count + one.times,
                min(first_ns, one.first_ns),
                max(last_ns, one.last_ns),
            )
    from_ns, deaths = loop.from_ns, loop.deaths
    pause_ns = part_ns + max(60.0, 10 * loop.every_s) * 1e9
    for _, (count, first_ns, last_ns) in sorted(parts.items(), reverse=True):
        if from_ns - last_ns > pause_ns:
            break
        deaths += count
        from_ns = first_ns
    every_s = round((loop.to_ns - from_ns) / max(1, deaths - 1) / 1e9, 3)
    return loop._replace(from_ns=from_ns, deaths=deaths, every_s=every_s)
