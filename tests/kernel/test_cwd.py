"""The working directory at the exit, against /proc/PID/cwd of the living process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from exitsnoop import Tracer

MOVES = "import os, sys; os.chdir(sys.argv[1]); print(flush=True); sys.stdin.read()"
LEADER_LEAVES = """
import ctypes, os, sys, threading
def go_on():
    os.chdir(sys.argv[1])
    with open(f"/proc/self/task/{os.getpid()}/stat") as stat:
        while stat.read().rpartition(")")[2].split()[0] != "Z":
            stat.seek(0)
    print(os.readlink("/proc/thread-self/cwd"), flush=True)
    os._exit(0)
threading.Thread(target=go_on).start()
ctypes.CDLL(None).syscall(60 if os.uname().machine == "x86_64" else 93, 0)
"""


def traced_and_seen(program: list[str], **options: object) -> tuple[str | None, str]:
    """Return the cwd of the record, and what /proc says while the process waits for its end."""
    with Tracer(ppids=[os.getpid()], fields=["cwd"]) as tracer:
        child = subprocess.Popen(
            program,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            **options,  # type: ignore[call-overload]
        )
        child.stdout.readline()
        seen = os.readlink(f"/proc/{child.pid}/cwd")
        child.communicate()
        (record,) = (ended for ended in tracer.read() if ended.pid == child.pid)
    return record.cwd, seen


@pytest.mark.parametrize(
    "place",
    ["/", "/proc", "/dev/shm", "/usr/share/doc"],
)
def test_where_it_moved_to(place: str) -> None:
    cwd, seen = traced_and_seen([sys.executable, "-c", MOVES, place], cwd="/tmp")
    assert cwd == seen == place


@pytest.mark.parametrize(
    "name",
    ["plain", "two words", "new\nline", "x" * 255, "ends (deleted)", "/".join("abcdefgh" * 5)],
)
def test_any_name(name: str, tmp_path: Path) -> None:
    place = tmp_path / name
    place.mkdir(parents=True)
    cwd, seen = traced_and_seen([sys.executable, "-c", MOVES, str(place)])
    assert cwd == seen == str(place)


def test_bytes_that_are_not_utf_8(tmp_path: Path) -> None:
    place = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(place)
    cwd, seen = traced_and_seen([sys.executable, "-c", MOVES, os.fsdecode(place)])
    assert cwd == os.fsencode(seen).decode("utf-8", "replace")


def test_a_directory_that_was_removed(tmp_path: Path) -> None:
    place = tmp_path / "gone"
    place.mkdir()
    script = MOVES.replace("print(", "os.rmdir(sys.argv[1]); print(")
    cwd, seen = traced_and_seen([sys.executable, "-c", script, str(place)])
    assert cwd == seen == f"{place} (deleted)"


def test_a_path_that_is_too_long_has_its_end(tmp_path: Path) -> None:
    names = [f"{number:03}" for number in range(80)]
    (tmp_path / "/".join(names)).mkdir(parents=True)
    cwd, seen = traced_and_seen([sys.executable, "-c", MOVES, str(tmp_path / "/".join(names))])
    assert cwd
    assert cwd.startswith("/.../")
    assert seen.endswith(cwd.removeprefix("/..."))
    assert cwd.count("/") > 50


def test_the_last_thread_has_it_where_the_leader_left(tmp_path: Path) -> None:
    with Tracer(ppids=[os.getpid()], fields=["cwd"]) as tracer:
        command = [sys.executable, "-c", LEADER_LEAVES, str(tmp_path)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        seen, _ = child.communicate()
        (record,) = (ended for ended in tracer.read() if ended.pid == child.pid)
    assert record.cwd == seen.strip() == str(tmp_path)


def test_not_collected_is_unknown() -> None:
    with Tracer(ppids=[os.getpid()], fields=["uid"]) as tracer:
        subprocess.run(["true"], check=True)
        assert [ended.cwd for ended in tracer.read()] == [None]
