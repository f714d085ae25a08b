"""The tracer, or what it traces, may have no more of something."""

import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP

import pytest
from support.accounts import count, traced
from support.bpf import assert_gone, held
from support.cgroups import MemoryCgroup, make_cgroup, memory_controllers, mounts
from support.command import report as command_report
from support.machine import need
from support.waiting import PATIENCE_S, until

MIB = 1 << 20
AT_A_TIME = 200
EVERYTHING = ["-wa", "-o", "+exe,user,ancestors,cgroup,container,max_rss"]


# --- a fork bomb ---


@pytest.fixture
def few_pids() -> Iterator[Path]:
    """A cgroup that may have no more than AT_A_TIME processes."""
    tops = [path for path, kind, options in mounts() if kind == "cgroup" and "pids" in options]
    for path, kind, _ in mounts():
        if kind == "cgroup2" and "pids" in (path / "cgroup.controllers").read_text().split():
            (path / "cgroup.subtree_control").write_text("+pids")
            tops.append(path)
    need(bool(tops), "a fork bomb needs the pids controller")
    group = tops[0] / f"exitsnoop-{os.getpid()}"
    make_cgroup(group)
    (group / "pids.max").write_text(str(AT_A_TIME))
    yield group
    until(lambda: not (group / "cgroup.procs").read_text())
    group.rmdir()


@pytest.mark.parametrize("options", [[], EVERYTHING], ids=["plain", "everything"])
def test_a_fork_bomb(
    exitsnoop: str, loads: Path, tmp_path: Path, few_pids: Path, options: list[str]
) -> None:
    """Told or lost, each of its processes is accounted for."""
    with traced(exitsnoop, tmp_path / "rows", loads.name, *options) as tracer:
        truth = count(loads, "bomb", 20_000, few_pids / "cgroup.procs")
        tracer.stop().assert_adds_up(truth)
    assert "max 0" not in (few_pids / "pids.events").read_text(), "it never met its limit"


def test_a_fork_bomb_as_a_command(
    exitsnoop: str, loads: Path, tmp_path: Path, few_pids: Path
) -> None:
    """Its processes are found through the chain of forks, even if their parent is gone."""
    words = ["--", str(loads), "bomb", "5000", str(few_pids / "cgroup.procs")]
    told = command_report(exitsnoop, tmp_path / "rows", *words)
    assert told.status == 0
    truth = int(told.stdout) + 1
    failed = sum(bool(record["exit_code"]) for record in told.exits)
    assert f" {truth} exits: {failed} failed, 0 killed by a signal, 0 lost;" in told.summary
    assert len(told.exits) == truth


# --- memory ---


@pytest.fixture
def memory() -> Iterator[MemoryCgroup]:
    tops = list(memory_controllers())
    need(bool(tops), "memory pressure needs the memory controller")
    top, two = tops[0]
    if two:
        (top / "cgroup.subtree_control").write_text("+memory")
    group = MemoryCgroup(top / f"exitsnoop-{os.getpid()}", two=two)
    yield group
    until(lambda: not (group.path / "cgroup.procs").read_text())
    group.path.rmdir()


def in_group(group: MemoryCgroup) -> list[str]:
    return ["sh", "-c", f'echo 0 >{group.path}/cgroup.procs; exec "$@"', "sh"]


@pytest.mark.parametrize("mib", [4, 8, 12, 16, 20, 24, 32, 48])
def test_too_little_memory_to_start_or_to_go_on(
    exitsnoop: str, loads: Path, tmp_path: Path, memory: MemoryCgroup, mib: int
) -> None:
    """It works, or says why not, or the OOM killer takes it; none leaves anything attached."""
    memory.set_limit(mib * MIB)
    path = tmp_path / "rows"
    words = ["--csv", "-n", loads.name, *EVERYTHING, "--output", str(path)]
    tracer = subprocess.Popen(
        [*in_group(memory), exitsnoop, *words], stderr=subprocess.PIPE, text=True
    )
    try:
        until(lambda: tracer.poll() is not None or (path.exists() and path.stat().st_size > 0))
        ours = held(tracer.pid) if tracer.poll() is None else set()
        truth = count(loads, "forks", 20_000)
        tracer.terminate()
        _, errors = tracer.communicate(timeout=PATIENCE_S)
    finally:
        tracer.kill()
        tracer.communicate()
    assert_gone(ours)
    assert tracer.returncode in (0, 70, 74, -SIGKILL), errors
    assert "Traceback" not in errors
    assert errors or tracer.returncode in (0, -SIGKILL)
    if mib >= 48:
        assert tracer.returncode in (0, 74)
    if path.exists() and tracer.returncode in (0, 74):
        rows = path.read_text().count("\n") - 1
        lost = sum(int(line.split()[1]) for line in errors.splitlines() if "in all" in line)
        assert rows + lost == truth


def test_no_more_memory_while_it_runs(exitsnoop: str, loads: Path, tmp_path: Path) -> None:
    """It ends, with a message; all before is written."""
    with traced(exitsnoop, tmp_path / "rows", loads.name, *EVERYTHING) as tracer:
        count(loads, "forks", 100)
        tracer.suspend(SIGSTOP)
        count(loads, "forks", 9000)
        statm = Path(f"/proc/{tracer.pid}/statm").read_text()
        now = int(statm.split()[0]) * resource.getpagesize()
        resource.prlimit(tracer.pid, resource.RLIMIT_AS, (now, now))
        tracer.process.send_signal(SIGCONT)  # after which it may have ended at once
        tracer.process.terminate()
        report = tracer.report()
    assert "Traceback" not in report.errors
    assert report.status in (0, 74)
    if report.status == 0:
        report.assert_adds_up(101 + 9001)
    else:
        assert "exitsnoop: there is not enough memory" in report.errors
