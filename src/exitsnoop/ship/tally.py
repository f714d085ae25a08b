"""How many records went where: for the summary, the service manager, and metrics."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from exitsnoop.host.clock import SECOND_NS

OUTCOMES = ("delivered", "rejected", "given_up", "dropped")
"""What becomes of records: the attributes of a Tally that count them."""


@dataclass
class Tally:
    """What became of the records for one destination, since this process began.

    Attributes:
        delivered: exits, and words about lost ones, that were accepted.
        rejected: records that the destination does not take, for good.
        given_up: exits that could not be delivered in time.
        dropped: exits that the recording had dropped, or that were damaged, before their turn.
        unreadable: files of the recording that turned out to be damaged.
        before: what earlier processes counted, by outcome.
        waiting_since_ns: when the first ended that is not delivered yet, nanoseconds since the
            epoch; None if all are delivered.
    """

    delivered: int = 0
    rejected: int = 0
    given_up: int = 0
    dropped: int = 0
    unreadable: int = 0
    waiting_since_ns: int | None = None
    before: Mapping[str, int] = field(default_factory=dict)

    def totals(self) -> dict[str, int]:
        """Return how many records had each outcome, earlier processes included."""
        return {name: self.before.get(name, 0) + getattr(self, name) for name in OUTCOMES}

    @property
    def lag_s(self) -> float:
        """How long ago the first exit ended that is not delivered yet, in seconds; 0 if none."""
        if self.waiting_since_ns is None:
            return 0.0
        return max(0.0, (time.time_ns() - self.waiting_since_ns) / SECOND_NS)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing at the destination."""
        return not (self.rejected or self.given_up or self.dropped or self.unreadable)

    def line(self) -> str:
        """Return the counts for people."""
        parts = [f"{self.delivered:,} delivered"]
        for count, words in (
            (self.rejected, "rejected"),
            (self.given_up, "given up"),
            (self.dropped, "gone from the recording before their turn"),
            (self.unreadable, "damaged files"),
        ):
            if count:
                parts.append(f"{count:,} {words}")
        parts.append(f"{self.lag_s:.0f} s behind")
        return ", ".join(parts)
