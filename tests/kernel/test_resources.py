"""What processes used, against wait4 and /proc/PID/io.

wait4 tells also of what comes after the event of the exit: the memory is given back, the CPU is
given up for the last time. What ran since the last tick or switch is not in the event's numbers.
"""

import ctypes
import os
import resource
import signal
import subprocess
import time
from pathlib import Path

import pytest
from support.machine import SLOW, long
from support.processes import Puppet
from support.stage import Stage
from support.truth import record_of, recorded
from support.waiting import until

from exitsnoop import Exit
from exitsnoop.host.processes import stat
from exitsnoop.kernel.features import exit_has_memory, has_loops

FIELDS = (
    "cpu_user",
    "cpu_system",
    "max_rss",
    "read_bytes",
    "write_bytes",
    "minor_faults",
    "major_faults",
    "voluntary_switches",
    "involuntary_switches",
)
CLOCK_REALTIME_COARSE = 5
TICK_S = time.clock_getres(CLOCK_REALTIME_COARSE)
BEHIND_S = TICK_S * (25 if SLOW else 2)  # at most, what the kernel's sum may lack at the exit
KIB, MIB = 1024, 1024 * 1024
PAGE = os.sysconf("SC_PAGESIZE")


def much() -> int:
    """Return more bytes than this process ever had: a child starts with its peak."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB + 128 * MIB


def finish(puppet: Puppet) -> resource.struct_rusage:
    puppet.tell("exit", 0)
    return puppet.usage()


def assert_cpu(record: Exit, usage: resource.struct_rusage) -> None:
    """The same up to what ran since a tick, and divided as sampled: one more or less counts."""
    assert record.cpu_user is not None
    assert record.cpu_system is not None
    missing = usage.ru_utime + usage.ru_stime - record.cpu_user - record.cpu_system
    assert -0.000_01 <= missing <= BEHIND_S  # wait4's are whole microseconds
    assert abs(usage.ru_utime - record.cpu_user) <= 2 * BEHIND_S


def assert_switches(record: Exit, usage: resource.struct_rusage) -> None:
    """Who waits may come before, or after, the last time that the CPU was given up."""
    assert record.voluntary_switches is not None
    assert record.involuntary_switches is not None
    assert usage.ru_nvcsw - record.voluntary_switches in (0, 1)
    assert 0 <= usage.ru_nivcsw - record.involuntary_switches <= 10


def cpu_of_threads(pid: int) -> dict[int, float]:
    """What each has used, in seconds, as the scheduler has measured it."""
    used = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        used_ns, *_ = (task / "schedstat").read_text().split()
        used[int(task.name)] = int(used_ns) / 1e9
    return used


def is_in_memory(directory: Path) -> bool:
    kind = subprocess.check_output(["stat", "-f", "-c", "%T", directory], text=True)
    return kind.strip() in ("tmpfs", "ramfs")


def assert_faults(record: Exit, usage: resource.struct_rusage) -> None:
    assert (record.minor_faults, record.major_faults) == (usage.ru_minflt, usage.ru_majflt)


def test_time_in_user_mode(life: Stage) -> None:
    with recorded(fields=FIELDS) as exits:
        puppet = life.puppet()
        puppet.ask("spin", long(300))
        usage = finish(puppet)
    assert usage.ru_utime > 0.2
    record = record_of(exits, puppet.pid)
    assert_cpu(record, usage)
    assert_switches(record, usage)


def test_time_in_the_kernel(life: Stage) -> None:
    with recorded(fields=FIELDS) as exits:
        puppet = life.puppet()
        puppet.ask("spin_in_kernel", long(300))
        usage = finish(puppet)
    assert usage.ru_stime > 0.2
    assert_cpu(record_of(exits, puppet.pid), usage)


@pytest.mark.parametrize("leader_first", [False, True])
def test_threads_that_are_gone_count(life: Stage, leader_first: bool) -> None:
    with recorded(fields=FIELDS) as exits:
        puppet = life.puppet()
        if leader_first:
            puppet.ask("hand_over")
        puppet.ask("spin_in_threads", 8, long(50))
        usage = finish(puppet)
    assert usage.ru_utime + usage.ru_stime > 0.39
    record = record_of(exits, puppet.pid)
    assert_cpu(record, usage)
    assert_faults(record, usage)


def test_threads_that_are_there_count(life: Stage) -> None:
    with recorded(fields=FIELDS) as exits:
        puppet = life.puppet()
        puppet.ask("keep_threads", 200, long(1), 16 * PAGE)
        usage = finish(puppet)
    assert usage.ru_utime + usage.ru_stime > 0.19
    assert usage.ru_minflt > 200 * 16
    record = record_of(exits, puppet.pid)
    assert_cpu(record, usage)
    assert_faults(record, usage)


def test_more_threads_at_once_than_can_be_added_up(life: Stage) -> None:
    """If none is gone when the first of them goes on after a core dump; bpf_loop() counts all."""
    with recorded(fields=FIELDS) as exits:
        puppet = life.puppet()
        puppet.ask("keep_threads", 200, 1, 16 * PAGE)
        puppet.process.send_signal(signal.SIGQUIT)
        usage = puppet.usage()
    record = record_of(exits, puppet.pid)
    if has_loops() or record.minor_faults is not None:
        assert_faults(record, usage)
    else:
        assert {getattr(record, field) for field in FIELDS if field != "max_rss"} == {None}


PTRACE_SEIZE, WALL = 0x4206, 0x40000000


@pytest.mark.parametrize("count", [1000, 4200])
def test_threads_that_a_tracer_keeps_are_added_up_within_a_bound(life: Stage, count: int) -> None:
    """They stay until the tracer waits for them, and it may wait as long as it likes."""
    ptrace = ctypes.CDLL(None, use_errno=True).ptrace
    ptrace.argtypes = [ctypes.c_long] * 4
    with recorded(fields=FIELDS, ppids=[os.getpid()]) as exits:
        puppet = life.puppet()
        puppet.ask("keep_threads", count, 0, PAGE)
        threads = [int(name) for name in os.listdir(f"/proc/{puppet.pid}/task")]
        for tid in threads:
            assert ptrace(PTRACE_SEIZE, tid, 0, 0) == 0, os.strerror(ctypes.get_errno())
        puppet.tell("exit", 0)
        for tid in threads:  # none is gone before the last has ended
            until(lambda: stat(tid)[0] == b"Z")  # noqa: B023
        for tid in threads:
            if tid != puppet.pid:
                os.waitpid(tid, WALL)
        usage = puppet.usage()
    record = record_of(exits, puppet.pid)
    if count == 1000 and has_loops():
        assert_faults(record, usage)
    else:
        assert {getattr(record, field) for field in FIELDS if field != "max_rss"} == {None}


@pytest.mark.parametrize("leader_first", [False, True])
def test_each_thread_has_its_own(life: Stage, leader_first: bool) -> None:
    """Threads that wait have given up the CPU, so the kernel's sum lacks only how they end."""
    with recorded(fields=FIELDS, per_thread=True) as exits:
        puppet = life.puppet()
        if leader_first:
            puppet.ask("hand_over")
        puppet.ask("keep_threads", 3, long(100), PAGE)
        told = cpu_of_threads(puppet.pid)
        puppet.die("exit", 0)
    used = {}
    for record in exits:
        if record.pid == puppet.pid:
            assert record.cpu_user is not None
            assert record.cpu_system is not None
            used[record.tid] = record.cpu_user + record.cpu_system
    assert used.keys() == told.keys()
    assert len(told) == 4 + leader_first
    assert sum(used_s >= long(100) / 1000 for used_s in told.values()) == 3
    for tid, used_s in used.items():
        assert abs(used_s - told[tid]) <= BEHIND_S


def test_memory_and_faults(life: Stage) -> None:
    size = much()
    with recorded(fields=FIELDS) as exits:
        puppet = life.puppet()
        puppet.ask("fill", size)
        usage = finish(puppet)
    assert usage.ru_maxrss * KIB >= size
    record = record_of(exits, puppet.pid)
    assert_faults(record, usage)
    assert record.minor_faults
    assert record.minor_faults > size // PAGE
    assert record.max_rss == usage.ru_maxrss * KIB


def test_memory_of_threads(life: Stage) -> None:
    size = much() // 8
    with recorded(fields=FIELDS) as exits:
        puppet = life.puppet()
        puppet.ask("keep_threads", 8, 1, size)
        usage = finish(puppet)
    record = record_of(exits, puppet.pid)
    assert_faults(record, usage)
    assert record.max_rss == usage.ru_maxrss * KIB
    assert record.max_rss >= 8 * size


@pytest.mark.parametrize("how", ["vfork", "spawn"])
def test_the_peak_is_not_that_of_the_parent(life: Stage, how: str) -> None:
    with recorded(fields=FIELDS) as exits:
        puppet = life.puppet()
        puppet.ask("fill", 96 * MIB)
        pid, told = map(int, puppet.ask(how, "quit").split())
        puppet.die("exit", 0)
    assert told * KIB > 96 * MIB, "wait4 tells the parent's"
    peak = record_of(exits, pid).max_rss
    if exit_has_memory():
        assert peak
        assert 64 * KIB < peak < 8 * MIB
    else:
        assert peak is None


def test_the_peak_of_who_is_forked_and_does_not_exec(life: Stage) -> None:
    with recorded(fields=FIELDS) as exits:
        puppet = life.puppet()
        puppet.ask("fill", 96 * MIB)
        pid, told = map(int, puppet.ask("fork", 0).split())
    assert told * KIB > 96 * MIB, "it shares its parent's pages"
    assert record_of(exits, pid).max_rss == told * KIB


def test_switches_that_it_asked_for(life: Stage) -> None:
    with recorded(fields=FIELDS) as exits:
        puppet = life.puppet()
        puppet.ask("nap", 500)
        usage = finish(puppet)
    assert usage.ru_nvcsw > 400, "a nap may be over before the CPU is given up"
    assert_switches(record_of(exits, puppet.pid), usage)


def test_input_and_output(life: Stage, tmp_path: Path) -> None:
    size = 8 * MIB
    with recorded(fields=FIELDS) as exits:
        puppet = life.puppet()
        puppet.ask("write", tmp_path / "file", size)
        puppet.ask("read", tmp_path / "file")
        words = puppet.ask("exit_telling_io").split()
        usage = puppet.usage()
    told = dict(zip(words[::2], map(int, words[1::2]), strict=True))
    record = record_of(exits, puppet.pid)
    assert record.read_bytes == told["read_bytes:"]
    assert record.write_bytes == told["write_bytes:"]
    assert_faults(record, usage)
    if is_in_memory(tmp_path):  # as on a bare machine: no byte is read or written
        return
    assert told["write_bytes:"] >= size
    assert told["read_bytes:"] >= size
    assert record.major_faults
