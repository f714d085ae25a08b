"""The stretch of time that a report is about, in bins."""

import time
from typing import NamedTuple

from exitsnoop.host.clock import SECOND_NS

_WIDTHS_S = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800),
    *(3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800),
)
_MOST_BINS = 60
PARTS = 12
"""So many parts has a bin, for pictures that show single deaths."""
HOUR_NS = 3600 * SECOND_NS


class Period(NamedTuple):
    """A stretch of time. Times are nanoseconds since the epoch.

    Attributes:
        from_ns: its begin.
        to_ns: its end.
        now_ns: the time of the report.
        against_ns: where the period before it begins, which ends at from_ns.
        bin_ns: the width of a bin.
        first_ns: where the first bin begins: at from_ns or shortly before, at a round local time.
    """

    from_ns: int
    to_ns: int
    now_ns: int
    against_ns: int
    bin_ns: int
    first_ns: int

    @property
    def bins(self) -> int:
        """How many bins there are."""
        return max(1, -(-(self.to_ns - self.first_ns) // self.bin_ns))

    @property
    def part_ns(self) -> int:
        """The width of a part of a bin."""
        return self.bin_ns // PARTS

    def bin(self, wall_ns: int) -> int:
        """Return the bin that a time is in."""
        return min(max(0, (wall_ns - self.first_ns) // self.bin_ns), self.bins - 1)

    def edges(self, nth: int) -> tuple[int, int]:
        """Return the begin and the end of a bin, as far as it is in the period."""
        begin_ns = self.first_ns + nth * self.bin_ns
        return max(begin_ns, self.from_ns), min(begin_ns + self.bin_ns, self.to_ns)

    def place(self, wall_ns: int) -> float:
        """Return where a time is between the begin of the first bin, 0, and the end of the last."""
        return min(1.0, max(0.0, (wall_ns - self.first_ns) / (self.bins * self.bin_ns)))


def period(from_ns: int, to_ns: int, against_ns: int, now_ns: int) -> Period:
    """Return the period between two times, in whole seconds.

    Args:
        from_ns: its begin.
        to_ns: its end.
        against_ns: the length of the period before it.
        now_ns: the time now.
    """
    from_ns = from_ns // SECOND_NS * SECOND_NS
    to_ns = max(-(-to_ns // SECOND_NS) * SECOND_NS, from_ns + SECOND_NS)
    span_s = (to_ns - from_ns) / SECOND_NS
    width_s = next((width for width in _WIDTHS_S if span_s / width <= _MOST_BINS), _WIDTHS_S[-1])
    ahead_s = time.localtime(from_ns // SECOND_NS).tm_gmtoff
    local_s = from_ns // SECOND_NS + ahead_s
    first_ns = (local_s - local_s % width_s - ahead_s) * SECOND_NS
    return Period(from_ns, to_ns, now_ns, from_ns - against_ns, width_s * SECOND_NS, first_ns)
