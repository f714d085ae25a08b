"""-p: it ends with the processes that it names, and refuses what is not a process."""

import os
import select
import subprocess
from pathlib import Path

import pytest
from support.command import parse_row, run, tracing
from support.machine import steps, within


def end(script: str) -> "subprocess.Popen[bytes]":
    """Run a shell script to its end."""
    shell = subprocess.Popen(["/bin/sh", "-c", script], stderr=subprocess.DEVNULL)
    shell.wait()
    return shell


def test_pid_ends_with_the_process(exitsnoop: str) -> None:
    child = subprocess.Popen(["sh", "-c", "read line; exit 7"], stdin=subprocess.PIPE)
    with tracing(exitsnoop, "-p", str(child.pid)) as tracer:
        end("exit 3")
        child.communicate(b"\n")
        rows = [parse_row(line) for line in tracer.rest()]
        assert tracer.errors() == ""
    assert [(row.pid, row.exit) for row in rows] == [(child.pid, "code 7")]
    assert tracer.process.returncode == 0


def test_pids_end_with_the_last_process(exitsnoop: str) -> None:
    children = [
        subprocess.Popen(["sh", "-c", "read line; exit 7"], stdin=subprocess.PIPE) for _ in range(3)
    ]
    first, second, third = (str(child.pid) for child in children)
    with tracing(exitsnoop, "-p", f"{first},{second}", "--pid", third) as tracer:
        for child in children:
            child.communicate(b"\n")
        rows = [parse_row(line) for line in tracer.rest()]
    assert [row.pid for row in rows] == [child.pid for child in children]
    assert tracer.process.returncode == 0


def test_pid_with_failed_ends_though_nothing_is_shown(exitsnoop: str) -> None:
    child = subprocess.Popen(["sh", "-c", "read line"], stdin=subprocess.PIPE)
    with tracing(exitsnoop, "-x", "-p", str(child.pid)) as tracer:
        child.communicate(b"\n")
        assert tracer.rest() == []
    assert tracer.process.returncode == 0


def test_pid_that_does_not_exist(exitsnoop: str) -> None:
    child = end("exit 0")
    result = run(exitsnoop, "-p", str(child.pid))
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"exitsnoop: there is no process {child.pid}\n"


def test_pid_of_a_zombie(exitsnoop: str) -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    result = run(exitsnoop, "-p", str(child.pid))
    child.wait()
    assert (result.returncode, result.stdout) == (2, "")
    assert "zombie" in result.stderr


def test_pid_of_a_thread(exitsnoop: str, endings: Path) -> None:
    """A TID is no PID; the message names the process."""
    child = subprocess.Popen([endings, "hang"], stdout=subprocess.PIPE)
    assert child.stdout
    pid, tid = map(int, child.stdout.readline().split())
    result = run(exitsnoop, "-p", str(tid))
    child.kill()
    child.communicate()
    assert result.returncode == 2
    assert result.stderr == f"exitsnoop: {tid} is a thread of process {pid}: name that one\n"


def test_pid_that_ends_while_it_starts_is_never_waited_for(exitsnoop: str) -> None:
    """At any moment of the start: a row and 0, or an error and 2."""
    for step in steps(25):
        child = subprocess.Popen(["sh", "-c", "read line; exit 7"], stdin=subprocess.PIPE)
        tracer = subprocess.Popen(
            [exitsnoop, "-p", str(child.pid)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        select.select([], [], [], within(step * 0.005))
        child.communicate(b"\n")
        out, errors = tracer.communicate(timeout=60)
        if tracer.returncode == 0:
            assert [parse_row(line).exit for line in out.splitlines()[1:]] == ["code 7"]
        else:
            assert tracer.returncode == 2
            assert str(child.pid) in errors


@pytest.mark.no_kernel
@pytest.mark.parametrize(
    "pid", ["abc", "0", "-1", "", "1,,2", "1,x", "12abc", "1.5", "99999999", "+5", " 5", "1_0"]
)
def test_what_cannot_be_a_pid_is_a_usage_error(exitsnoop: str, pid: str) -> None:
    result = run(exitsnoop, f"--pid={pid}")
    assert (result.returncode, result.stdout) == (2, "")
    assert "argument -p/--pid" in result.stderr


def test_per_thread_with_pid_goes_on_until_the_last_thread(exitsnoop: str, endings: Path) -> None:
    child = subprocess.Popen(
        ["sh", "-c", f"read line; exec {endings} threads 20"], stdin=subprocess.PIPE
    )
    with tracing(exitsnoop, "--per-thread", "-p", str(child.pid)) as tracer:
        child.communicate(b"\n")
        rows = [parse_row(line) for line in tracer.rest()]
    assert len(rows) == 21
    assert {row.pid for row in rows} == {child.pid}
    assert tracer.process.returncode == 0
