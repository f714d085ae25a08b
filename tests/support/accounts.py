"""The real command at work on the exits of one program, and whether all are accounted for."""

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from support import formats
from support.waiting import PATIENCE_S, until

COLUMNS = ("comm", "pid", "ppid", "status")


class Report(NamedTuple):
    """What was written; what standard error says was lost, and what was traced but not written."""

    status: int
    rows: list[dict[str, str]]
    lost: int
    unwritten: int
    errors: str

    def assert_adds_up(self, truth: int, *, lost: bool | None = None) -> None:
        """Rows and losses are together what there was. lost: whether there are losses."""
        assert len(self.rows) + self.lost + self.unwritten == truth, self.errors
        assert self.status == (74 if self.lost or self.unwritten else 0), self.errors
        if lost is not None:
            assert bool(self.lost) == lost


class Traced:
    """exitsnoop --csv, told of no process but those of one name, its rows in a file."""

    def __init__(self, process: "subprocess.Popen[str]", path: Path) -> None:
        self.process = process
        self.pid = process.pid
        self.path = path

    def await_header(self) -> None:
        """Wait until it is attached."""
        until(lambda: self.process.poll() is not None or self._has_written())
        assert self.process.poll() is None, self.process.communicate()

    def _has_written(self) -> bool:
        return self.path.exists() and self.path.stat().st_size > 0

    def suspend(self, number: int) -> None:
        """Send SIGSTOP, and wait until it is stopped; or SIGCONT, and it may end at once."""
        self.process.send_signal(number)
        try:
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WCONTINUED)
        except ChildProcessError:
            assert number == signal.SIGCONT

    def stop(self) -> Report:
        """End the trace; return what came of it."""
        self.process.terminate()
        return self.report()

    def report(self) -> Report:
        """Wait for its end; return what came of it."""
        _, errors = self.process.communicate(timeout=PATIENCE_S)
        errors = errors.removeprefix(f"exitsnoop: tracing has begun; rows go to {self.path}\n")
        return report(self.process.returncode, self.path.read_bytes(), errors)


def report(status: int, written: bytes, errors: str) -> Report:
    """Return the result of a trace. An incomplete last line is not a row."""
    whole = written[: written.rfind(b"\n") + 1].decode()
    header, *lines = formats.csv_rows(whole)
    rows = [dict(zip(header, line, strict=True)) for line in lines]

    def told(pattern: str) -> int:
        return sum(
            map(int, re.findall(rf"^exitsnoop: (\d+) exits? (?:was|were) {pattern}", errors, re.M))
        )

    return Report(status, rows, told("lost in all"), told("traced, but not written"), errors)


@contextlib.contextmanager
def traced(
    command: str, path: Path, name: str, *options: str, prefix: Sequence[str] = ()
) -> Iterator[Traced]:
    """Trace the processes of this name while the block runs."""
    words = ["--csv", "-o", ",".join(COLUMNS), "-n", name, "--output", str(path), *options]
    process = subprocess.Popen([*prefix, command, *words], stderr=subprocess.PIPE, text=True)
    tracer = Traced(process, path)
    try:
        tracer.await_header()
        yield tracer
    finally:
        process.kill()
        process.communicate()


def count(program: Path, *words: object) -> int:
    """Run a load that counts itself; return how many processes there were, itself included."""
    told = subprocess.run(
        [program, *map(str, words)],
        stdout=subprocess.PIPE,
        text=True,
        timeout=PATIENCE_S * 5,
        check=True,
    )
    return int(told.stdout) + 1
