"""A run of the tests leaves nothing behind, however it is started and ends: runs are started here.

Where a test of this project is run for it, that is the real one, by its name.
"""

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from support.bpf import Object, assert_gone, held
from support.cgroups import mounts
from support.machine import need_to_trace
from support.processes import adopted
from support.stage import Stage
from support.supervisor import children_of
from support.waiting import PATIENCE_S, until

TESTS = Path(__file__).parents[1]
IGNORED = [signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM]
# As nohup and a shell's & do it; blocked signals are inherited, too.
BACKGROUND = """\
import os, signal, sys
for number in map(int, sys.argv[1].split(",")):
    signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD, signal.SIGUSR1])
os.execv(sys.argv[2], sys.argv[2:])
"""
SIGNALS = "test_a_signal_that_ends_command_ends_exitsnoop or test_a_key_of_the_terminal"
TRACED = "kernel/test_command.py"
IN_CGROUPS = "kernel/test_causes_oom.py"
TOO_LONG = """\
import subprocess, pytest

@pytest.mark.timeout(1)
def test_too_long():
    subprocess.run(["sleep", "1000"])

def test_next():
    pass
"""
HANGING_TEARDOWN = """\
import threading, pytest

@pytest.fixture
def hang():
    yield
    while True:
        try:
            threading.Event().wait()
        except BaseException:  # the time limit, too
            pass

@pytest.mark.timeout(1)
def test_hangs(hang):
    pass
"""
LEAVING = """\
import subprocess

def test_leaves():
    subprocess.Popen("setsid sleep 1234 &", shell=True).wait()
"""
ORPHANS = """\
import os, subprocess, pytest

@pytest.mark.timeout(10)
def test_an_orphan_is_waited_for():
    pid = int(subprocess.check_output(["sh", "-c", "true & echo $!"]))
    while os.path.exists(f"/proc/{pid}"):
        pass
"""
FROZEN = "faults/test_pauses.py::test_frozen_and_thawed"
MOUNTED = "faults/test_output.py"


class Run:
    """A run of some tests: pytest and its supervisor.

    Attributes:
        first, supervisor, tests: the PIDs of its processes, as support.supervisor calls them.
    """

    def __init__(self, directory: Path, *words: str, prefix: Sequence[str]) -> None:
        self.directory = directory
        self.output = directory.with_suffix(".txt")
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-v"]
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [*prefix, *command, f"--basetemp={directory}", *words],
                cwd=TESTS,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        self.first = self.process.pid
        try:
            self.supervisor = self._first_child(self.first)
            self.tests = self._first_child(self.supervisor)
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise

    def _first_child(self, pid: int) -> int:
        """Wait for a child of a process; orphans that it adopts come after the first."""
        until(lambda: bool(children_of(pid)) or self.process.poll() is not None)
        return children_of(pid)[0]

    def text(self) -> str:
        return self.output.read_text()

    def processes(self) -> list[int]:
        """Return all that there are, but the first two."""
        found = [self.tests]
        for pid in found:
            found += children_of(pid)
        return found

    def objects(self) -> set[Object]:
        found = set()
        for pid in self.processes():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                found |= held(pid)
        return found

    def cgroups(self) -> set[Path]:
        """Return those that are named after it."""
        tops = [path for path, kind, _ in mounts() if kind in ("cgroup", "cgroup2")]
        names = (f"exitsnoop-{self.tests}", f"exitsnoop-{self.tests}-*")
        return {path for top in tops for name in names for path in top.glob(name)}

    def mounts(self) -> set[Path]:
        return {path for path, _, _ in mounts() if path.is_relative_to(self.directory)}

    def is_tracing(self) -> bool:
        return {kind for kind, _ in self.objects()} == {"prog", "link", "map"}


@pytest.fixture(autouse=True)
def _able() -> None:
    need_to_trace("a run of the kernel layer")


@contextlib.contextmanager
def running(directory: Path, *words: str, prefix: Sequence[str] = ()) -> Iterator[Run]:
    """Run tests. What outlives its parent becomes a child of this process; nothing may stay."""
    before = set(children_of(os.getpid()))
    with Stage(Path()):
        run = Run(directory, *words, prefix=prefix)
        try:
            yield run
            run.process.wait(timeout=120)
            assert set(children_of(os.getpid())) - before <= {run.supervisor}, run.text()
        finally:
            run.process.kill()
            run.process.wait()
            if run.supervisor in children_of(os.getpid()):
                adopted(run.supervisor)  # it still cleans up
    assert (run.cgroups(), run.mounts()) == (set(), set()), run.text()


@pytest.mark.parametrize("who", ["tests", "first", "supervisor"])
@pytest.mark.parametrize(
    ("test", "is_at"),
    [
        (TRACED, Run.is_tracing),
        (IN_CGROUPS, lambda run: run.is_tracing() and run.cgroups()),
        (FROZEN, lambda run: run.is_tracing() and any(map(is_frozen, run.cgroups()))),
        (MOUNTED, lambda run: run.is_tracing() and run.mounts()),
    ],
    ids=["tracing", "cgroups", "frozen", "mounted"],
)
def test_a_run_that_is_killed(
    tmp_path: Path, who: str, test: str, is_at: Callable[[Run], bool]
) -> None:
    with running(tmp_path / "run", test) as run, contextlib.ExitStack() as undo:
        until(lambda: is_at(run) or run.process.poll() is not None)
        assert run.process.poll() is None, run.text()
        processes = {}
        for pid in run.processes():
            with contextlib.suppress(ProcessLookupError):  # some end all the time
                processes[os.pidfd_open(pid)] = pid
        for fd in processes:
            undo.callback(os.close, fd)
        objects = run.objects()
        os.kill(getattr(run, who), signal.SIGKILL)
        for fd, pid in processes.items():
            assert select.select([fd], [], [], PATIENCE_S)[0], f"{pid} is left"
        assert run.process.wait() in (-9, 128 + 9), run.text()
    assert_gone(objects)


def is_frozen(cgroup: Path) -> bool:
    for file, word in (("cgroup.events", "frozen 1"), ("freezer.state", "FROZEN")):
        with contextlib.suppress(FileNotFoundError):
            if word in (cgroup / file).read_text():
                return True
    return False


def test_a_run_that_starts_with_ignored_and_blocked_signals(tmp_path: Path) -> None:
    prefix = [sys.executable, "-c", BACKGROUND, ",".join(str(int(n)) for n in IGNORED)]
    with running(
        tmp_path / "run", "-k", SIGNALS, "kernel/test_run_command.py", prefix=prefix
    ) as run:
        assert run.process.wait(timeout=120) == 0, run.text()
    assert "3 passed" in run.text()


def test_a_run_that_is_told_to_end(tmp_path: Path) -> None:
    with running(tmp_path / "run", TRACED) as run:
        until(run.is_tracing)
        run.process.send_signal(signal.SIGINT)
        assert run.process.wait(timeout=60) == pytest.ExitCode.INTERRUPTED, run.text()


# --- made-up tests ---


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file for tests, which are run with the hooks of the project's conftest."""
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    monkeypatch.setenv("PYTEST_ADDOPTS", f"-p conftest -c {TESTS.parent}/pyproject.toml")
    monkeypatch.setenv("TEARDOWN_S", "1")
    return tmp_path / "test_made_up.py"


def test_a_test_that_takes_too_long_fails_and_the_next_one_runs(
    made_up: Path, tmp_path: Path
) -> None:
    made_up.write_text(TOO_LONG)
    with running(tmp_path / "run", str(made_up)) as run:
        assert run.process.wait(timeout=60) == 1
    assert "Timeout" in run.text()
    assert "1 failed, 1 passed" in run.text()


def test_orphans_do_not_stay_zombies(made_up: Path, tmp_path: Path) -> None:
    made_up.write_text(ORPHANS)
    with running(tmp_path / "run", str(made_up)) as run:
        assert run.process.wait(timeout=60) == 0, run.text()


def test_a_teardown_that_hangs_ends_the_run(made_up: Path, tmp_path: Path) -> None:
    made_up.write_text(HANGING_TEARDOWN)
    with running(tmp_path / "run", str(made_up)) as run:
        assert run.process.wait(timeout=60) == 128 + signal.SIGABRT
    assert "test_hangs does not end" in run.text()
    assert "in hang" in run.text(), "it does not say where"


def test_a_test_that_leaves_a_process_behind_is_told(
    made_up: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYING_S", "1")
    made_up.write_text(LEAVING)
    with running(tmp_path / "run", str(made_up)) as run:
        assert run.process.wait(timeout=60) == 1
    assert "1 passed" in run.text()
    assert re.search(r"left behind by the tests:\n  process \d+: sleep 1234", run.text())
