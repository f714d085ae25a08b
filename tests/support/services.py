"""Real programs, as their users run them: started, up, asked to end."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from exitsnoop import Cause, Exit
from exitsnoop.host.processes import stat
from support.cgroups import mounts
from support.command import Terminal
from support.machine import need
from support.truth import recorded
from support.waiting import until


def need_program(name: str) -> str:
    """Return the path of a program of this machine; see need()."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    need(found is not None, f"{name}: tools/system-packages test python3")
    return found or ""


def free_port() -> int:
    """Return a port of this machine that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def listens(port: int) -> bool:
    """Whether something listens at a port of this machine."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
        return True
    return False


@contextlib.contextmanager
def service(
    words: Sequence[str], is_up: Callable[[], bool] | None = None, **options: object
) -> Iterator["subprocess.Popen[str]"]:
    """A program that runs, in a session of its own; all of that is gone afterwards.

    It is up when is_up() says so; by default, when it has written a line.
    """
    started = subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        **options,  # type: ignore[call-overload]
    )
    try:
        if is_up is None:
            assert started.stdout
            assert started.stdout.readline()
        else:
            until(is_up)
        yield started
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        started.communicate()


def kill(pid: int, name: str = "TERM") -> int:
    """Have /bin/kill send a signal, as an administrator does; return its PID."""
    sender = subprocess.Popen(["/bin/kill", f"-{name}", str(pid)])
    assert sender.wait() == 0
    return sender.pid


class Ended(NamedTuple):
    """A program that was up, and was made to end.

    Attributes:
        said: the line by which it said that it was up; "" if it was known in another way.
        returncode: as Popen has it.
    """

    pid: int
    said: str
    returncode: int


def at_a_terminal(words: Sequence[str], keys: bytes) -> Ended:
    """Run a program at a terminal; press keys when it has written "up"."""
    with Terminal(*words) as terminal:
        said = terminal.line("up")
        terminal.type(keys)
        terminal.lines()
        return Ended(terminal.process.pid, said, terminal.process.returncode)


def timed_out() -> tuple[int, int]:
    """Have the time of `timeout` run out while `sleep` runs; return the PIDs of both."""
    with subprocess.Popen(["timeout", "600", "sleep", "600"]) as timeout:
        until(lambda: [comm_of(pid) for pid in children(timeout.pid)] == ["sleep"])
        (sleep,) = children(timeout.pid)
        until(lambda: stat(timeout.pid)[0] == b"S")  # it waits: its fork() has returned
        timeout.send_signal(signal.SIGALRM)  # as its timer does
        assert timeout.wait() == 124
    return timeout.pid, sleep


def comm_of(pid: int) -> str:
    """Return the name of a process."""
    return Path(f"/proc/{pid}/comm").read_text().rstrip("\n")


def asked_to_end(
    words: Sequence[str], is_up: Callable[[], bool] | None = None
) -> tuple[Cause, int, int]:
    """Run a program, and kill it (SIGTERM) when it is up; see service().

    Returns the cause of its end, its code as Popen has it, and the PID of the sender.
    """
    with recorded(why=True) as exits, service(words, is_up) as started:
        sender = kill(started.pid)
        returncode = started.wait()
    return one(exits, started.pid, returncode), returncode, sender


def one(exits: list[Exit], pid: int, returncode: int) -> Cause:
    """Return the cause of a process that its parent waited for, with the code of Popen."""
    (record,) = [record for record in exits if record.pid == pid]
    assert os.waitstatus_to_exitcode(record.status) == returncode
    assert record.cause
    assert record.cause.text.isprintable()
    return record.cause


def children(pid: int) -> list[int]:
    """Return the PIDs of the children of a process."""
    tasks = Path(f"/proc/{pid}/task")
    return [
        int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()
    ]


LIMITS = [f"--ulimit={one}=1000:1000" for one in ("nofile", "nproc")]
"""Those that podman gives a container are too high."""

FIRST_CODE = 4
"""The code with which a process of a container ends before its script is run."""


RunInPodman = Callable[[str, Callable[[], bool]], int]


@contextlib.contextmanager
def podman(name: str, directory: Path, *more: str) -> Iterator[RunInPodman]:
    """What runs a shell in a container of this name, which is removed then; returns its status.

    A process of the container ends with the code FIRST_CODE. The script goes on when its exit is
    seen: only then is the name known, however late the reader of the exits is.

    more: options of `podman run`.
    """
    engine = [need_program("podman"), "--cgroup-manager", "cgroupfs", "--runtime", "runc"]
    need_program("runc")
    root = directory / "root"
    root.mkdir()
    shutil.copy(need_program("busybox"), root / "sh")
    options = ["--rm", "-i", "--name", name, "--network", "none", *LIMITS, *more]

    def run(script: str, is_seen: Callable[[], bool]) -> int:
        first = f"(exit {FIRST_CODE}); read line; {script}"
        words = [*engine, "run", *options, "--rootfs", str(root), "/sh", "-c", first]
        with subprocess.Popen(words, stdin=subprocess.PIPE) as container:
            until(is_seen)
            container.communicate(b"\n")
        return container.returncode

    with removed(engine, name):
        yield run


@contextlib.contextmanager
def removed(engine: Sequence[str], name: str) -> Iterator[None]:
    """Remove a container of podman at the end, and the cgroups that podman leaves behind.

    engine: the first words of each command.
    """
    tops = [path for path, kind, _ in mounts() if kind in ("cgroup", "cgroup2")]
    parents = {top / "libpod_parent" for top in tops}
    there = {parent for parent in parents if parent.exists()}
    try:
        yield
    finally:
        subprocess.run([*engine, "rm", "-f", "-t", "0", name], check=False, capture_output=True)
        for parent in parents - there:
            for group in (parent / "conmon", parent):
                until(partial(_is_removed, group))


def _is_removed(group: Path) -> bool:
    """Remove a cgroup; conmon, which watched the container, may take a moment to be gone."""
    try:
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
