"""The tracer is held up: by a signal, by its cgroup, by a reader that does not read."""

import os
import re
import select
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from signal import SIGCONT, SIGSTOP, SIGTERM

import pytest
from support.accounts import Report, count, report, traced
from support.cgroups import make_cgroup, mounts
from support.machine import need, some, times
from support.waiting import PATIENCE_S, until

from exitsnoop.model.fields import COLUMNS

MOST_MEMORY_KB = 36 * 1024
FITS, TOO_MANY = 5_000, 60_000  # of what the buffer can hold


@pytest.mark.parametrize(("exits", "lost"), [(FITS, False), (TOO_MANY, True)])
def test_stopped_and_continued(
    exitsnoop: str, loads: Path, tmp_path: Path, exits: int, lost: bool
) -> None:
    truth = 0
    with traced(exitsnoop, tmp_path / "rows", loads.name) as tracer:
        for _ in range(2):
            tracer.suspend(SIGSTOP)
            truth += count(loads, "forks", exits)
            tracer.suspend(SIGCONT)
            truth += count(loads, "forks", some(500))
        tracer.stop().assert_adds_up(truth, lost=lost)


def test_what_waited_takes_little_memory(exitsnoop: str, loads: Path, tmp_path: Path) -> None:
    """With all there is collected: what it read at a time for once, it would keep for good."""
    everything = ",".join(COLUMNS)
    truth = 0
    with traced(exitsnoop, tmp_path / "rows", loads.name, "-w", "-o", everything) as tracer:
        for _ in range(2):
            tracer.suspend(SIGSTOP)
            truth += count(loads, "forks", FITS)
            truth += count(loads, "bomb", FITS)
            tracer.suspend(SIGCONT)
            until(lambda: tracer.path.read_bytes().count(b"\n") == truth + 1)  # noqa: B023
        status = Path(f"/proc/{tracer.pid}/status").read_text()
        tracer.stop().assert_adds_up(truth, lost=False)
    (peak_kb,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
    assert int(peak_kb) < MOST_MEMORY_KB


class Freezer:
    """A cgroup that can be frozen, of version 1 or 2."""

    def __init__(self, path: Path, *, two: bool) -> None:
        self.path = path
        self._state = path / ("cgroup.freeze" if two else "freezer.state")
        self._words = ("0", "1") if two else ("THAWED", "FROZEN")
        self._told = ("frozen 0", "frozen 1") if two else self._words
        self._events = path / "cgroup.events" if two else self._state

    def set(self, frozen: bool) -> None:
        """Freeze, or thaw; wait until it is so."""
        self._state.write_text(self._words[frozen])
        until(lambda: self._told[frozen] in self._events.read_text())


@pytest.fixture
def freezer() -> Iterator[Freezer]:
    tops = [(path, kind == "cgroup2") for path, kind, options in mounts() if "freezer" in options]
    tops += [(path, True) for path, kind, _ in mounts() if kind == "cgroup2"]
    need(bool(tops), "freezing needs a cgroup of version 2, or the freezer of version 1")
    top, two = tops[0]
    freezer = Freezer(top / f"exitsnoop-{os.getpid()}", two=two)
    make_cgroup(freezer.path)
    yield freezer
    freezer.set(False)
    until(lambda: not (freezer.path / "cgroup.procs").read_text())
    freezer.path.rmdir()


@pytest.mark.parametrize(("exits", "lost"), [(FITS, False), (TOO_MANY, True)])
def test_frozen_and_thawed(
    exitsnoop: str, loads: Path, tmp_path: Path, freezer: Freezer, exits: int, lost: bool
) -> None:
    """SIGTERM comes while it is frozen."""
    with traced(exitsnoop, tmp_path / "rows", loads.name) as tracer:
        (freezer.path / "cgroup.procs").write_text(str(tracer.pid))
        freezer.set(True)
        truth = count(loads, "forks", exits)
        tracer.process.terminate()
        freezer.set(False)
        tracer.report().assert_adds_up(truth, lost=lost)


class Pipe:
    """What a tracer writes to, and nobody reads for now."""

    def __init__(self, exitsnoop: str, loads: Path) -> None:
        self.reading, writing = os.pipe()
        words = [exitsnoop, "--csv", "-o", "comm,pid,ppid,status", "-n", loads.name]
        self.tracer = subprocess.Popen(words, stdout=writing, stderr=subprocess.PIPE, text=True)
        os.close(writing)
        assert select.select([self.reading], [], [], PATIENCE_S)[0]  # the header

    def await_full(self) -> None:
        """Wait until the tracer cannot write on: it sleeps in anon_pipe_write, or pipe_write."""
        waits_in = Path(f"/proc/{self.tracer.pid}/wchan")
        until(lambda: "pipe_write" in waits_in.read_text())

    def read_to_end(self) -> Report:
        """Send SIGTERM while it is blocked; then read all after all."""
        self.tracer.terminate()
        written = b""
        while part := os.read(self.reading, 65536):
            written += part
        _, errors = self.tracer.communicate(timeout=PATIENCE_S)
        return report(self.tracer.returncode, written, errors)

    def end(self) -> None:
        self.tracer.kill()
        self.tracer.communicate()
        os.close(self.reading)


@pytest.fixture
def pipe(exitsnoop: str, loads: Path) -> Iterator[Pipe]:
    pipe = Pipe(exitsnoop, loads)
    yield pipe
    pipe.end()


@pytest.mark.parametrize(("exits", "lost"), [(FITS, False), (TOO_MANY, True)])
def test_output_that_blocks(loads: Path, pipe: Pipe, exits: int, lost: bool) -> None:
    """SIGTERM comes while it is blocked; then somebody reads all after all."""
    truth = count(loads, "forks", FITS)
    pipe.await_full()
    truth += count(loads, "forks", exits)
    pipe.read_to_end().assert_adds_up(truth, lost=lost)


def test_output_that_blocks_for_long(loads: Path, pipe: Pipe) -> None:
    """Processes end all the while, for as many seconds."""
    truth = count(loads, "forks", FITS)
    pipe.await_full()
    for _ in range(times(5)):
        truth += count(loads, "forks", 1000)
        pipe.await_full()
        time.sleep(1)
    end = pipe.read_to_end()
    end.assert_adds_up(truth)
    assert len(end.rows) > FITS


def test_a_second_signal_ends_it_if_nobody_ever_reads(loads: Path, pipe: Pipe) -> None:
    count(loads, "forks", FITS)
    pipe.await_full()
    pipe.tracer.terminate()
    until(lambda: SIGTERM not in _pending(pipe.tracer.pid))
    pipe.await_full()  # the first is handled, and the write goes on

    def insisted() -> bool:
        pipe.tracer.terminate()
        return pipe.tracer.poll() is not None

    until(insisted)
    assert pipe.tracer.returncode == -SIGTERM


def _pending(pid: int) -> set[int]:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("ShdPnd:"):
            mask = int(line.split()[1], 16)
            return {number for number in range(1, 65) if mask >> number - 1 & 1}
    raise AssertionError
