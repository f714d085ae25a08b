"""What it touches on the machine: every call that it makes, as strace sees them."""

import re
import shutil
import signal
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from support.command import run, tracing
from support.machine import need
from support.stage import Stage

CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+)")
WRITABLE = re.compile(r"O_(WRONLY|RDWR|CREAT|TRUNC|APPEND|TMPFILE)")
OPENING = {"open", "openat", "openat2", "creat"}
# Of the class %file, those that change nothing.
LOOKING = {
    *("access", "chdir", "execve", "faccessat", "faccessat2", "getcwd", "lstat", "newfstatat"),
    *("readlink", "readlinkat", "stat", "statfs", "statx"),
}
COLUMNS = "+user,exe,container,unit,hostname,ancestors,max_rss"
EVERYTHING = ["-w", "-a", "-t", "-o", COLUMNS]


class Call(NamedTuple):
    name: str
    arguments: str

    @property
    def path(self) -> str:
        found = re.search(r'"((?:[^"\\]|\\.)*)"', self.arguments)
        return found[1] if found else ""


@pytest.fixture
def strace(tmp_path: Path) -> tuple[list[str], Path]:
    """The words to run another command with, and the file that lists the calls."""
    need(bool(shutil.which("strace")), "strace is not installed")
    log = tmp_path / "calls"
    traced = "trace=%file,%network,bpf,capset"
    return ["strace", "-ff", "-qq", "-s", "4096", "-o", str(log), "-e", traced], log


def calls(log: Path) -> list[Call]:
    """Return those that succeeded, those of other threads last; not those of COMMAND."""
    made: list[Call] = []
    for file in log.parent.glob(f"{log.name}.*"):
        matches = map(CALL.match, file.read_text().splitlines())
        found = [Call(m[1], m[2]) for m in matches if m and int(m[3]) >= 0]
        if found and found[0].name == "execve":
            made = found + made
        elif "execve" not in {call.name for call in found}:
            made += found
    assert made[0].name == "execve"
    return made


def changing(made: list[Call]) -> set[tuple[str, str]]:
    """Return the calls that may change a file, or make a connection."""
    found = set()
    for call in made:
        if call.name in {"bpf", "capset", *LOOKING} or "AF_UNIX" in call.arguments:
            continue  # the name service may be asked through a socket
        if call.name not in OPENING or WRITABLE.search(call.arguments):
            found.add((call.name, call.path))
    return found


def assert_needs_no_more_than_it_holds(made: list[Call]) -> None:
    """Nothing of BPF comes from a file, or stays; without the privileges nothing is loaded."""
    opened = [call.path for call in made if call.name in OPENING]
    assert not [path for path in opened if path.endswith(".o") or "/sys/fs/bpf" in path]
    commands = {call.arguments.split(",")[0] for call in made if call.name == "bpf"}
    assert {"BPF_PROG_LOAD", "BPF_MAP_CREATE"} <= commands
    assert not commands & {"BPF_OBJ_PIN", "BPF_OBJ_GET"}
    (dropped,) = [at for at, call in enumerate(made) if call.name == "capset"]
    late = made[dropped + 1 :]
    commands = {call.arguments.split(",")[0] for call in late if call.name == "bpf"}
    assert commands <= {"BPF_OBJ_GET_INFO_BY_FD"}  # which asks for no capability
    code = (sys.prefix, sys.base_prefix)
    assert not [call for call in late if call.path.startswith(code) and call.name != "execve"]


@pytest.mark.parametrize("options", [[], ["--cause", "killed"], EVERYTHING, ["--csv", *EVERYTHING]])
def test_a_trace(
    exitsnoop: str, strace: tuple[list[str], Path], stage: Stage, options: list[str]
) -> None:
    prefix, log = strace
    sender, victim = stage.puppet(), stage.puppet()
    with tracing(exitsnoop, *options, "-p", str(victim.pid), prefix=prefix) as tracer:
        sender.kill(victim, signal.SIGSEGV)
        victim.wait()
        (row,) = tracer.rest()
    assert "SEGV" in row
    made = calls(log)
    assert changing(made) == set()
    assert_needs_no_more_than_it_holds(made)


@pytest.mark.parametrize("options", [[], EVERYTHING, ["--json", *EVERYTHING]])
def test_a_command_with_rows_in_a_file(
    exitsnoop: str, strace: tuple[list[str], Path], options: list[str]
) -> None:
    prefix, log = strace
    rows = log.with_name("rows")
    words = ["--output", str(rows), *options, "--", "sh", "-c", "exit 3"]
    assert run(exitsnoop, *words, prefix=prefix).returncode == 3
    assert rows.read_text()
    made = calls(log)
    assert changing(made) == {("openat", str(rows))}
    assert_needs_no_more_than_it_holds(made)
