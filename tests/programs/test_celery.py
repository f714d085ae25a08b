"""Celery: who ended the process of a task, where celery itself tells a signal at most."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL

from support.cgroups import MemoryCgroup, memory_controllers, new_name
from support.machine import need_of_kernel
from support.services import kill, one, service
from support.truth import recorded
from support.waiting import until

from exitsnoop import Exit

# Messages are files, so that it needs no broker.
TASKS = """
import ctypes, os, signal
from celery import Celery, signals

for folder in ("queue", "control"):
    os.makedirs(folder, exist_ok=True)
app = Celery("tasks", broker="filesystem://")
app.conf.broker_transport_options = {
    "data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "control",
}

@signals.worker_ready.connect
def say_ready(**_):
    open("ready", "w").close()

@signals.task_prerun.connect
def say_who(**_):
    with open("pid.new", "w") as file:
        file.write(str(os.getpid()))
    os.rename("pid.new", "pid")

@app.task
def stuck():
    signal.pause()

@app.task
def crash():
    ctypes.string_at(0x10)

@app.task
def fill(procs):
    with open(procs, "w") as file:
        file.write("0")
    kept = bytearray()
    while True:
        kept += bytes(1 << 20)
"""
LIMIT = 80 << 20


@contextlib.contextmanager
def worker(where: Path) -> Iterator["subprocess.Popen[str]"]:
    """Celery with one process for tasks."""
    (where / "tasks.py").write_text(TASKS)
    command = [sys.executable, "-m", "celery", "-A", "tasks", "worker", "-c", "1"]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    with service(command, (where / "ready").exists, cwd=where) as celery:
        yield celery


def begun(where: Path, task: str) -> int:
    """Ask for a task; return the PID of the process that has begun it."""
    subprocess.run([sys.executable, "-c", f"import tasks; tasks.{task}"], cwd=where, check=True)
    until((where / "pid").exists)
    return int((where / "pid").read_text())


def ended_by(where: Path, task: str) -> tuple[Exit, int]:
    """Have a task done that ends its process; return how that ended, and the PID of celery."""
    with recorded(why=True) as exits, worker(where) as celery:
        child = begun(where, task)
        until(lambda: not Path(f"/proc/{child}").exists())
    (ended,) = [record for record in exits if (record.pid, record.ppid) == (child, celery.pid)]
    return ended, celery.pid


def test_a_task_that_takes_too_long(tmp_path: Path) -> None:
    """Celery gives the hard limit as the reason, and then complains of a SIGTERM."""
    ended, celery = ended_by(tmp_path, "stuck.apply_async(time_limit=1)")
    assert ended.cause
    assert ended.signal_name in ("SIGTERM", "SIGKILL")  # which follows a tenth of a second later
    assert ended.cause.text.startswith(f"killed by {ended.comm}[{celery}] ({ended.signal_name})"), (
        ended.cause
    )


def test_a_task_that_crashes(tmp_path: Path) -> None:
    ended, _ = ended_by(tmp_path, "crash.delay()")
    assert ended.cause
    assert (ended.signal_name, ended.cause.kind) == ("SIGSEGV", "fault")
    assert ended.cause.address == 0x10


def test_a_task_that_takes_all_memory(tmp_path: Path) -> None:
    """WorkerLostError says "signal 9 (SIGKILL)", and asks whether it was the OOM killer."""
    found = next(memory_controllers(), None)
    need_of_kernel(found is not None, "memory controller")
    assert found
    group = MemoryCgroup(found[0] / new_name(), two=found[1])
    group.set_limit(LIMIT)
    ended, _ = ended_by(tmp_path, f"fill.delay({str(group.path / 'cgroup.procs')!r})")
    group.path.rmdir()
    assert ended.cause
    assert ended.cause.oom
    assert (ended.cause.kind, ended.cause.oom.limit) == ("oom", LIMIT)
    assert ended.cause.oom.trigger.pid == ended.pid
    assert "limit 80.0M, anon " in ended.cause.text


@contextlib.contextmanager
def stuck(where: Path) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """Celery whose process is at work on a task without end; yields that one's PID, too."""
    with worker(where) as celery:
        yield celery, begun(where, "stuck.delay()")


def test_a_process_that_somebody_kills(tmp_path: Path) -> None:
    """WorkerLostError does not say who."""
    with recorded(why=True) as exits, stuck(tmp_path) as (_, child):
        sender = kill(child, "KILL")
        until(lambda: not Path(f"/proc/{child}").exists())
    assert f"killed by kill[{sender}] (SIGKILL), run by " in one(exits, child, -SIGKILL).text


def test_celery_that_is_killed(tmp_path: Path) -> None:
    """Its processes have asked for a signal in that case."""
    with recorded(why=True) as exits, stuck(tmp_path) as (celery, child):
        sender = kill(celery.pid, "KILL")
        celery.wait()
        until(lambda: not Path(f"/proc/{child}").exists())
    text = one(exits, celery.pid, -SIGKILL).text
    assert text.startswith(f"killed by kill[{sender}] (SIGKILL)")
    (ended,) = [record for record in exits if record.pid == child]
    assert ended.cause
    assert ended.cause.sender
    assert (ended.cause.kind, ended.cause.sender.pid) == ("parent_death", celery.pid)
