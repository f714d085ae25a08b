"""Where each bar of a time line is: parents above their children, those of a time side by side."""

from collections.abc import Iterable, Sequence

from exitsnoop.reports.timeline.timeline import Timeline
from exitsnoop.reports.timeline.tree import Process

MOST_BARS = 600
_MOST_FAILED, _MOST_STEPS, _MOST_ABOVE = 120, 200, 16


def chosen(of: Timeline) -> list[Process]:
    """Return the processes that are drawn, by their start.

    Those that failed, their killers, those that were longest on the critical path, what all these
    were below, and then the longest of all.
    """
    steps = sorted(of.path, key=lambda step: -step.took_ns)[:_MOST_STEPS]
    failed = of.failures[:_MOST_FAILED]
    wanted = dict.fromkeys(step.process for step in steps)
    wanted |= dict.fromkeys(failed)
    wanted |= dict.fromkeys(one.killer for one in failed if one.killer)
    for one in list(wanted):
        above = one.above
        for _ in range(_MOST_ABOVE):
            if above is None or len(wanted) >= MOST_BARS:
                break
            wanted[above] = None
            above = above.above
    by_length = sorted(of.tree.ended, key=lambda one: -one.lived_ns)
    for one in by_length[:MOST_BARS]:
        if len(wanted) < MOST_BARS:
            wanted[one] = None
    ghosts = {one.above for one in wanted if one.above and one.above.exit is None}
    return sorted({*wanted, *ghosts}, key=lambda one: (one.begin_ns, -one.end_ns))


def rows(shown: Sequence[Process]) -> dict[Process, int]:
    """Return the row of each process.

    Args:
        shown: the processes, by their start, so that a child comes after its parent.
    """
    there = {*shown}
    below: dict[Process | None, list[Process]] = {}
    for one in shown:
        below.setdefault(_above(one, there), []).append(one)
    heights: dict[Process, int] = {}
    offsets: dict[Process, int] = {}
    for one in reversed(shown):  # each after its children
        placed, height = _packed(below.get(one, ()), heights)
        offsets |= placed
        heights[one] = height + 1
    offsets |= _packed(below[None], heights)[0] if shown else {}
    found: dict[Process, int] = {}
    for one in shown:
        above = _above(one, there)
        found[one] = offsets[one] + (found[above] + 1 if above else 0)
    return found


def _above(one: Process, there: set[Process]) -> Process | None:
    """Return the nearest process above that is drawn; one that began later is none."""
    above = one.above
    return above if above in there and above is not None and _is_before(above, one) else None


def _is_before(above: Process, one: Process) -> bool:
    return (above.begin_ns, -above.end_ns) < (one.begin_ns, -one.end_ns)


def _packed(some: Iterable[Process], heights: dict[Process, int]) -> tuple[dict[Process, int], int]:
    """Return where blocks begin below their parent, each in the first rows that are free."""
    free: list[int] = []  # from when on each row is
    offsets: dict[Process, int] = {}
    for one in some:
        height = heights[one]
        at = next(
            at
            for at in range(len(free) + 1)
            if all(from_ns <= one.begin_ns for from_ns in free[at : at + height])
        )
        offsets[one] = at
        free += [0] * (at + height - len(free))
        free[at : at + height] = [one.end_ns] * height
    return offsets, len(free)
