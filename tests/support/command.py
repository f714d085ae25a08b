"""Runs the real command and waits for what it prints, never for time to pass."""

import codecs
import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from exitsnoop.kernel.features import counts_locked_memory

COLUMNS = "PCOMM            PID    PPID   TID    AGE(s)  EXIT_CODE"
NOBODY = ["--reuid=65534", "--regid=65534", "--clear-groups"]


def become(user: list[str], capabilities: str) -> list[str]:
    """Return the command to run another as a user with these capabilities."""
    sets = [f"--{kind}={capabilities}" for kind in ("inh-caps", "ambient-caps", "bounding-set")]
    limit = ["prlimit", "--memlock=unlimited"] if counts_locked_memory() else []
    return [*limit, "setpriv", *user, *sets]


# What every feature needs; and to read every file, so that the interpreter may be anywhere.
ENOUGH = "-all,+bpf,+perfmon,+dac_read_search"
CAPABLE = become(NOBODY, ENOUGH)
# Who has but the latter.
UNPRIVILEGED = become(NOBODY, "-all,+dac_read_search")
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
    if number := status & 0x7F:
        named = "" if number in (32, 33) else f" ({names(number)})"  # the C library's own
        return f"signal {number}{named}{', core dumped' if status & 0x80 else ''}"
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


@contextlib.contextmanager
def running(exitsnoop: str, *words: str) -> Iterator[Running]:
    """Run it with a pipe for standard input. Nothing of it, or of COMMAND, is left at the end."""
    process = subprocess.Popen(
        [exitsnoop, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield Running(process)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def run(
    command: str,
    *options: str,
    prefix: Sequence[str] = (),
    env: dict[str, str] | None = None,
    given: str = "",
) -> "subprocess.CompletedProcess[str]":
    """Run it where it is to end by itself, and all that holds its output."""
    return subprocess.run(
        [*prefix, command, *options],
        input=given,
        capture_output=True,
        text=True,
        env=env,
        timeout=60,
        check=False,
    )


class Report(NamedTuple):
    """What exitsnoop -- COMMAND came to: what COMMAND wrote, and what exitsnoop told of it."""

    status: int
    stdout: str
    stderr: str
    summary: str
    exits: list[dict[str, Any]]

    def ends(self) -> list[tuple[str, str]]:
        """Return the name of each process and how it ended, in order."""
        return [(record["comm"], record["exit"]) for record in self.exits]


def report(
    command: str, path: Path, *words: str, prefix: Sequence[str] = (), **options: Any
) -> Report:
    """Run `exitsnoop WORDS`, a COMMAND among them, with its exits as JSON in a file."""
    columns = ["-o", "+exit,uid,max_rss", "--json", "--output", str(path)]
    result = run(command, *columns, *words, prefix=prefix, **options)
    *others, summary = result.stderr.splitlines(keepends=True)
    exits = [json.loads(line) for line in path.read_text().splitlines()]
    return Report(result.returncode, result.stdout, "".join(others), summary.rstrip("\n"), exits)


class Terminal:
    """A command on a terminal of its own, in the foreground there."""

    def __init__(self, *words: str, columns: int = 80, env: dict[str, str] | None = None) -> None:
        self._ours, theirs = pty.openpty()
        try:
            self.resize(columns)
            self.process = subprocess.Popen(
                ["setsid", "--ctty", *words], stdin=theirs, stdout=theirs, stderr=theirs, env=env
            )
        finally:
            os.close(theirs)
        self._text = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()  # a read may end in a character

    def resize(self, columns: int) -> None:
        size = struct.pack("=4H", 24, columns, 0, 0)
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, size)

    def type(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def line(self, part: str) -> str:
        """Wait for a line that has this in it; return the first."""
        while True:
            for line in self._text.split("\r\n")[:-1]:
                if part in line:
                    return line
            assert self._read(), f"no line has {part!r}: {self._text!r}"

    def lines(self) -> list[str]:
        """Wait until all have closed the terminal; return all lines."""
        while self._read():
            pass
        self.process.wait(timeout=60)
        return self._text.removesuffix("\r\n").split("\r\n")

    def _read(self) -> bool:
        assert select.select([self._ours], [], [], 60)[0], f"nothing after {self._text!r}"
        try:
            self._text += self._decoder.decode(os.read(self._ours, 65536))
        except OSError:  # EIO: nobody has it open any more
            return False
        return True

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)
