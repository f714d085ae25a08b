"""Source: whatever gives exits, be it a tracer, a recording or a file."""

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from exitsnoop.model.batch import Exits


@runtime_checkable
class Source(Protocol):
    """Gives exits. A Tracer is one; code that shows exits takes any."""

    @property
    def lost(self) -> int:
        """How many exits, up to now, are missing because they were lost."""

    @property
    def undecided(self) -> int:
        """How many of those a filter could not decide about."""

    @property
    def ended(self) -> bool:
        """Whether everything has been read, and nothing more can come."""

    @property
    def unexplained(self) -> int:
        """How many processes ended by a signal without any evidence: their cause is "unknown"."""

    def batches(self, reader: int | None = None) -> Iterator[Exits]:
        """Iterate over batches of exits, in the order of time.

        Args:
            reader: the writing end of a pipe or socket: iteration ends when its reader is gone.
        """
