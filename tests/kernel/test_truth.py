"""Exactly one record per process, with the status that waitpid gives."""

import os
import subprocess
from pathlib import Path

import pytest
from support.machine import some, times
from support.truth import assert_same, parse, recorded, run

ENDS_NO_PROCESS = {17, 18, 19, 20, 21, 22, 23, 28}  # CHLD CONT STOP TSTP TTIN TTOU URG WINCH
FATAL = [number for number in range(1, 65) if number not in ENDS_NO_PROCESS]
KINDS = (
    "exit signal signal_core exit_group_by_thread leader_first leader_first_raw "
    "leader_first_signal all_raw exec exec_by_thread exec_after_leader crash_in_thread "
    "abort_in_thread exit_race vfork clone_without_signal double_fork double_fork_signal "
    "killed_with_threads ptrace ptrace_signal"
).split()


def test_all_kinds_are_tested(endings: Path) -> None:
    known = subprocess.run([endings, "kinds"], capture_output=True, text=True, check=True)
    assert known.stdout.split() == KINDS


def test_every_exit_code(endings: Path) -> None:
    with recorded() as exits:
        truth = run(endings, "serve", given="".join(f"exit {code}\n" for code in range(256)))
    assert [os.waitstatus_to_exitcode(ending.status) for ending in truth] == list(range(256))
    assert_same(exits, truth)


@pytest.mark.parametrize(
    "kind", ["signal", "signal_core", "killed_with_threads", "leader_first_signal"]
)
def test_every_fatal_signal(endings: Path, kind: str) -> None:
    with recorded() as exits:
        truth = run(endings, "serve", given="".join(f"{kind} {number}\n" for number in FATAL))
    assert [os.WTERMSIG(ending.status) for ending in truth] == FATAL
    if kind == "signal_core":
        assert any(os.WCOREDUMP(ending.status) for ending in truth), "no core was written"
    assert_same(exits, truth)


@pytest.mark.parametrize("kind", KINDS)
def test_kind(endings: Path, kind: str) -> None:
    with recorded() as exits:
        truth = run(
            endings, "serve", given="".join(f"{kind} {n}\n" for n in (1, 2, 6, 9, 11, 15) * 5)
        )
    assert sum(ending.kind == kind for ending in truth) == 30
    assert_same(exits, truth)


@pytest.mark.parametrize("seed", range(times(5)))
@pytest.mark.usefixtures("busy_cpus")
def test_storm_under_load(endings: Path, seed: int) -> None:
    with recorded() as exits:
        truth = run(endings, "storm", some(4200), seed)
    assert len(truth) == some(4600)  # and the middle ones of the double forks
    assert_same(exits, truth)


def test_zombie_that_nobody_waits_for() -> None:
    with recorded() as exits:
        zombie = subprocess.Popen(["/bin/sh", "-c", "kill -TERM $$"])
        os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
        after_comm = Path(f"/proc/{zombie.pid}/stat").read_text().rpartition(") ")[2].split()
    assert after_comm[0] == "Z"
    status = int(after_comm[52 - 3])  # exit_code is field 52, the state is field 3
    zombie.wait()
    assert [e.status for e in exits if e.pid == zombie.pid] == [status] == [15]


def test_pid_namespace(endings: Path) -> None:
    """Inside, PIDs are small; the records have the host's, and the same statuses in order."""
    requests = "".join(
        f"{kind} {n}\n" for n in (3, 9, 11) for kind in ("exit", "signal", "leader_first")
    )
    with recorded() as exits:
        outside = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", endings, "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=endings.parent,
        )
        assert outside.stdin
        assert outside.stdout
        outside.stdin.write("exit 0\n")
        outside.stdin.flush()
        outside.stdout.readline()  # the init of the namespace runs
        init = int(Path(f"/proc/{outside.pid}/task/{outside.pid}/children").read_text())
        text, _ = outside.communicate(requests)
    inside = parse(text)
    assert outside.returncode == 0
    assert len(inside) == 9
    assert all(ending.ppid == 1 for ending in inside)
    assert [e.status for e in exits if e.ppid == init][1:] == [ending.status for ending in inside]
    assert [e.status for e in exits if e.pid == init] == [0]


def test_namespace_init_takes_all_with_it() -> None:
    """The kernel kills what is left when the init ends: one record each."""
    with recorded() as exits:
        outside = subprocess.Popen(
            [
                "unshare",
                "--pid",
                "--fork",
                "sh",
                "-c",
                "sleep 1000 & sleep 1000 & echo $!; read end; exit 3",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert outside.stdout
        outside.stdout.readline()
        init = int(Path(f"/proc/{outside.pid}/task/{outside.pid}/children").read_text())
        children = [
            int(pid) for pid in Path(f"/proc/{init}/task/{init}/children").read_text().split()
        ]
        outside.communicate(b"\n")
    assert outside.returncode == 3
    assert [e.status for e in exits if e.pid == init] == [3 << 8]
    ended = [e.status for e in exits if e.pid in children]
    assert ended == [9, 9]
    assert len(children) == 2
