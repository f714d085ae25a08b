"""Prometheus: the counters over HTTP, or in a file for the node exporter.

This module needs prometheus-client (the extra `prometheus`).
"""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prometheus_client import generate_latest

from exitsnoop.ship.counts import Counts
from exitsnoop.ship.destination import Answer, Batch, Destination
from exitsnoop.ship.endpoint import Endpoint
from exitsnoop.ship.gatherer import Gatherer, Standing, registry

WRITE_S = 15.0
"""The file is written so often: most read it every 15 seconds, or less often."""
_END_S = 1.0
_MODE = 0o644  # the node exporter runs as another user


def write(gatherer: Gatherer, path: Path) -> None:
    """Write the metrics to a file, which has either the old or the new ones at any time.

    Raises OSError.
    """
    new = path.with_name(_new(path))
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(new, flags, _MODE), "wb") as file:
        os.fchmod(file.fileno(), _MODE)
        file.write(generate_latest(registry(gatherer)))
    new.rename(path)


def _new(path: Path) -> str:
    return f".{path.name}.new"  # the node exporter reads only *.prom


class Metrics(Destination):
    """Counts the recording, for Prometheus; see destination.Destination.

    It gives no metrics until it has counted what there is already: what ended before must not look
    as if it ended now.

    Args:
        address: where it answers: the address and the port; None if nowhere.
        path: the file that it writes; None if none.
        standing: returns the version, the size of the recording, and whether a recorder runs.
        say: is given a line when the file cannot be written.

    Raises OSError if the address cannot be listened at, or the file cannot be written.

    Attributes:
        port: where it answers; None if nowhere.
    """

    kind = "metrics"
    where = "prometheus"  # not the address: the counters go on when that changes
    failed = False
    from_now = False

    def __init__(
        self,
        address: tuple[str, int] | None,
        path: Path | None,
        standing: Callable[[], Standing],
        say: Callable[[str], None],
    ) -> None:
        self._gatherer = Gatherer(Counts(), standing, lambda: self.tallies, time.time_ns)
        self._say = say
        self._is_written = True
        self._writing: threading.Thread | None = None
        self._endpoint = Endpoint(self._gatherer, *address) if address else None
        self.port = self._endpoint.port if self._endpoint else None
        self._is_ready = threading.Event()
        self._end = threading.Event()
        if path is not None:
            new = path.with_name(_new(path))
            new.touch()  # now is the time to say that it cannot be written
            new.unlink()
            self._writing = threading.Thread(target=self._write_on, args=(path,), daemon=True)
            self._writing.start()

    @property
    def kept(self) -> dict[str, Any]:
        """The counters."""
        with self._gatherer.lock:
            return self._gatherer.counts.state()

    @kept.setter
    def kept(self, state: dict[str, Any]) -> None:
        """Go on with counters; from 0 if they cannot be read."""
        try:
            self._gatherer.go_on(Counts(state))
        except ValueError as error:
            self._say(f"{error}; counting begins at 0")

    def deliver(self, batch: Batch) -> Answer:
        """Count a batch."""
        with self._gatherer.lock:
            if len(batch.exits):
                self._gatherer.counts.add(batch.exits)
            self._gatherer.counts.lost += sum(one.count or 0 for one in batch.missing)
        return Answer()

    def idle(self) -> None:
        """Give the metrics from now on."""
        if not self._is_ready.is_set():
            self._gatherer.go_on(self._gatherer.counts)
        self._is_ready.set()
        if self._endpoint:
            self._endpoint.is_ready = True

    def close(self) -> None:
        """End all threads."""
        self._end.set()
        if self._writing and self._is_ready.is_set():
            self._writing.join(_END_S)
        if self._endpoint:
            self._endpoint.close()

    def _write_on(self, path: Path) -> None:
        """Write the file again and again, and once more at the end."""
        self._is_ready.wait()
        self._write(path)
        while not self._end.wait(WRITE_S):
            self._write(path)
        self._write(path)

    def _write(self, path: Path) -> None:
        try:
            write(self._gatherer, path)
        except OSError as error:
            if self._is_written:
                self._say(f"cannot write {path} ({error.strerror}); it goes on trying")
            self._is_written = False
        else:
            self._is_written = True
