"""The summary of a run of COMMAND: how many processes ended how, and which stood out."""

from collections.abc import Sequence

from exitsnoop.model.exit import Exit
from exitsnoop.model.words import human_bytes
from exitsnoop.sinks.escape import escape


class Summary:
    """Counts the exits of processes, wanted or not."""

    def __init__(self) -> None:
        self._exits = self._failed = self._killed = 0
        self._parents: set[int] = set()
        self._slowest: Exit | None = None
        self._biggest: Exit | None = None

    def add(self, exits: Sequence[Exit]) -> None:
        """Count a batch."""
        for record in exits:
            if not record.last_thread:
                continue
            self._exits += 1
            self._failed += bool(record.exit_code)
            self._killed += record.signal is not None
            self._compare(record)
            self._parents.add(record.ppid)

    def _compare(self, record: Exit) -> None:
        if (record.max_rss or 0) > (self._biggest.max_rss or 0 if self._biggest else 0):
            self._biggest = record
        # A process with children probably waited for the slowest of them.
        if record.pid not in self._parents and (
            self._slowest is None or record.age > self._slowest.age
        ):
            self._slowest = record

    def text(self, lost: int) -> str:
        """Return the line; lost: how many exits could not be counted."""
        exits = "1 exit" if self._exits == 1 else f"{self._exits} exits"
        parts = [f"{exits}: {self._failed} failed, {self._killed} killed by a signal, {lost} lost"]
        if self._slowest:
            parts.append(f"slowest: {_named(self._slowest)} {self._slowest.age:.2f} s")
        if self._biggest:
            size = human_bytes(self._biggest.max_rss or 0)
            parts.append(f"biggest: {_named(self._biggest)} {size}")
        return "; ".join(parts)


def _named(record: Exit) -> str:
    return f"{escape(record.comm)}[{record.pid}]"
