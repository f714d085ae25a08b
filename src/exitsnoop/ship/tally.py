"""How many records went where: for the summary, the service manager, and metrics."""

import time
from dataclasses import dataclass

from exitsnoop.host.clock import SECOND_NS


@dataclass
class Tally:
    """What became of the records for one destination, since this process began.

    Attributes:
        delivered: exits, and words about lost ones, that were accepted.
        rejected: records that the destination does not take, for good.
        given_up: exits that could not be delivered in time.
        dropped: exits that the recording had dropped, or that were damaged, before their turn.
        unreadable: files of the recording that turned out to be damaged.
        waiting_since_ns: when the first ended that is not delivered yet, nanoseconds since the
            epoch; None if all are delivered.
    """

    delivered: int = 0
    rejected: int = 0
    given_up: int = 0
    dropped: int = 0
    unreadable: int = 0
    waiting_since_ns: int | None = None

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
