"""No more processes or threads may be started: COMMAND does not run, and a message says why."""

import subprocess
from pathlib import Path

import pytest
from support.cgroups import make_cgroup, mounts, new_name
from support.machine import need
from support.waiting import until


def controllers() -> list[Path]:
    """Where the pids controller can be used."""
    return [
        path
        for path, kind, options in mounts()
        if (kind == "cgroup" and "pids" in options)
        or (kind == "cgroup2" and "pids" in (path / "cgroup.subtree_control").read_text().split())
    ]


@pytest.mark.parametrize("most", [1, 2])
def test_command_does_not_run(exitsnoop: str, tmp_path: Path, most: int) -> None:
    """1: there is no room for COMMAND; 2: for no thread beside it."""
    need(bool(controllers()), "the pids controller")
    group = controllers()[0] / new_name()
    make_cgroup(group)
    try:
        (group / "pids.max").write_text(str(most))
        ran = tmp_path / "ran"
        script = f'echo $$ >{group}/cgroup.procs; exec "$@"'
        result = subprocess.run(
            ["sh", "-c", script, "sh", exitsnoop, "--output", "/dev/null", "--", "touch", ran],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert result.returncode == 70
        assert not ran.exists()
        assert result.stderr.count("\n") == 1
        assert result.stderr.startswith("exitsnoop: ")
    finally:
        until(lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()
