"""The journal as a destination: failures, each under the unit that it belongs to.

journald drops what one service writes beyond 10,000 entries in 30 seconds (RateLimitBurst= in
journald.conf), and a crash loop must not hide everything else. So there is a limit here, below
that one; what is beyond it is counted, and the count is written.
"""

import heapq
import time
from collections import Counter
from collections.abc import Callable

from exitsnoop.ship import entries
from exitsnoop.ship.answers import is_answer
from exitsnoop.ship.destination import Answer, Batch, Destination
from exitsnoop.ship.journald import SOCKET, Journald, entry

WINDOW_S = 30.0
MOST = 3000
"""So many entries are written in a window."""
MOST_OF_UNIT = 200
"""So many of them are of one unit."""
_MOST_UNITS = 200  # that get an entry with their count
_AGAIN_S = 1.0


class Limit:
    """Decides which entries are written, and counts the others.

    Args:
        clock: in seconds.

    Attributes:
        unwritten: how many entries of each unit were refused in this window.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.unwritten: Counter[str | None] = Counter()
        self._clock = clock
        self._began = float("-inf")
        self._written: Counter[str | None] = Counter()

    def is_over(self) -> bool:
        """Return whether the window is over. Then take the counts, and begin() another one."""
        return self._clock() - self._began >= WINDOW_S

    def begin(self) -> None:
        """Begin a window."""
        self._began = self._clock()
        self._written.clear()
        self.unwritten.clear()

    def allows(self, unit: str | None) -> bool:
        """Return whether an entry of a unit may be written; count it."""
        if self._written[unit] < MOST_OF_UNIT and self._written.total() < MOST:
            self._written[unit] += 1
            return True
        self.unwritten[unit] += 1
        return False


class Journal(Destination):
    """Writes failures to the journal; see destination.Destination.

    Left out is what a shell takes for an answer, such as exit code 1 of grep.

    Args:
        path: journald's socket.
        clock: in seconds.

    Raises OSError if journald does not run here.
    """

    kind = "journal"
    where = "journald"
    failed = True
    from_now = True  # an entry has the time at which it is written

    def __init__(self, path: str = SOCKET, clock: Callable[[], float] = time.monotonic) -> None:
        self._journald = Journald(path)
        self._limit = Limit(clock)
        self._batch: Batch | None = None
        self._left: list[entries.Fields] = []

    def deliver(self, batch: Batch) -> Answer:
        """Write the failures of a batch. If it comes again, go on where it failed."""
        if batch is not self._batch:
            self._batch, self._left = batch, self._of(batch)
        return self._write()

    def idle(self) -> None:
        """Write how many failures came too fast, once their window is over."""
        if self._limit.unwritten and self._limit.is_over():
            self._batch, self._left = None, self._more()
            self._write()

    def close(self) -> None:
        """Write the same, and close the socket."""
        self._left = self._more()
        self._write()
        self._journald.close()

    def _write(self) -> Answer:
        while self._left:
            try:
                self._journald.send(entry(self._left[0]))
            except OSError as error:
                why = error.strerror or str(error)
                return Answer(again_s=_AGAIN_S, said=f"journald takes no entry ({why})")
            del self._left[0]
        return Answer()

    def _of(self, batch: Batch) -> list[entries.Fields]:
        found = self._more() if self._limit.is_over() else []
        now_ns = time.time_ns()
        found += [entries.of_missing(one, now_ns) for one in batch.missing]
        boots = batch.exits.column("boot_id") if len(batch.exits) else ()
        for one, boot_id in zip(batch.exits, boots, strict=True):
            kind = one.cause.kind if one.cause else ""
            if not one.last_thread or is_answer(one.comm, one.parent_comm, one.status, kind):
                continue
            if self._limit.allows(one.unit):
                found.append(entries.of_exit(one, boot_id, now_ns))
        return found

    def _more(self) -> list[entries.Fields]:
        """Return the entries for what was beyond the limit; begin another window."""
        counts = self._limit.unwritten.items()
        most = heapq.nlargest(_MOST_UNITS, counts, key=lambda count: count[1])
        self._limit.begin()
        return [entries.of_more(unit, count, WINDOW_S) for unit, count in most]
