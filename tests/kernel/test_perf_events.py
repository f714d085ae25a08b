"""Programs of perf events: where they may be had, and that they take nothing from others.

They stand by only where programs of tracepoints may be preempted (7.x); whether they may be had is
found out the same way under all kernels.
"""

import ctypes
import errno
import os
import platform
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from support.bpf import attached_programs
from support.command import ENOUGH, NOBODY, become
from support.machine import need, need_of_kernel

import exitsnoop
from exitsnoop import Tracer
from exitsnoop.kernel.features import perf_events_are_allowed, tracepoints_are_preemptible

WITH_TRACEFS = Path(__file__).parents[2] / "tools" / "with-tracefs"
HIDE = """
mount -t tmpfs none /sys/kernel/tracing || exit
! [ -d /sys/kernel/debug/tracing ] || mount -t tmpfs none /sys/kernel/debug || exit
exec "$@"
"""
WITHOUT_TRACEFS = ("unshare", "--mount", "sh", "-c", HIDE, "sh")
STANDING_BY = ("_if_missed_1", "_if_missed_2", "_if_missed_3")
PARANOID = int(Path("/proc/sys/kernel/perf_event_paranoid").read_text())
ASK = "from exitsnoop.kernel.features import perf_events_are_allowed as a; print(a())"

LIST = """
from support.bpf import attached_programs
from exitsnoop import Tracer
with Tracer(fields=["exe"]):
    print(*sorted(attached_programs()))
"""


def answer(*prefix: object) -> str:
    """What the answer is behind that prefix."""
    command = [*map(str, prefix), sys.executable, "-c", ASK]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def test_they_take_tracefs() -> None:
    assert answer(WITH_TRACEFS) == "True"
    assert answer(*WITHOUT_TRACEFS) == "False"


def test_they_take_the_right_to_read_it() -> None:
    """The copy is one that a user without capabilities can import."""
    with tempfile.TemporaryDirectory() as everybodys:
        os.chmod(everybodys, 0o755)
        shutil.copytree(Path(exitsnoop.__file__).parent, Path(everybodys, "exitsnoop"))
        enough = PARANOID < 3  # in which Debian's kernels ask for CAP_SYS_ADMIN
        for capabilities, allowed in ((ENOUGH, str(enough)), ("-all,+bpf,+perfmon", "False")):
            command = ["env", f"PYTHONPATH={everybodys}", "/usr/bin/python3", "-B", "-c", ASK]
            command = [str(WITH_TRACEFS), *become(NOBODY, capabilities), *command]
            assert subprocess.check_output(command, text=True).strip() == allowed


@pytest.mark.parametrize("how", ["kill", errno.EPERM])
def test_a_filter_of_system_calls_may_refuse_them(refuse: Path, how: object) -> None:
    """One that kills who opens a perf event kills nobody of ours."""
    assert answer(WITH_TRACEFS, refuse, "perf", how) == "False"
    assert answer(WITH_TRACEFS, refuse, "capset", errno.EPERM) == "True"


def test_without_them_another_program_stands_by() -> None:
    need_of_kernel(tracepoints_are_preemptible(), "preemptible tracepoints")
    told = subprocess.run(
        [*WITHOUT_TRACEFS, sys.executable, "-c", LIST],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    ).stdout
    offered = [f"{name}{by}" for name in ("on_exec", "on_exit") for by in ("", *STANDING_BY)]
    assert told.split() == [*offered, "on_fork_unpreempted"]


def test_others_see_the_same_events_as_before() -> None:
    """A program that returned 0 would keep an event from all who have opened it."""
    need_of_kernel(tracepoints_are_preemptible(), "preemptible tracepoints")
    need(perf_events_are_allowed(), "needs tracefs")
    events = [opened(name) for name in ("sched_process_exit", "sched_process_exec")]
    try:
        with Tracer(fields=["args"]):
            assert [name for name in attached_programs() if "unpreempted" in name]
            for _ in range(10):
                subprocess.run(["taskset", "--cpu-list", "0", "true"], check=True)
        for event in events:
            (count,) = struct.unpack("Q", os.read(event, 8))
            assert count >= 10
    finally:
        for event in events:
            os.close(event)


def opened(name: str) -> int:
    """Count an event of the scheduler on the first CPU; return the descriptor."""
    need_of_kernel(platform.machine() == "x86_64", "system call of this number")
    number = int(Path(f"/sys/kernel/tracing/events/sched/{name}/id").read_text())
    attr = ctypes.create_string_buffer(struct.pack("IIQ", 2, 112, number), 112)
    event = ctypes.CDLL(None, use_errno=True).syscall(298, attr, -1, 0, -1, 0)
    assert event >= 0, os.strerror(ctypes.get_errno())
    return int(event)
