"""The tracer where what it sees of the machine is less: its own PIDs, a container, no /proc."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.accounts import COLUMNS, Report, report, traced
from support.cgroups import mounts
from support.command import run, tracing
from support.machine import need
from support.supervisor import note_made
from support.waiting import PATIENCE_S, until

WORDS = ["--csv", "-o", ",".join((*COLUMNS, "nspid")), "-n"]


def ends(loads: Path, count: int) -> list[tuple[int, int]]:
    """Return PID and status of processes that end, as waitpid told them."""
    told = subprocess.run(
        [loads, "reuse", str(count)], stdout=subprocess.PIPE, text=True, check=True, timeout=60
    )
    lines = (line.split() for line in told.stdout.splitlines())
    return [(int(pid), int(status)) for pid, _, status in lines]


def assert_hosts(told: Report, truth: list[tuple[int, int]]) -> None:
    assert (told.status, told.lost, told.errors) == (0, 0, "")
    rows = [row for row in told.rows if row["ppid"] != str(os.getpid())]
    assert [(int(row["pid"]), int(row["status"])) for row in rows] == truth


def test_in_a_pid_namespace(exitsnoop: str, loads: Path, tmp_path: Path) -> None:
    prefix = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    path = tmp_path / "rows"
    with traced(exitsnoop, path, "r[0-9]*", prefix=prefix) as outer:
        inner = int(Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text())
        truth = ends(loads, 100)
        os.kill(inner, 15)
        assert_hosts(outer.report(), truth)


@pytest.fixture
def bundle(tmp_path: Path) -> Iterator[Path]:
    """What runc makes a container of: this machine's files, with exitsnoop as its init."""
    need(bool(shutil.which("runc")), "containers need runc")
    bundle, name = tmp_path / "bundle", f"exitsnoop-{os.getpid()}"
    root = bundle / "root"
    root.mkdir(parents=True)
    note_made(root)
    tops = [path for path, kind, _ in mounts() if kind in ("cgroup", "cgroup2")]
    for top in tops:
        note_made(top / name)
    subprocess.run(["mount", "--bind", "/", root], check=True)
    try:
        subprocess.run(["runc", "spec", "--bundle", bundle], check=True)
        config = json.loads((bundle / "config.json").read_text())
        command = str(Path(sys.executable).with_name("exitsnoop"))
        config["process"] |= {"args": [command, *WORDS, "r[0-9]*"], "terminal": False}
        for capabilities in config["process"]["capabilities"].values():
            capabilities += ["CAP_BPF", "CAP_PERFMON"]
        config["root"] = {"path": "root", "readonly": True}
        config["linux"]["cgroupsPath"] = f"/{name}"
        (bundle / "config.json").write_text(json.dumps(config))
        yield bundle
    finally:
        subprocess.run(["runc", "delete", "--force", name], check=False, capture_output=True)
        subprocess.run(["umount", root], check=True)
        for top in tops:
            if (top / name).exists():
                (top / name).rmdir()


def test_in_a_container(loads: Path, bundle: Path, tmp_path: Path) -> None:
    """With no more privileges than the two that tracing needs."""
    path = tmp_path / "rows"
    with path.open("wb") as rows:
        container = subprocess.Popen(
            ["runc", "run", "--bundle", bundle, f"exitsnoop-{os.getpid()}"],
            stdout=rows,
            stderr=subprocess.PIPE,
            text=True,
        )
    try:
        until(lambda: container.poll() is not None or path.stat().st_size > 0)
        truth = ends(loads, 100)
        container.terminate()  # runc passes it on
        _, errors = container.communicate(timeout=PATIENCE_S)
    finally:
        container.kill()
        container.communicate()
    assert_hosts(report(container.returncode, path.read_bytes(), errors), truth)
    assert {row["nspid"] for row in report(0, path.read_bytes(), "").rows} == {
        str(pid) for pid, _ in truth
    }


def test_it_traces_without_proc(exitsnoop: str) -> None:
    hide = 'mount -t tmpfs none /proc && exec "$0"'
    with tracing(exitsnoop, prefix=["unshare", "--mount", "sh", "-c", hide]) as tracer:
        with subprocess.Popen(["sh", "-c", "exit 9"]) as shell:
            pass
        lines = tracer.stop()
    assert [line.split()[-2:] for line in lines if f" {shell.pid} " in line] == [["code", "9"]]
    assert tracer.process.returncode == 0


@pytest.mark.parametrize("offset", ["3600", "-60", "0"])
def test_a_time_namespace_with_another_boot_clock_is_refused(exitsnoop: str, offset: str) -> None:
    unshare = ["unshare", "--time", "--boottime", offset, "--fork"]
    told = run(exitsnoop, "--output", "/dev/null", "--", "true", prefix=unshare)
    if offset == "0":
        assert told.returncode == 0
    else:
        assert told.returncode == 70
        assert told.stderr.startswith("exitsnoop: this process is in a time namespace whose boot")
        assert told.stderr.count("\n") == 1
