"""--why and the filters by ending, on the command line."""

import os
import subprocess
from pathlib import Path

import pytest
from support.command import COLUMNS, run, tracing
from support.machine import kernel_has
from support.truth import recorded

from exitsnoop import Tracer

SCRIPTS = {
    "success": "exit 0",
    "code 1": "exit 1",
    "code 64": "exit 64",
    "code 137": "exit 137",
    "TERM": "kill -TERM $$",
    "KILL": "kill -KILL $$",
    "RTMIN": "kill -34 $$",
    "pipe": "exec cat /proc/self/stat >&3",
}


def end_all() -> dict[int, str]:
    """End a process in each way; return which PID is which."""
    reading, writing = os.pipe()
    os.close(reading)
    pids = {}
    for name, script in SCRIPTS.items():
        command = ["bash", "-c", f"exec 3>&{writing}; {script}"]
        with subprocess.Popen(command, pass_fds=[writing]) as shell:
            pids[shell.pid] = name
    os.close(writing)
    return pids


def shown(lines: list[str], pids: dict[int, str]) -> list[str]:
    return [pids[pid] for pid in (int(line.split()[1]) for line in lines) if pid in pids]


def test_why_adds_a_last_column(exitsnoop: str) -> None:
    with tracing(exitsnoop, "--why") as tracer:
        with subprocess.Popen(["sleep", "1000"]) as victim:
            killer = subprocess.run(["/bin/kill", "-TERM", str(victim.pid)], check=True)
        lines = tracer.stop()
    assert killer.returncode == 0
    assert tracer.header == f"{COLUMNS:<{len(COLUMNS) + 20}} CAUSE\n"
    line = next(line for line in lines if f" {victim.pid} " in line)
    end, cause = line[len(COLUMNS) - len("EXIT_CODE") :].split("  ", 1)
    assert end == "signal 15 (TERM)"
    killers = [line.split()[1] for line in lines if line.startswith("kill ")]
    us = f"{Path('/proc/self/comm').read_text().strip()}[{os.getpid()}]"
    assert cause.strip() in [f"killed by kill[{pid}] (SIGTERM), run by {us}" for pid in killers]


def test_a_name_in_the_cause_is_escaped(exitsnoop: str) -> None:
    victim = subprocess.Popen(["sleep", "1000"])
    with tracing(exitsnoop, "-w") as tracer:
        script = (
            "import os, sys, ctypes; ctypes.CDLL(None).prctl(15, b'a\\n\\x1b[7m b'); os.kill({}, 9)"
        )
        subprocess.run(["/usr/bin/python3", "-c", script.format(victim.pid)], check=True)
        victim.wait()
        line = next(line for line in tracer.stop() if f" {victim.pid} " in line)
    assert r"killed by 'a\n\033[7m b'[" in line


@pytest.mark.parametrize(
    ("options", "passing"),
    [
        (["--signal", "TERM"], ["TERM"]),
        (["--signal", "SIGTERM,9"], ["TERM", "KILL"]),
        (["--signal", "rtmin"], ["RTMIN"]),
        (["--code", "1"], ["code 1"]),
        (["--code", "1,60-140"], ["code 1", "code 64", "code 137"]),
        (["--code", "0"], ["success"]),
        (["--signal", "KILL", "--code", "137"], ["code 137", "KILL"]),
        (["-x", "--code", "0-64"], ["code 1", "code 64"]),
        (["--cause", "self"], ["TERM", "KILL", "RTMIN"]),
        (["--cause", "self", "--signal", "9"], ["KILL"]),
        (["--cause", "pipe"], ["pipe"]),
        (["--cause", "exited", "-x"], ["code 1", "code 64", "code 137"]),
        (["--cause", "pipe,exited", "--code", "64", "--signal", "PIPE"], ["code 64", "pipe"]),
        (["--cause", "killed,oom,fault,terminal,unknown"], []),
    ],
    ids=" ".join,
)
def test_what_passes_a_filter(exitsnoop: str, options: list[str], passing: list[str]) -> None:
    with tracing(exitsnoop, *options) as tracer:
        pids = end_all()
        assert shown(tracer.stop(), pids) == passing
    assert tracer.process.returncode == 0


@pytest.mark.no_kernel
@pytest.mark.parametrize(
    "options",
    [
        ["--signal", "NONE"],
        ["--signal", "0"],
        ["--signal", "65"],
        ["--signal", ""],
        ["--code", "256"],
        ["--code", "5-3"],
        ["--code", "-1"],
        ["--code", "x"],
        ["--cause", "murder"],
        ["-x", "--code", "0"],
        ["--cause", "oom", "--signal", "TERM"],
        ["--cause", "oom", "--code", "1"],
    ],
    ids=" ".join,
)
def test_nonsense_is_a_usage_error(exitsnoop: str, options: list[str]) -> None:
    result = run(exitsnoop, *options)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1].startswith("exitsnoop: error: ")


def test_without_why_nothing_of_it_is_there(exitsnoop: str) -> None:
    with tracing(exitsnoop, "--signal", "KILL") as plain, tracing(exitsnoop, "-w") as why:
        counts = []
        for tracer in (plain, why):
            fds = Path(f"/proc/{tracer.process.pid}/fd").iterdir()
            counts.append([os.readlink(fd) for fd in fds].count("anon_inode:bpf_link"))
    # It sees signals being sent and, where the kernel can, the delivery of those that end.
    assert counts[1] - counts[0] == (2 if kernel_has("bpf_loop") else 1)
    with recorded() as exits:
        end_all()
    assert {record.cause for record in exits} == {None}


def test_what_was_sent_before_the_trace_is_unknown_and_counted() -> None:
    script = "import signal, os; signal.pthread_sigmask(0, [15]); print(flush=True); input(); "
    script += "signal.pthread_sigmask(1, [15])"
    with subprocess.Popen(
        ["/usr/bin/python3", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout
        child.stdout.readline()
        child.terminate()  # blocked
        with Tracer(pids=[child.pid], why=True) as tracer:
            child.communicate(b"\n")
            (record,) = tracer
        assert record.cause
        assert (record.signal, record.cause.kind) == (15, "unknown")
        assert tracer.unexplained == 1
