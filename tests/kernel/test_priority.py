"""The real-time priority that the command takes, and that COMMAND does not get."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.command import CAPABLE, run, running, tracing
from support.machine import need
from support.waiting import until

from exitsnoop.cli import priority
from exitsnoop.cli.priority import PROCESSOR
from exitsnoop.host.processes import stat

FIRST = os.SCHED_RR | os.SCHED_RESET_ON_FORK
CPUS = os.sched_getaffinity(0)
MANY = 100_000_000  # more than will be


def _cpu_of(pid: int) -> int:
    return int(stat(pid)[PROCESSOR])


class IdleBut:
    """A file like /proc/stat: one CPU is busy, the others are idle, whoever else runs here."""

    def __init__(self, path: Path, busy: int) -> None:
        self._file = path.open("w+b", buffering=0)
        self._busy = busy
        self.go_on()

    def go_on(self) -> None:
        """Have the time go on that they were idle."""
        ticks = int(time.monotonic() * os.sysconf("SC_CLK_TCK"))
        idle = {cpu: 0 if cpu == self._busy else ticks for cpu in CPUS}
        lines = [f"cpu{cpu} 0 0 0 {idle[cpu]:012} 0 0 0 0 0 0\n" for cpu in sorted(CPUS)]
        os.pwrite(self._file.fileno(), "".join(["cpu 0 0 0 0 0 0 0 0 0 0\n", *lines]).encode(), 0)

    def close(self) -> None:
        self._file.close()


# Nobody reads its rows; it sees a file of ours as /proc/stat.
UNREAD = 'mount --bind "$0" /proc/stat && echo && exec "$@" >/dev/null'


def test_it_leaves_the_cpu_that_others_are_bound_to(
    exitsnoop: str, endings: Path, tmp_path: Path
) -> None:
    """What real-time threads do not do by themselves."""
    need(len(CPUS) > 1, "there is no other CPU to go to")
    cpu = min(CPUS)
    prefix = ["unshare", "--mount", "sh", "-c", UNREAD, str(tmp_path / "stat")]
    with (
        contextlib.closing(IdleBut(tmp_path / "stat", cpu)) as idle,
        tracing(exitsnoop, prefix=prefix) as tracer,
    ):
        pid = tracer.process.pid
        until(lambda: os.sched_getscheduler(pid) == FIRST)
        os.sched_setaffinity(pid, {cpu})
        bound = ["nice", "-n", "-20", "taskset", "--cpu-list", str(cpu)]
        flood = subprocess.Popen(
            [*bound, endings, "vforks", str(MANY)],
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

        def has_moved() -> bool:
            idle.go_on()
            # At the usual priority, the kernel would move it.
            assert os.sched_getscheduler(pid) == FIRST
            return _cpu_of(pid) != cpu

        try:
            until(lambda: _cpu_of(pid) == cpu)
            os.sched_setaffinity(pid, CPUS)
            until(has_moved)
        finally:
            flood.kill()
            flood.wait()
        until(lambda: os.sched_getaffinity(pid) == CPUS)


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


TIMED = ["prlimit", "--rttime=1000:1000"]  # as LimitRTTIME= of a service, or limits.conf
WEAKER = [*TIMED, "setpriv", "--bounding-set=-sys_resource"]


@pytest.mark.parametrize("prefix", [TIMED, WEAKER])
def test_a_limit_of_real_time_does_not_end_it(
    exitsnoop: str, endings: Path, tmp_path: Path, prefix: list[str]
) -> None:
    """It has more to do than that without a pause when it goes on: the kernel would kill it."""
    rows = tmp_path / "rows"
    words = [*prefix, exitsnoop, "--json", "-w", "-a", "--output", str(rows)]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr
        assert "tracing has begun" in process.stderr.readline()
        status = Path(f"/proc/{process.pid}/status")
        until(lambda: "NoNewPrivs:\t1" in status.read_text())  # it has decided by then
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        is_lifted = re.search(r"Max realtime timeout +unlimited +unlimited", limits) is not None
        assert os.sched_getscheduler(process.pid) == (FIRST if is_lifted else os.SCHED_OTHER)
        process.send_signal(signal.SIGSTOP)
        subprocess.run([endings, "vforks", "20000"], stdout=subprocess.DEVNULL, check=True)
        process.send_signal(signal.SIGCONT)
        until(lambda: rows.stat().st_size > 1_000_000)
        process.terminate()
        assert process.wait(timeout=60) in (0, 74)  # some exits may have found no room
    finally:
        process.kill()
        process.communicate()


# Works without a pause until others go first, then rests until it goes first itself.
WORKS = """\
import os, resource, select, time
from exitsnoop.cli import priority
from exitsnoop.kernel.privileges import drop

priority.CREDIT_S = 0.3
first = priority.Priority()
drop()
assert os.sched_getscheduler(0) == os.SCHED_RR | os.SCHED_RESET_ON_FORK
began = time.thread_time()
while os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK == os.SCHED_RR:
    first.give_way()
    assert time.thread_time() - began < 3
print("gave way")
rested = time.monotonic()
permitted = resource.getrlimit(resource.RLIMIT_RTPRIO)[1]  # by CAP_SYS_RESOURCE
while permitted and os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK == os.SCHED_OTHER:
    select.select([], [], [], 0.1)  # a batch now and then
    first.give_way()
    assert time.monotonic() - rested < 60
print("first again")
"""


def test_it_does_not_go_first_while_it_uses_much_of_a_cpu() -> None:
    """Without CAP_SYS_RESOURCE, as in a container, it does not go first again."""
    assert run(sys.executable, "-c", WORKS).stdout == "gave way\nfirst again\n"


# Moves away from its CPU at each look; meanwhile others say which CPUs it may use.
MOVES = """\
import os, time
from exitsnoop.cli import priority

cpus = sorted(os.sched_getaffinity(0))
ticks = {cpu: 0 for cpu in cpus}

def idle_ticks():
    ours = int(priority.stat(os.getpid())[priority.PROCESSOR])
    for cpu in cpus:
        ticks[cpu] += 0 if cpu == ours else 1000
    return dict(ticks)

priority.idle_ticks, priority.LOOK_S, priority.USED = idle_ticks, 0, -1
first = priority.Priority()
for allowed in ({*cpus}, {cpus[-1]}, {*cpus}, {cpus[0]}):
    os.system(f"taskset --pid --cpu-list {','.join(map(str, allowed))} {os.getpid()} >/dev/null")
    for _ in range(10):
        first.give_way()
        assert os.sched_getaffinity(0) == allowed
"""


def test_it_stays_on_the_cpus_that_taskset_gives_it() -> None:
    result = run(sys.executable, "-c", MOVES)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_little_work_for_long_is_not_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of what is allowed for an hour, and a second of everything: the clocks are made up."""
    clock = {"now": 0.0, "used": 0.0}
    policies: list[int] = []

    def schedule(policy: int) -> bool:
        policies.append(policy)
        return True

    monkeypatch.setattr(priority, "_schedule", schedule)
    monkeypatch.setattr(priority, "_permit_to_go_first_again", lambda: None)
    monkeypatch.setattr(priority, "idle_ticks", dict)
    monkeypatch.setattr("time.monotonic", lambda: clock["now"])
    monkeypatch.setattr("time.thread_time", lambda: clock["used"])
    first = priority.Priority()
    for share, seconds in ((0.05, 3600), (1.0, 1), (0.09, 3600)):
        for _ in range(seconds):
            clock["now"] += 1
            clock["used"] += share
            first.give_way()
    assert policies == [os.SCHED_RR]
    for _ in range(3):
        clock["now"] += 1
        clock["used"] += 1
        first.give_way()
    assert policies == [os.SCHED_RR, os.SCHED_OTHER]
    clock["now"] += 3600
    first.give_way()
    assert policies == [os.SCHED_RR, os.SCHED_OTHER, os.SCHED_RR]
