"""`exitsnoop record` without privileges, on a disk that fails, in a directory that vanishes."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.accounts import count
from support.command import ENOUGH, NOBODY, become, run
from support.disks import fill, small_disk
from support.recorder import Recorder, exits, recording, written
from support.waiting import until

from exitsnoop.store.directory import adm
from exitsnoop.store.recording import Recording

SECRET = "hunter2"
LEAST = ["--max-size", "16M"]
LEAST_BYTES = 16 << 20


def size(store: Path) -> int:
    """Return the size of all files that are on disk: -shm is only memory."""
    return sum(path.stat().st_size for path in store.iterdir() if path.suffix != ".db-shm")


def capabilities(pid: int) -> set[str]:
    """Return the effective and permitted capabilities of each thread."""
    found = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        found |= set(re.findall(r"^Cap(?:Eff|Prm):\t(\w+)", (task / "status").read_text(), re.M))
    return found


def test_root_needs_nothing_once_it_records(
    exitsnoop: str, vforks: Path, private_copy: Path, store: Path
) -> None:
    """Segments begin, are sealed and dropped, in a package that it can no longer read.

    All files belong to the group that may read them.
    """
    env = {**os.environ, "PYTHONPATH": str(private_copy)}
    with recording(exitsnoop, store, "-n", vforks.name, *LEAST, env=env) as recorder:
        assert capabilities(recorder.pid) == {"0" * 16}
        truth = count(vforks, "vforks", 200_000)
        until(lambda: (store / "kept.db").exists())
        live = {path.name: path.stat().st_gid for path in store.iterdir()}
        assert size(store) <= LEAST_BYTES
        assert recorder.stop() == 0, recorder.errors
    assert recorder.said == recorder.said[:1]
    assert any(name.endswith("-wal") for name in live)
    assert set(live.values()) == {adm() or 0}
    assert {path.stat().st_mode & 0o777 for path in store.iterdir()} == {0o640}
    assert store.stat().st_mode & 0o777 == 0o750
    kept = Recording(store).status().exits
    assert truth / 4 < kept < truth
    assert len(exits(store, failed=True)) >= 100


def test_another_user_with_two_capabilities(exitsnoop: str, store: Path) -> None:
    store.mkdir()
    os.chown(store, 65534, 65534)
    as_nobody = become(NOBODY, ENOUGH)
    with recording(exitsnoop, store, "-P", str(os.getpid()), prefix=as_nobody) as recorder:
        subprocess.run(["sh", "-c", "exit 7"], check=False)
        assert capabilities(recorder.pid) == {"0" * 16}
        assert recorder.stop() == 0
    assert [found.exit_code for found in recorder.exits()] == [7]
    assert {path.stat().st_uid for path in store.iterdir()} == {65534}


def test_a_place_that_root_needs_privileges_for_is_refused(exitsnoop: str, store: Path) -> None:
    """It would fail later, when they are gone: better at the start, and in words."""
    store.mkdir(mode=0o755)
    os.chown(store, 65534, 65534)
    result = run(exitsnoop, "record", "--store", str(store))
    assert result.returncode == 74
    assert result.stderr.startswith(f"exitsnoop: cannot write to {store}: Permission denied: ")
    assert "must belong to root" in result.stderr
    assert not list(store.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--redact", "("], "argument --redact: '(' is not a regular expression"),
        (["--max-size", "1M"], "a recording needs at least 16 MiB"),
        (["--max-size", "big"], "argument --max-size: 'big' is not a size"),
        (["--keep-free", "some"], "argument --keep-free: 'some' is not a size"),
        (["--keep-for", "0"], "exits must be kept for more than 0 s"),
        (["--linger"], "unrecognized arguments: --linger"),
    ],
)
def test_nonsense_is_refused(exitsnoop: str, store: Path, words: list[str], said: str) -> None:
    result = run(exitsnoop, "record", "--store", str(store), *words)
    assert result.returncode == 2
    assert said in result.stderr.splitlines()[-1]


def test_a_full_disk_is_reported_and_got_over(exitsnoop: str, vforks: Path, tmp_path: Path) -> None:
    """It holds what it can, counts the rest, and goes on when there is room again."""
    with small_disk(tmp_path / "disk", 24) as disk:
        store = disk / "store"
        with recording(exitsnoop, store, "-n", vforks.name, *LEAST, "--keep-free", "0") as recorder:
            fill(disk / "hog")
            (store / "ballast").unlink()  # its room goes to the hog
            fill(disk / "more")
            truth = count(vforks, "vforks", 20_000)
            assert "No space" in recorder.line("cannot write to") or "disk full" in recorder.errors
            truth += count(vforks, "vforks", 40_000)
            (disk / "hog").unlink()
            assert f"writes to {store} again; " in recorder.line("again")
            truth += count(vforks, "vforks", 100)
            assert recorder.stop() == 74
        there = Recording(store)
        assert len(recorder.exits()) + recorder.lost() == truth
        gaps = there.gaps(0, time.time_ns())
        assert sum(gap.lost or 0 for gap in gaps) == recorder.lost()
        assert {gap.why for gap in gaps if gap.lost} <= {"disk full", "overflow"}
        assert len(recorder.said) <= 5, recorder.errors


def test_a_directory_that_was_removed_is_made_again(exitsnoop: str, store: Path) -> None:
    with recording(exitsnoop, store, "-P", str(os.getpid())) as recorder:
        subprocess.run(["sh", "-c", "kill -KILL $$"], check=False)
        until(lambda: len(exits(store)) == 1)
        shutil.rmtree(store)
        subprocess.run(["sh", "-c", "exit 9"], check=False)
        subprocess.run(["sh", "-c", "kill -TERM $$"], check=False)
        until(lambda: len(exits(store)) == 2)
        assert (store.stat().st_mode & 0o777, store.stat().st_gid) == (0o750, adm() or 0)
        assert recorder.stop() == 0
    assert [found.status for found in recorder.exits()] == [9 << 8, signal.SIGTERM]


@pytest.mark.parametrize(
    ("options", "kept"),
    [([], b"secret"), (["--redact", SECRET], b"secret=***"), (["--no-args"], b"")],
)
def test_secrets_in_arguments_are_not_written(
    exitsnoop: str, store: Path, options: list[str], kept: bytes
) -> None:
    """Neither those of a process nor those of its killer; not in the log of the database either."""
    ours = f"secret={SECRET}"
    waits = [sys.executable, "-c", "import signal; signal.pause()", ours]
    with recording(exitsnoop, store, "--tree", str(os.getpid()), *options) as recorder:
        with subprocess.Popen(waits) as victim:
            subprocess.run(["sh", "-c", "kill -KILL $1", "sh", str(victim.pid), ours], check=True)
        until(lambda: any(found.signal == signal.SIGKILL for found in exits(store)))
        live = written(store)
        assert recorder.stop() == 0
    for files in (live, written(store)):
        assert (SECRET.encode() in files) == (not options)
        assert kept in files
        assert (b"secret" in files) == bool(kept)
    assert any(path.name.endswith("-wal") for path in store.iterdir()) is False


def test_filters(exitsnoop: str, store: Path) -> None:
    me = str(os.getpid())
    with recording(exitsnoop, store, "-P", me, "-x", "--code", "!3", "-n", "sh") as recorder:
        for script in ("exit 0", "exit 3", "exit 4", "exec false"):
            subprocess.run(["sh", "-c", script], check=False)
        assert recorder.stop() == 0
    assert [found.exit_code for found in recorder.exits()] == [4]


def test_it_ends_with_what_it_follows(exitsnoop: str, store: Path) -> None:
    with (
        subprocess.Popen(["sleep", "1000"]) as followed,
        recording(exitsnoop, store, "-p", str(followed.pid)) as recorder,
    ):
        followed.kill()
        assert recorder.wait() == 0
    assert [(found.pid, found.signal) for found in recorder.exits()] == [
        (followed.pid, signal.SIGKILL)
    ]
    assert isinstance(recorder, Recorder)
