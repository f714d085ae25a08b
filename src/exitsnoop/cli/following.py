"""`past --follow`: what is recorded from now on, as it is recorded."""

import os
import select
from collections.abc import Callable, Iterator
from dataclasses import replace

from exitsnoop.cli.matching import Matching
from exitsnoop.model.batch import Exits
from exitsnoop.store.query import Query
from exitsnoop.store.recording import Recording

LOOK_MS = 1000
"""How often the recording is looked at: the recorder writes at most once a second, too."""


class Following:
    """Gives the exits that are recorded after those that are there, until stop().

    Args:
        recording: the recording.
        matching: finds the exits that are wanted.
        say: is given a line when the recorder stops, and when it goes on.
    """

    def __init__(
        self, recording: Recording, matching: Matching, say: Callable[[str], None]
    ) -> None:
        self._recording = recording
        self._matching = matching
        self._say = say
        self._stopped = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._is_recorded: bool | None = None
        self.newest_id = recording.newest_id()

    def stop(self) -> None:
        """End it. A signal handler may call this."""
        os.eventfd_write(self._stopped, 1)

    def is_stopped(self) -> bool:
        """Return whether stop() was called."""
        return bool(select.select([self._stopped], [], [], 0)[0])

    def batches(self, wanted: Query, reader: int) -> Iterator[Exits]:
        """Iterate over the exits after newest_id, until the reader of a pipe is gone.

        Raises StoreError.
        """
        looked_at, look_again = None, True
        while True:
            self._say_who_records()
            found = self._recording.changes()
            if found != looked_at or look_again:
                # A change within the same tick of the clock would not show: look once more.
                look_again = found != looked_at
                looked_at = found
                yield from self._new(wanted, reader)
            if self._is_over(reader):
                return

    def _new(self, wanted: Query, reader: int) -> Iterator[Exits]:
        newest = self._recording.newest_id()
        if newest > self.newest_id:
            between = replace(wanted, after_id=self.newest_id, before_id=newest + 1)
            yield from self._matching.batches(between, reader)
            self.newest_id = newest

    def _is_over(self, reader: int) -> bool:
        """Wait a moment; return whether to end."""
        poll = select.poll()
        poll.register(self._stopped, select.POLLIN)
        poll.register(reader, 0)  # the error that a pipe has without a reader
        return bool(poll.poll(LOOK_MS))

    def _say_who_records(self) -> None:
        is_recorded = self._recording.recorder() is not None
        if is_recorded != self._is_recorded and not (is_recorded and self._is_recorded is None):
            self._say(
                "the recorder runs again"
                if is_recorded
                else "nothing is recorded now, as no recorder runs: waiting for one"
            )
        self._is_recorded = is_recorded
