"""A program inside which a task was preempted does not run for others on that CPU meanwhile.

That may happen in 7.x: the kernel counts a miss, and offers the event to the next program. Forks
are seen where nobody is preempted.
Elsewhere there is one program, and it misses nothing.
"""

import os
import resource
import subprocess
from collections import Counter
from pathlib import Path

from support.bpf import misses
from support.machine import some
from support.truth import recorded

from exitsnoop import Tracer
from exitsnoop.kernel.features import tracepoints_are_preemptible

EACH = some(2000)
ROUNDS = 30
# On each CPU one worker never pauses. The other is a real-time task: as its pause ends it preempts
# the first, wherever that is, and forks, execs and exits before the first goes on.
WORKERS: dict[str, list[str]] = {"0": [], "1000": ["chrt", "--fifo", "1"]}


def start_work(program: Path) -> list[tuple["subprocess.Popen[bytes]", str]]:
    """Have them start children; return each worker with its pause."""
    workers = []
    for cpu in os.sched_getaffinity(0):
        for pause, prefix in WORKERS.items():
            words = ["taskset", "--cpu-list", str(cpu), *prefix]
            worker = subprocess.Popen([*words, program, "execs", str(EACH), pause])
            workers.append((worker, pause))
    return workers


def work(program: Path) -> dict[int, str]:
    """Have them start children, to the end; return the pause of each worker, by PID."""
    workers = start_work(program)
    for worker, _ in workers:
        assert worker.wait() == 0
    return {worker.pid: pause for worker, pause in workers}


def test_nothing_is_missed_by_all(endings: Path) -> None:
    missed: Counter[str] = Counter()
    for _ in range(ROUNDS if tracepoints_are_preemptible() else 1):
        with recorded(tree=[os.getpid()], fields=["args", "exe"], why=True) as exits:
            workers = work(endings)
            missed.update(misses())
        for worker, pause in workers.items():
            expected: Counter[tuple[tuple[str, ...] | None, int]] = Counter()
            expected[(str(endings), "execs", str(EACH), pause), 1 << 8] = EACH
            for number in range(1, EACH + 1):
                expected[("endings", "exit", str(number)), (number & 0xFF) << 8] += 1
            ran = [record for record in exits if record.ppid == worker]
            assert Counter((record.args, record.status) for record in ran) == expected
            assert {record.exe for record in ran} == {str(endings)}
        if missed["on_exit"] and missed["on_exec"]:
            break
    if tracepoints_are_preemptible():
        assert missed["on_exit"]
        assert missed["on_exec"]
        assert not missed["on_fork_unpreempted"]
        assert not missed["on_signal"]
    else:
        assert not missed.total(), missed


def test_who_asks_what_was_lost_never_waits(endings: Path) -> None:
    """Also while events are on their way from one program to the next, which look like losses."""
    waits = asked = 0
    with Tracer(tree=[os.getpid()], ring_bytes=32 << 20) as tracer:
        workers = start_work(endings)
        while any(worker.poll() is None for worker, _ in workers):
            before = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
            for _ in range(100):
                assert tracer.lost == 0
            waits += resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw - before
            asked += 100
    assert asked
    assert waits <= asked / 1000  # a page of a file may have to be read
    assert tracer.lost == 0
