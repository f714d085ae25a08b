"""What is written to fills up."""

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from signal import SIGCONT, SIGSTOP

import pytest
from support.accounts import count, traced
from support.command import run
from support.supervisor import note_made

KIB = 1024
EXITS, TOO_MANY = 5_000, 60_000


@contextlib.contextmanager
def disk(path: Path, size: int) -> Iterator[Path]:
    """A file system that has room for so many bytes."""
    path.mkdir()
    note_made(path)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "full", path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", path], check=True)


@pytest.mark.parametrize(("exits", "lost"), [(EXITS, False), (TOO_MANY, True)])
@pytest.mark.parametrize("full", ["disk", "limit"])
def test_it_is_full(
    exitsnoop: str, loads: Path, tmp_path: Path, full: str, exits: int, lost: bool
) -> None:
    """It reports how many of the earlier exits are missing from the rows."""
    prefix = ["prlimit", f"--fsize={64 * KIB}"] if full == "limit" else []
    room = disk(tmp_path / "disk", 64 * KIB if full == "disk" else 64 * KIB * KIB)
    with room as at, traced(exitsnoop, at / "rows", loads.name, prefix=prefix) as tracer:
        tracer.suspend(SIGSTOP)
        truth = count(loads, "forks", exits)
        tracer.suspend(SIGCONT)
        report = tracer.report()  # nobody ends it
        assert (at / "rows").stat().st_size == 64 * KIB
    what = "No space left on device" if full == "disk" else "File too large"
    assert f"exitsnoop: cannot write: {what}\n" in report.errors
    assert report.rows
    assert report.unwritten
    report.assert_adds_up(truth, lost=lost)


def test_a_command_goes_on_though_it_is_full(exitsnoop: str, loads: Path, tmp_path: Path) -> None:
    """And its status is its own; the summary counts all."""
    with disk(tmp_path / "disk", 64 * KIB) as at:
        path = at / "rows"
        result = run(exitsnoop, "--json", "--output", str(path), "--", str(loads), "forks", "3000")
        rows = path.read_text().rpartition("\n")[0].splitlines()
    assert result.returncode == 0
    assert result.stdout == "3000\n"
    cannot, unwritten, summary = result.stderr.splitlines()
    assert cannot == "exitsnoop: cannot write: No space left on device"
    assert unwritten == f"exitsnoop: {3001 - len(rows)} exits were traced, but not written"
    assert summary.startswith("exitsnoop: 3001 exits: 3000 failed, 0 killed by a signal, 0 lost;")
    assert {json.loads(row)["comm"] for row in rows} == {loads.name[:15]}


def test_nothing_can_be_written_at_all(exitsnoop: str, loads: Path) -> None:
    result = run(exitsnoop, "--output", "/dev/full", "--", str(loads), "forks", "10")
    assert result.returncode == 0
    assert result.stderr.splitlines()[:2] == [
        "exitsnoop: cannot write: No space left on device",
        "exitsnoop: 11 exits were traced, but not written",
    ]
