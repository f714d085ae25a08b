"""Runs the real command and waits for what it prints, never for time to pass."""

import contextlib
import re
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from typing import IO, NamedTuple

COLUMNS = "PCOMM            PID    PPID   TID    AGE(s)  EXIT_CODE"
ROW = re.compile(r"((?:\\ |\S)*) +(\d+) +(\d+) +(\d+) +(\d+\.\d\d) +(.+)")


class Row(NamedTuple):
    """A line of the table."""

    comm: str
    pid: int
    ppid: int
    tid: int
    age: float
    exit: str


def parse_row(line: str) -> Row:
    match = ROW.fullmatch(line.rstrip("\n"))
    assert match, f"not a row: {line!r}"
    comm, pid, ppid, tid, age, text = match.groups()
    return Row(comm, int(pid), int(ppid), int(tid), float(age), text)


def status_text(status: int, names: Callable[[int], str]) -> str:
    """Return the EXIT_CODE that a wait status should have."""
    if status & 0x7F:
        return f"signal {status & 0x7F} ({names(status & 0x7F)})" + ", core dumped" * bool(
            status & 0x80
        )
    return f"code {status >> 8}" if status else "0"


class Running:
    """An exitsnoop that is attached: its header has been read."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        assert process.stdout
        self.stdout: IO[str] = process.stdout
        self.header = self.stdout.readline()

    def stop(self, number: int = signal.SIGINT) -> list[str]:
        """Send a signal; return the lines that were not read yet."""
        self.process.send_signal(number)
        return self.rest()

    def rest(self) -> list[str]:
        """Return the lines until the end."""
        lines = self.stdout.readlines()
        self.process.wait(timeout=60)
        return lines

    def errors(self) -> str:
        assert self.process.stderr
        return self.process.stderr.read()


@contextlib.contextmanager
def tracing(
    command: str, *options: str, prefix: Sequence[str] = (), env: dict[str, str] | None = None
) -> Iterator[Running]:
    """Run it with these options, through a command such as setpriv if given."""
    process = subprocess.Popen(
        [*prefix, command, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
    )
    try:
        yield Running(process)
    finally:
        process.kill()
        process.communicate()


def run(
    command: str, *options: str, prefix: Sequence[str] = ()
) -> "subprocess.CompletedProcess[str]":
    """Run it where it is to end by itself."""
    return subprocess.run(
        [*prefix, command, *options], capture_output=True, text=True, timeout=60, check=False
    )
