"""A process that forks with an open Tracer: it stays the parent's."""

import os
import pickle
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from support.bpf import assert_gone, held
from support.machine import within

from exitsnoop import Tracer

# What a child may do with its parent's Tracer.
WAYS: dict[str, Callable[[Tracer], object]] = {
    "nothing": lambda _: None,
    "stop": Tracer.stop,
    "close": Tracer.close,
    "read": Tracer.read,
    "next": lambda tracer: next(tracer, None),
    "batches": lambda tracer: list(tracer.batches()),
    "with": lambda tracer: tracer.__exit__(None, None, None),
    "leave_out": lambda tracer: tracer.leave_out(os.getppid()),
    "ask": lambda tracer: (tracer.lost, tracer.signals_recorded, tracer.unexplained),
}


def forked(action: Callable[[], object]) -> int:
    """Do this in a child, which exits with 0 if nothing is raised; return its PID."""
    pid = os.fork()
    if not pid:
        code = 1
        try:
            signal.alarm(int(within(20)))
            action()
            code = 0
        finally:
            os._exit(code)
    return pid


def is_readable(tracer: Tracer) -> bool:
    return bool(select.select([tracer], [], [], 0)[0])


@pytest.mark.parametrize("way", WAYS)
def test_what_a_child_does_stays_there(way: str) -> None:
    with Tracer(tree=[os.getpid()]) as tracer:
        with subprocess.Popen(["true"]) as before:
            pass
        child = forked(lambda: WAYS[way](tracer))
        assert os.waitpid(child, 0) == (child, 0)
        assert {before.pid, child} <= {ended.pid for ended in tracer.read()}
        assert not tracer.ended
        assert not is_readable(tracer)
        with subprocess.Popen(["true"]) as after:
            pass
        assert after.pid in {ended.pid for ended in tracer.read()}


def test_in_the_child_it_has_ended() -> None:
    def look() -> None:
        assert tracer.ended
        assert (list(tracer), tracer.read()) == ([], [])
        with pytest.raises(ValueError, match="closed"):
            tracer.fileno()
        with Tracer(ppids=[os.getpid()]) as own, subprocess.Popen(["true"]) as child:
            child.wait()
            assert [ended.pid for ended in own.read()] == [child.pid]

    with Tracer() as tracer:
        child = forked(look)
        assert os.waitpid(child, 0) == (child, 0)


@pytest.mark.timeout(60)
def test_a_lock_that_another_thread_holds_does_not_matter() -> None:
    with Tracer() as tracer:
        reading = threading.Thread(target=lambda: list(tracer.batches()))
        reading.start()
        try:
            while tracer._reading.lock.acquire(blocking=False):  # until the thread waits with it
                tracer._reading.lock.release()
            child = forked(tracer.close)
            assert os.waitpid(child, 0) == (child, 0)
        finally:
            tracer.stop()
            reading.join()


def test_nothing_stays_attached_by_a_child_that_lives_on() -> None:
    reading, writing = os.pipe()
    tracer = Tracer(why=True, fields=["args"], ppids=[os.getpid()])
    objects = held(os.getpid())

    def live_on() -> None:
        os.close(writing)
        os.read(reading, 1)

    child = forked(live_on)
    tracer.close()
    assert {kind for kind, _ in objects} == {"prog", "map", "link"}
    assert_gone(objects)
    os.close(writing)
    assert os.waitpid(child, 0) == (child, 0)
    os.close(reading)


# A thread forks while the first one waits, which has signals written to a pipe of its Tracer.
FORKS_MEANWHILE = """\
import os, signal, threading
import exitsnoop

def fork():
    child = os.fork()
    if not child:
        os._exit(signal.set_wakeup_fd(-1) != -1)
    codes.append(os.waitpid(child, 0)[1])
    tracer.stop()

codes = []
with exitsnoop.Tracer(pids=[os.getpid()]) as tracer:
    threading.Timer(0.1, fork).start()
    list(tracer)
assert codes == [0], codes
"""

# The parent as it is described by daemon(7), and a daemon that traces for itself.
DAEMON = """\
import os, sys
import exitsnoop

tracer = exitsnoop.Tracer(tree=[os.getpid()])
reading, writing = os.pipe()
if not os.fork():
    os.setsid()
    if os.fork():
        os._exit(0)
    assert tracer.ended and list(tracer) == []
    with exitsnoop.Tracer(ppids=[os.getpid()]) as own:
        os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
        os.write(writing, str(len(own.read())).encode())
    os._exit(3)
os.close(writing)
assert os.read(reading, 9) == b"1"
tracer.leave_out(os.getpid())
print([(ended.comm, ended.exit_code) for ended in tracer if ended.exit_code != 0])
"""

WORKERS = """\
import multiprocessing, os, sys
import exitsnoop

def pid(_):
    with exitsnoop.Tracer(pids=[os.getpid()]) as own:
        assert not own.ended
    return os.getpid()

if __name__ == "__main__":
    with exitsnoop.Tracer(tree=[os.getpid()]) as tracer:
        with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
            pids = set(pool.map(pid, range(4), chunksize=1))
            pool.close()
            pool.join()
        ended = {ended.pid for ended in tracer.read()}
        assert pids and pids <= ended, (pids, ended)
        assert not tracer.ended
"""


@pytest.mark.parametrize(
    ("script", "words", "says"),
    [
        (FORKS_MEANWHILE, [], ""),
        (DAEMON, [], "[('python3', 3)]\n"),
        *[(WORKERS, [method], "") for method in ("fork", "spawn", "forkserver")],
    ],
    ids=["thread", "daemon", "fork", "spawn", "forkserver"],
)
def test_programs(script: str, words: list[str], says: str, tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(script)
    python = str(Path(sys.executable).with_name("python3"))
    # Python 3.12 and later warn of a fork beside threads, which one of the programs is about.
    command: list[str | Path] = [python, "-W", "ignore::DeprecationWarning", path, *words]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == says


def test_it_cannot_be_sent_to_another_process() -> None:
    with Tracer() as tracer, pytest.raises(TypeError, match="open one in the process that reads"):
        pickle.dumps(tracer)


# 3.13 renamed the module, and lets only a "legacy" interpreter share the GIL.
INTERPRETER = """\
try:
    import _interpreters
    other = _interpreters.create("legacy")
    run = _interpreters.run_string
except ImportError:
    import _xxsubinterpreters
    other = _xxsubinterpreters.create(isolated=False)
    run = _xxsubinterpreters.run_string
assert not run(other, '''
import os
import exitsnoop
with exitsnoop.Tracer(ppids=[os.getpid()]) as tracer:
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
    assert len(tracer.read()) == 1
''')
"""


def test_an_interpreter_that_shares_the_gil_can_trace() -> None:
    subprocess.run([sys.executable, "-c", INTERPRETER], check=True, timeout=60)
