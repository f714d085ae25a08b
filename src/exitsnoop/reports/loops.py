"""Crash loops: deaths of one kind that come again and again, each soon after the start."""

from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median
from typing import NamedTuple

from exitsnoop.host.clock import SECOND_NS
from exitsnoop.model.exit import Exit

SHORT_NS = 600 * SECOND_NS
"""Longer lives do not belong to a loop."""
SOON_NS = 60 * SECOND_NS
"""A pause of this length is usual in any loop."""
_FAR_NS = 900 * SECOND_NS  # a supervisor that backs off waits for minutes, but not longer
_GENERATIONS = 3


class Ended(NamedTuple):
    """A failure, as far as loops are about it.

    Attributes:
        wall_ns: when, nanoseconds since the epoch.
        lived_ns: how long it had lived, nanoseconds.
        cause: the kind of cause; "" if it was not collected.
        status: the wait status.
    """

    wall_ns: int
    lived_ns: int
    cause: str
    status: int


def ended(exit_: Exit) -> Ended:
    """Return an exit as far as loops are about it."""
    cause = exit_.cause.kind if exit_.cause else ""
    return Ended(exit_.wall_ns, exit_.boot_ns - exit_.start_boot_ns, cause, exit_.status)


class Loop(NamedTuple):
    """Deaths of a group that came again and again, each soon after the start.

    Attributes:
        from_ns, to_ns: the first and the last death, nanoseconds since the epoch.
        deaths: how many.
        every_s: the time from one to the next, in seconds, on average.
        cause: what ended them most often; "" if causes were not collected.
        status: the wait status of these.
        is_most: whether more than half of them ended so.
        good: the last run before it that lasted; None if none is recorded.
    """

    from_ns: int
    to_ns: int
    deaths: int
    every_s: float
    cause: str
    status: int
    is_most: bool
    good: Exit | None


def loops(deaths: Sequence[Ended]) -> list[Loop]:
    """Return the loops among the failures of a group, which are in the order of time.

    At least three times in a row, a process that was started after the death before must have
    ended within ten minutes. Processes that run beside each other, and are killed once, are not a
    loop.
    """
    return [loop_of(run) for run in looping(deaths)]


def looping(deaths: Sequence[Ended]) -> list[list[Ended]]:
    """Return the deaths of each such loop."""
    return [run for run in runs(deaths) if _generations(run) >= _GENERATIONS]


def runs(deaths: Sequence[Ended]) -> Iterator[list[Ended]]:
    """Split into runs of short lives with short pauses; there is at least one, maybe empty."""
    run: list[Ended] = []
    pauses: list[int] = []
    for one in deaths:
        is_long = one.lived_ns > SHORT_NS
        if run:
            pause = one.wall_ns - run[-1].wall_ns
            if is_long or _is_long(pause, pauses):
                yield run
                run, pauses = [], []
            else:
                pauses.append(pause)
        if not is_long:
            run.append(one)
    yield run


def _is_long(pause: int, pauses: Sequence[int]) -> bool:
    """Return whether a pause is longer than those before allow."""
    if pause <= SOON_NS:
        return False
    usual = max(SOON_NS, 10 * median(pauses)) if len(pauses) > 1 else _FAR_NS
    return pause > min(usual, _FAR_NS)


def _generations(run: Sequence[Ended]) -> int:
    """Return how many came one after another: each started after the one before had ended."""
    count, ended_ns = 0, 0
    for one in run:
        if one.wall_ns - one.lived_ns >= ended_ns:
            count, ended_ns = count + 1, one.wall_ns
    return count


def loop_of(run: Sequence[Ended]) -> Loop:
    """Return what a loop is, by its deaths."""
    ends = Counter((one.cause, one.status) for one in run)
    (cause, status), count = ends.most_common(1)[0]
    pauses = max(1, len(run) - 1)
    return Loop(
        from_ns=run[0].wall_ns,
        to_ns=run[-1].wall_ns,
        deaths=len(run),
        every_s=round((run[-1].wall_ns - run[0].wall_ns) / pauses / SECOND_NS, 3),
        cause=cause,
        status=status,
        is_most=2 * count > len(run),
        good=None,
    )
