"""What was there before: the period before it, and up to a year of counts by the hour."""

from collections import Counter
from typing import NamedTuple

from exitsnoop.reports.overview.asking import Asking, hour_ns
from exitsnoop.reports.overview.failures import Tally
from exitsnoop.reports.overview.period import HOUR_NS
from exitsnoop.reports.overview.whose import Whose, specific
from exitsnoop.store.view import During

_LEAST = 0.05


class Way(NamedTuple):
    """A way in which a program ended; new containers of a program are the same one.

    Attributes:
        comm: the name of the program.
        unit: the unit, None where that says nothing.
        contained: whether it was in a container.
        cause: the kind of cause; "" if it was not collected.
        status: the wait status.
    """

    comm: str
    unit: str | None
    contained: bool
    cause: str
    status: int


def way(of: Whose, cause: str, status: int) -> Way:
    """Return the way of failures."""
    return Way(of.comm, of.unit, bool(of.container or of.pod), cause, status)


class Before(NamedTuple):
    """What was there before the period.

    Attributes:
        exits, failed: how many ended, and failed, in the period before it.
        recorded: which part of that time was recorded, from 0 to 1.
        counts: how many failed in which way in the period before it.
        first_ns: when each way was first seen, to the hour: nanoseconds since the epoch.
    """

    exits: int
    failed: int
    recorded: float
    counts: Counter[Way]
    first_ns: dict[Way, int]

    @property
    def is_known(self) -> bool:
        """Whether enough of that time was recorded to compare with it."""
        return self.recorded >= _LEAST


def before(asking: Asking) -> Before:
    """Return what was there before."""
    period = asking.period
    until_ns = period.from_ns // HOUR_NS * HOUR_NS
    since_ns = period.against_ns // HOUR_NS * HOUR_NS
    exits = failed = 0
    counts: Counter[Way] = Counter()
    first_ns: dict[Way, int] = {}
    if until_ns > since_ns:
        ((exits, failed),) = asking.rows(
            "counting what was before",
            "SELECT ifnull(sum(exits), 0), ifnull(sum(exits * (status <> 0)), 0) FROM hours",
            During(since_ns, until_ns - 1),
        )
    for comm, unit, contained, cause, status, first, count in asking.rows(
        "comparing with what was before",
        "SELECT comm, unit, container NOT NULL, ifnull(cause, ''), status, min(hour), "
        f"sum(exits * (hour >= '{_hour(since_ns)}')) FROM hours WHERE status <> 0 "
        "GROUP BY 1, 2, 3, 4, 5",
        During(None, until_ns - 1),
    ):
        one = Way(comm or "", None if contained else specific(unit), bool(contained), cause, status)
        counts[one] += count
        first_ns[one] = min(first_ns.get(one, hour_ns(first)), hour_ns(first))
    return Before(exits, failed, _recorded(asking), +counts, first_ns)


def _hour(wall_ns: int) -> str:
    import time

    return time.strftime("%Y-%m-%dT%H:00:00Z", time.gmtime(wall_ns // 1_000_000_000))


def _recorded(asking: Asking) -> float:
    """Return which part of the period before was recorded, and is still counted."""
    period = asking.period
    begin_ns = min(max(period.against_ns, asking.recording.counted_since() or 0), period.from_ns)
    gaps = asking.recording.gaps(begin_ns, period.from_ns)
    missing = begin_ns - period.against_ns
    missing += sum(
        min(gap.to_ns, period.from_ns) - max(gap.from_ns, begin_ns)
        for gap in gaps
        if gap.lost is None
    )
    return 1 - missing / max(1, period.from_ns - period.against_ns)


class News(NamedTuple):
    """A way to fail, compared with before.

    Attributes:
        whose: whose failures.
        cause: the kind of cause; "" if it was not collected.
        status: the wait status.
        times: how many in the period.
        before: how many in the period before.
        first_ns: when it was first seen, up to a year ago.
        last_ns: when it was last seen.
        parts: how many in each part of a bin.
    """

    whose: Whose
    cause: str
    status: int
    times: int
    before: int
    first_ns: int
    last_ns: int
    parts: dict[int, int]


def compared(tallies: list[Tally], known: Before) -> list[News]:
    """Return every way to fail of the period, the most frequent first."""
    found: dict[tuple[Whose, str, int], News] = {}
    for one in tallies:
        key = (one.whose, one.cause, one.status)
        news = found.get(key)
        if news is None:
            past = way(*key)
            first_ns = min(one.first_ns, known.first_ns.get(past, one.first_ns))
            news = News(*key, 0, known.counts[past], first_ns, one.last_ns, {})
        news.parts[one.part] = news.parts.get(one.part, 0) + one.times
        found[key] = news._replace(
            times=news.times + one.times,
            first_ns=min(news.first_ns, one.first_ns),
            last_ns=max(news.last_ns, one.last_ns),
        )
    return sorted(found.values(), key=lambda one: (-one.times, -one.last_ns))
