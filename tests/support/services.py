"""Real programs, as their users run them: started, up, asked to end."""

import contextlib
import os
import pty
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from exitsnoop import Cause, Exit
from support.machine import need
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


def at_a_terminal(words: list[str], keys: bytes) -> int:
    """Run a program at a terminal, press keys when it has written "up"; return its wait status."""
    pid, terminal = pty.fork()
    if not pid:
        os.execvp(words[0], words)
    shown = b""
    while b"up" not in shown:
        shown += os.read(terminal, 1024)
    os.write(terminal, keys)
    with contextlib.suppress(OSError):  # EIO: nobody has the terminal any more
        while os.read(terminal, 1024):
            pass
    os.close(terminal)
    return os.waitpid(pid, 0)[1]


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
