"""The command on a fake kernel, in a process of its own: statuses, messages, signals, output."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
from support.command import COLUMNS, UNPRIVILEGED, parse_row

# Runs the command. Each line of standard input is run when tracing is on; WORDS before it begins.
FAKED = """\
import os, signal, sys, threading
from exitsnoop import *
from exitsnoop.cli import main
from exitsnoop.kernel.session import extension
from exitsnoop.testing import fake_kernel, make_exit

def listen():
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    for line in sys.stdin:
        exec(line)

with fake_kernel() as kernel:
    exec(sys.argv[1])
    if not os.isatty(0):
        threading.Thread(target=listen, daemon=True).start()
    status = main(sys.argv[2:])
sys.stdout.flush()
os._exit(status)
"""
PREFIX = UNPRIVILEGED if os.geteuid() == 0 else []


class Faked:
    """The command, attached to a fake kernel: its header has been read."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdin
        assert process.stdout
        self.process = process
        self.stdin: IO[str] = process.stdin
        self.stdout: IO[str] = process.stdout
        self.header = self.stdout.readline()

    def tell(self, line: str) -> None:
        """Have a line of Python run in it."""
        print(line, file=self.stdin, flush=True)

    def end(self) -> tuple[int, str, str]:
        """Wait for its end; return its status, the rest of its output, and its errors."""
        out = self.stdout.read()  # communicate() would forget what readline() has read ahead
        _, errors = self.process.communicate(timeout=60)
        return self.process.returncode, out, errors


@contextlib.contextmanager
def faked(*words: str) -> Iterator[Faked]:
    process = subprocess.Popen(
        [*PREFIX, sys.executable, "-c", FAKED, "", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Faked(process)
    finally:
        process.kill()
        process.communicate()


def run(*words: str, prepare: str = "", stdout: int = subprocess.PIPE) -> tuple[int, str, str]:
    """Run it where it ends by itself."""
    ended = subprocess.run(
        [*PREFIX, sys.executable, "-c", FAKED, prepare, *words],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.returncode, ended.stdout or "", ended.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_with_all_rows(number: int) -> None:
    with faked() as command:
        assert command.header == COLUMNS + "\n"
        exits = "*(make_exit(pid=n, exit_code=n) for n in range(1, 100))"
        command.tell(f"kernel.report({exits}); os.kill(os.getpid(), {number:d})")
        status, out, errors = command.end()
    assert (status, errors) == (0, "")
    assert [parse_row(line).pid for line in out.splitlines()] == list(range(1, 100))


@pytest.mark.parametrize(("lost", "said"), [(1, "1 exit was"), (3, "3 exits were")])
def test_losses_are_in_the_status_and_reported(lost: int, said: str) -> None:
    with faked() as command:
        command.tell(f"kernel.lose({lost}); kernel.report(make_exit())")
        command.stdout.readline()
        command.process.terminate()
        status, _, errors = command.end()
    assert status == 74
    assert errors == (
        f"exitsnoop: {said} lost: they came too fast to be read\n"
        f"exitsnoop: {said} lost in all; the rows are not complete\n"
    )


@pytest.mark.parametrize(("exits", "said"), [(1, "1 cause is"), (2, "2 causes are")])
def test_causes_that_are_unknown_are_reported(exits: int, said: str) -> None:
    with faked("-w") as command:
        command.tell(f"kernel.report(*[make_exit(signal=9)] * {exits})")
        for _ in range(exits):
            command.stdout.readline()
        command.process.terminate()
        assert command.end() == (0, "", f"exitsnoop: {said} unknown\n")


def test_a_reader_that_leaves_ends_it_quietly() -> None:
    for late in (False, True):
        with faked() as command:
            if late:
                command.tell("kernel.report(make_exit())")
                command.stdout.readline()
            command.stdout.close()
            assert command.process.stderr
            assert command.process.stderr.read() == ""
            assert command.process.wait(timeout=60) == 0


@pytest.mark.parametrize("words", [[], ["--output", "/dev/full"]])
def test_output_that_fails(words: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        status, _, errors = run(*words, stdout=full.fileno())
    begun = "exitsnoop: tracing has begun; rows go to /dev/full\n" if words else ""
    assert (status, errors) == (74, f"{begun}exitsnoop: cannot write: No space left on device\n")


def test_rows_that_cannot_be_written_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.touch(mode=0o666)
    path.chmod(0o666)
    prepare = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))"
    process = subprocess.Popen(
        [*PREFIX, sys.executable, "-c", FAKED, prepare, "--output", str(path)],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    tell = "while not kernel.sessions: pass\nkernel.report(*[make_exit()] * 20)"
    _, errors = process.communicate(f"exec({tell!r})\n", timeout=60)
    rows = path.read_text().count("\n") - 1
    assert process.returncode == 74
    assert 0 < rows < 20
    assert errors == (
        f"exitsnoop: tracing has begun; rows go to {path}\n"
        f"exitsnoop: {20 - rows} exits were traced, but not written\n"
        "exitsnoop: cannot write: File too large\n"
    )


@pytest.mark.parametrize("words", [[], ["--", "touch", "made"]])
def test_output_that_cannot_be_opened_is_refused_before_tracing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = "/proc/nowhere/rows"
    prepare = 'kernel.refuse(AssertionError("it has begun"))'
    status, _, errors = run("--output", path, *words, prepare=prepare)
    assert status == 74
    assert errors == f"exitsnoop: cannot write {path}: No such file or directory\n"
    assert list(tmp_path.iterdir()) == []


REFUSALS = [
    ('NotPermitted("use sudo")', 77, "use sudo"),
    ('KernelRefused("no BTF", "a\\nlog")', 70, "no BTF\n  a\n  log"),
    ('NoSuchProcess("there is no process 7", 7)', 2, "there is no process 7"),
    ('TraceError("no luck")', 70, "no luck"),
    ('MalformedRecord("a bug")', 70, "a bug"),
    ('OSError(5, "Input/output error", "/proc")', 70, "cannot trace: /proc: Input/output error"),
    ("MemoryError()", 74, "there is not enough memory: the rows end here, and later exits are not"),
]


@pytest.mark.parametrize(("error", "status", "message"), REFUSALS)
@pytest.mark.parametrize("command", [[], ["--", "touch", "made"]])
def test_each_error_has_its_status_and_leaves_the_file_alone(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: str,
    status: int,
    message: str,
    command: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    kept = tmp_path / "kept"
    kept.write_text("precious")
    kept.chmod(0o666)
    words = ["--output", str(kept), *command]
    ended, out, errors = run(*words, prepare=f"kernel.refuse({error})")
    assert (ended, out) == (status, "")
    assert errors.startswith(f"exitsnoop: {message}")
    assert "Traceback" not in errors
    assert kept.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [kept]


def test_the_file_is_emptied_once_tracing_is_on(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_text("from before " * 1000)
    path.chmod(0o666)
    status, out, _ = run("--output", str(path), "--", "/bin/sh", "-c", "exit 3")
    assert (status, out) == (3, "")
    assert path.read_text() == COLUMNS + "\n"


def test_malformed_records_end_it_after_the_rows_before() -> None:
    with faked() as command:
        command.tell("kernel.report(make_exit(pid=5)); kernel.corrupt()")
        status, out, errors = command.end()
    assert status == 70
    assert [parse_row(line).pid for line in out.splitlines()] == [5]
    assert errors == (
        "exitsnoop: cannot decode a record from the BPF program; this is a bug in exitsnoop; "
        "tracing has stopped\n"
    )


@pytest.mark.parametrize(("words", "status"), [([], 0), (["--", "true"], 128 + signal.SIGINT)])
def test_an_interrupt_while_it_starts(words: list[str], status: int) -> None:
    assert run(*words, prepare="kernel.refuse(KeyboardInterrupt())") == (status, "", "")


@pytest.mark.parametrize(
    ("script", "status"), [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 128 + 9)]
)
def test_the_status_of_command(script: str, status: int) -> None:
    ended, out, errors = run("--", "/bin/sh", "-c", script)
    assert (ended, out) == (status, COLUMNS + "\n")
    assert errors == "exitsnoop: 0 exits: 0 failed, 0 killed by a signal, 0 lost\n"


def test_a_command_that_cannot_be_run() -> None:
    ended, _, errors = run("--", "/no/such/command")
    assert ended == 127
    assert errors == "exitsnoop: cannot run '/no/such/command': No such file or directory\n"


def test_wrong_options_are_refused_before_tracing() -> None:
    prepare = 'kernel.refuse(AssertionError("it has begun"))'
    for words in (["--nonsense"], ["-p", "0"], ["--"], ["--linger"]):
        status, out, errors = run(*words, prepare=prepare)
        assert (status, out) == (2, "")
        assert errors.startswith("usage: ")
