"""The real-time priority that the command takes, and that COMMAND does not get."""

import os
import subprocess
from pathlib import Path

import pytest
from support.command import CAPABLE, run, running, tracing
from support.machine import need
from support.waiting import until

from exitsnoop.cli.priority import PROCESSOR
from exitsnoop.host.processes import stat

FIRST = os.SCHED_RR | os.SCHED_RESET_ON_FORK
CPUS = os.sched_getaffinity(0)
MANY = 100_000_000  # more than will be


def _cpu_of(pid: int) -> int:
    return int(stat(pid)[PROCESSOR])


def test_it_leaves_the_cpu_that_others_are_bound_to(exitsnoop: str, endings: Path) -> None:
    """What real-time threads do not do by themselves. Another CPU must have little to do then."""
    need(len(CPUS) > 1, "there is no other CPU to go to")
    unread = ["sh", "-c", 'echo; exec "$@" >/dev/null', "sh"]
    with tracing(exitsnoop, prefix=unread) as tracer:
        pid = tracer.process.pid
        until(lambda: os.sched_getscheduler(pid) == FIRST)
        cpu = _cpu_of(pid)
        flood = subprocess.Popen(
            ["taskset", "--cpu-list", str(cpu), endings, "vforks", str(MANY)],
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            until(lambda: _cpu_of(pid) != cpu)
        finally:
            flood.kill()
            flood.wait()
        assert os.sched_getaffinity(pid) == CPUS


@pytest.mark.parametrize("words", [[], ["--", "sleep", "1000"]])
def test_it_goes_first(exitsnoop: str, words: list[str]) -> None:
    with running(exitsnoop, *words) as tracer:
        policies = {
            int(task): os.sched_getscheduler(int(task))
            for task in os.listdir(f"/proc/{tracer.process.pid}/task")
        }
        assert policies.pop(tracer.process.pid) == FIRST
        assert set(policies.values()) <= {os.SCHED_OTHER}


def test_command_does_not(exitsnoop: str) -> None:
    policy = ["python3", "-c", "import os; print(os.sched_getscheduler(0))"]
    assert run(exitsnoop, "--output", "/dev/null", "--", *policy).stdout == f"{os.SCHED_OTHER}\n"


def test_it_traces_also_where_it_may_not(exitsnoop: str) -> None:
    with tracing(exitsnoop, prefix=CAPABLE) as tracer:
        assert os.sched_getscheduler(tracer.process.pid) == os.SCHED_OTHER
