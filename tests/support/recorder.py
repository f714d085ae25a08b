"""The real `exitsnoop record` at work, and what it has recorded."""

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from exitsnoop import Exit
from exitsnoop.store.errors import NoStore
from exitsnoop.store.query import Query
from exitsnoop.store.recording import Recording
from support.waiting import PATIENCE_S


class Recorder:
    """A recorder that records: its first line has been read.

    Attributes:
        said: the lines of standard error that have been read.
    """

    def __init__(self, process: "subprocess.Popen[str]", store: Path) -> None:
        self.process = process
        self.pid = process.pid
        self.store = store
        self.said: list[str] = []

    def line(self, part: str) -> str:
        """Wait for a line of standard error that has this in it."""
        assert self.process.stderr
        while line := self.process.stderr.readline():
            self.said.append(line)
            if part in line:
                return line
        raise AssertionError(f"no line has {part!r}: {self.said}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; return the exit status."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait for its end; return the exit status."""
        _, rest = self.process.communicate(timeout=PATIENCE_S)
        self.said += rest.splitlines(keepends=True)
        return self.process.returncode

    def lost(self) -> int:
        """Return how many exits it said were lost in all."""
        told = re.findall(r"^exitsnoop: (\d+) exits? (?:was|were) lost in all", self.errors, re.M)
        return sum(map(int, told))

    @property
    def errors(self) -> str:
        """What it said."""
        return "".join(self.said)

    def exits(self) -> list[Exit]:
        """Return what is recorded."""
        return exits(self.store)


@contextlib.contextmanager
def recording(
    command: str,
    store: Path,
    *options: str,
    prefix: Sequence[str] = (),
    env: dict[str, str] | None = None,
) -> Iterator[Recorder]:
    """Record while the block runs."""
    process = subprocess.Popen(
        [*prefix, command, "record", "--store", str(store), *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={name: value for name, value in (env or os.environ).items() if name != "NOTIFY_SOCKET"},
    )
    recorder = Recorder(process, store)
    try:
        recorder.line("recording to")
        yield recorder
    finally:
        process.kill()
        process.communicate()


def counters(pid: int) -> list[str]:
    """Return how often its threads ran and gave up the CPU, and what it read and wrote."""
    found = [Path(f"/proc/{pid}/io").read_text()]
    for task in Path(f"/proc/{pid}/task").iterdir():
        status = (task / "status").read_text()
        found += re.findall(r"^.*_ctxt_switches:.*", status, re.M)
        found.append((task / "schedstat").read_text())
    return found


def is_asleep(pid: int) -> bool:
    """Return whether it waits for ever: in epoll_wait() without a time-out."""
    call = Path(f"/proc/{pid}/syscall").read_text().split()
    return len(call) > 4 and int(call[4], 16) & 0xFFFFFFFF == 0xFFFFFFFF


def exits(store: Path, **query: Any) -> list[Exit]:
    """Return the exits of a recording that a query selects, in its order; none if there is none."""
    try:
        batches = Recording(store).select(Query(**query)).batches()
    except NoStore:
        return []
    return [exit_ for batch in batches for exit_ in batch]


def written(store: Path) -> bytes:
    """Return all that is in the files of a recording."""
    return b"".join(path.read_bytes() for path in sorted(store.iterdir()) if path.name != "lock")
