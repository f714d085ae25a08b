"""The Python API: iteration of every kind, ending, closing, and that nothing stays behind."""

import asyncio
import contextlib
import datetime
import os
import re
import select
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.machine import some

import exitsnoop
from exitsnoop import NoSuchProcess, Tracer

UTC = datetime.timezone.utc


def end(script: str) -> int:
    """Run a shell script to its end; return its PID."""
    with subprocess.Popen(["/bin/sh", "-c", script], stderr=subprocess.DEVNULL) as shell:
        return shell.pid


@contextlib.contextmanager
def waiting(script: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A shell that ends as told when it gets a line."""
    with subprocess.Popen(
        ["/bin/sh", "-c", f"read line; {script}"], stdin=subprocess.PIPE
    ) as shell:
        try:
            yield shell
        finally:
            shell.kill()


def bpf_descriptors() -> list[str]:
    links = []
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            links.append(os.readlink(f"/proc/self/fd/{fd}"))
    return [link for link in links if "bpf" in link]


def test_a_record_and_its_parts() -> None:
    with Tracer() as tracer:
        before, before_boot = datetime.datetime.now(UTC), time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        failed, killed = end("exit 7"), end("kill -KILL $$")
        after, after_boot = datetime.datetime.now(UTC), time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        tracer.stop()
        records = {record.pid: record for record in tracer}
    code = records[failed]
    assert (code.comm, code.ppid, code.tid) == ("sh", os.getpid(), failed)
    assert (code.exit_code, code.signal, code.signal_name, code.core_dumped) == (
        7,
        None,
        None,
        False,
    )
    assert os.waitstatus_to_exitcode(code.status) == 7
    assert code.last_thread
    assert before_boot < code.start_boot_ns < code.boot_ns < after_boot
    # The wall clock may be slewed between the record and our look at it.
    slack = datetime.timedelta(milliseconds=10)
    assert before - slack <= code.time <= after + slack
    assert code.time.tzinfo is UTC
    assert 0 < code.age <= (after_boot - before_boot) / 1e9
    signal = records[killed]
    assert (signal.exit_code, signal.signal, signal.signal_name) == (None, 9, "SIGKILL")
    assert "sh" in repr(code)
    assert "code 7" in repr(code)


def test_age_counts_from_the_creation_not_from_exec() -> None:
    with Tracer() as tracer, waiting("exec true") as child:
        started = time.clock_gettime_ns(time.CLOCK_BOOTTIME)  # it runs by now
        child.communicate(b"\n")
        ended = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        tracer.stop()
        (record,) = [record for record in tracer if record.pid == child.pid]
    assert record.comm == "true"
    assert record.boot_ns - record.start_boot_ns >= record.boot_ns - started > 0
    assert record.boot_ns <= ended


def test_trace_ends_with_the_process() -> None:
    with waiting("exit 4") as child:
        exits = exitsnoop.trace(pids=[child.pid])
        child.communicate(b"\n")
        assert [record.exit_code for record in exits] == [4]
    assert exits.ended


def test_leaving_the_loop_detaches() -> None:
    before = bpf_descriptors()

    def first() -> exitsnoop.Exit:
        exits = exitsnoop.trace()
        end("exit 1")
        for record in exits:
            return record
        raise AssertionError

    assert first().pid > 0
    assert bpf_descriptors() == before


def test_stop_from_another_thread_wakes_and_gives_what_was_there() -> None:
    with Tracer() as tracer:
        pids = [end("exit 3") for _ in range(10)]
        threading.Thread(target=tracer.stop).start()
        records = [record.pid for record in tracer]
        assert [pid for pid in records if pid in pids] == pids
        assert tracer.ended
        assert list(tracer) == []


def test_close_from_another_thread_ends_a_waiting_loop() -> None:
    for _ in range(20):
        tracer = Tracer(pids=[os.getpid()])
        closing = threading.Thread(target=tracer.close)
        closing.start()
        assert list(tracer) == []
        closing.join()


def test_closed_twice_and_used_afterwards() -> None:
    tracer = Tracer()
    end("exit 1")
    tracer.close()
    tracer.close()
    tracer.stop()
    assert tracer.ended
    assert tracer.read() == []
    assert list(tracer) == []
    assert list(tracer.batches()) == []
    assert tracer.lost == 0
    with pytest.raises(ValueError, match="closed"):
        tracer.fileno()


def test_async_for() -> None:
    async def ends() -> list[int]:
        with Tracer() as tracer:
            loop = asyncio.get_running_loop()
            pids = [await loop.run_in_executor(None, end, f"exit {n}") for n in range(5)]
            loop.call_later(0, tracer.stop)
            return [record.exit_code or 0 async for record in tracer if record.pid in pids]

    assert asyncio.run(ends()) == [0, 1, 2, 3, 4]


def test_async_for_waits_and_is_woken() -> None:
    async def ends() -> int | None:
        with waiting("exit 6") as child, Tracer(pids=[child.pid]) as tracer:
            loop = asyncio.get_running_loop()
            loop.call_later(0.01, child.communicate, b"\n")
            (code,) = [record.exit_code async for record in tracer]
            return code

    assert asyncio.run(ends()) == 6


def test_async_for_ends_when_closed_elsewhere() -> None:
    async def ends() -> list[exitsnoop.Exit]:
        tracer = Tracer(pids=[os.getpid()])
        asyncio.get_running_loop().call_later(0.01, tracer.close)
        return [record async for record in tracer]

    assert asyncio.run(ends()) == []


def test_async_for_can_be_cancelled() -> None:
    async def ends() -> None:
        with Tracer(pids=[os.getpid()]) as tracer:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(tracer.__anext__(), 0.01)
            assert not tracer.ended

    asyncio.run(ends())


def test_two_tasks_of_a_loop_share_the_exits() -> None:
    async def ends() -> list[list[int]]:
        with Tracer(ppids=[os.getpid()]) as tracer:

            async def pids() -> list[int]:
                return [ended.pid async for ended in tracer]

            tasks = [asyncio.create_task(pids()) for _ in range(2)]
            await asyncio.sleep(0)  # both wait by now
            for _ in range(20):
                expected.append((child := await asyncio.create_subprocess_exec("true")).pid)
                await child.wait()
            tracer.stop()
            return await asyncio.wait_for(asyncio.gather(*tasks), 60)

    expected: list[int] = []
    one, other = asyncio.run(ends())
    assert sorted(one + other) == sorted(expected)


def test_fileno_and_read_in_an_event_loop_of_ones_own() -> None:
    with Tracer() as tracer:
        poll = select.poll()
        poll.register(tracer, select.POLLIN)
        pid = end("exit 8")
        seen = []
        while pid not in seen:
            assert poll.poll(10_000)
            seen += [record.pid for record in tracer.read()]
        assert not tracer.ended
        tracer.stop()
        assert poll.poll(10_000)
        tracer.read()
        assert tracer.ended


def test_batches_hold_all_in_order(endings: Path) -> None:
    with Tracer() as tracer:
        words = [str(endings), "vforks", str(some(20_000))]
        with subprocess.Popen(words, stdout=subprocess.DEVNULL) as storm:
            pass
        tracer.stop()
        batches = list(tracer.batches())
    records = [record for batch in batches for record in batch]
    assert sum(storm.pid in (record.pid, record.ppid) for record in records) == some(20_000) + 1
    times = [record.boot_ns for record in records]
    assert times == sorted(times)
    assert max(map(len, batches)) <= 2048


def test_a_small_buffer_loses_and_counts_exactly(endings: Path, tmp_path: Path) -> None:
    ours = shutil.copy(endings, tmp_path / f"few-{os.getpid()}")  # no other process has this name
    with Tracer(names=[Path(ours).name], ring_bytes=4096) as tracer:
        program = subprocess.run([ours, "vforks", "1000"], stdout=subprocess.PIPE, check=True)
        assert int(program.stdout) == 1000
        lost = tracer.lost
        tracer.stop()
        records = list(tracer)
    assert len(records) == 4096 // 56
    assert lost + len(records) == 1001
    assert tracer.lost == lost


def test_all_ways_to_read_share_one_queue() -> None:
    """Exits that one way has read ahead are not kept from the others."""

    async def awaited(tracer: Tracer) -> int:
        return (await tracer.__anext__()).pid

    with Tracer(names=["sh"]) as tracer:
        pids = [end("exit 3") for _ in range(9)]
        got = [next(tracer).pid, asyncio.run(awaited(tracer))]
        tracer.stop()
        assert not tracer.ended
        got.append(next(tracer).pid)
        got += [record.pid for record in tracer.read()]
        got += [record.pid for record in tracer]
        assert tracer.ended
    assert [pid for pid in got if pid in pids] == pids


def test_per_thread_marks_the_last(endings: Path) -> None:
    with subprocess.Popen([endings, "hang"], stdout=subprocess.PIPE) as program:
        assert program.stdout
        tids = set(map(int, program.stdout.readline().split()))
        with Tracer(pids=[program.pid], per_thread=True) as tracer:
            program.kill()
            records = list(tracer)
    assert {record.tid for record in records} == tids
    assert [record.last_thread for record in records].count(True) == 1
    assert {record.status for record in records} == {9}


def test_per_thread_and_failed_leave_successes_out(endings: Path) -> None:
    with Tracer(failed=True, per_thread=True) as tracer:
        with subprocess.Popen([endings, "threads", "5"]) as program:
            pass
        pid = end("exit 5")
        tracer.stop()
        records = [record.pid for record in tracer]
    assert program.pid not in records
    assert records.count(pid) == 1


def test_a_reused_pid_is_another_process() -> None:
    """After its process has ended a PID passes no filter, though others are still waited for."""
    with (
        waiting("exit 1") as stays,
        waiting("exit 2") as goes,
        Tracer(pids=[goes.pid, stays.pid]) as tracer,
    ):
        goes.communicate(b"\n")
        for _ in range(200):
            Path("/proc/sys/kernel/ns_last_pid").write_text(str(goes.pid - 1))
            if end("exit 3") == goes.pid:
                break
        else:
            pytest.fail(f"no process got PID {goes.pid} again")
        stays.communicate(b"\n")
        assert [(r.pid, r.exit_code) for r in tracer] == [(goes.pid, 2), (stays.pid, 1)]


def test_wrong_arguments_are_value_errors() -> None:
    for arguments in (
        {"pids": [0]},
        {"pids": [-5]},
        {"pids": [5_000_000]},
        {"ring_bytes": 5000},
        {"ring_bytes": 1024},
        {"ring_bytes": 1 << 32},
    ):
        with pytest.raises(ValueError, match=r"PID|power of two"):
            Tracer(**arguments)


def test_a_process_that_is_not_there_is_an_error() -> None:
    pid = end("exit 0")
    with pytest.raises(NoSuchProcess) as raised:
        exitsnoop.trace(pids=[os.getpid(), pid])
    assert raised.value.pid == pid


def test_nothing_stays_behind_and_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    pid = end("exit 0")

    def use() -> None:
        with Tracer(pids=[os.getpid()]) as tracer:
            tracer.read()
        with contextlib.suppress(NoSuchProcess):
            Tracer(pids=[os.getpid(), pid])

    use()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        use()
    assert len(os.listdir("/proc/self/fd")) == before
    assert capfd.readouterr() == ("", "")


def guide() -> list[str]:
    text = (Path(__file__).parents[2] / "docs" / "library.md").read_text()
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("example", guide())
def test_the_examples_of_the_guide_run(
    example: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each as it stands; loops that would never end are stopped after what ended before them."""

    def traced(**options: Any) -> Tracer:
        tracer = Tracer(**options)
        end("exit 3")
        tracer.stop()
        return tracer

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(exitsnoop, "trace", traced)
    exec(compile(example, "library.md", "exec"), {"exitsnoop": exitsnoop})
