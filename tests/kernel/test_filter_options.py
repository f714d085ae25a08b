"""The options that choose what to trace, from the command line to the rows."""

import os
import subprocess
from pathlib import Path

import pytest
from support.cgroups import mounts
from support.command import parse_row, report, tracing
from support.machine import need
from support.stage import Stage

# Its children end in several ways; each except the last has a name of its own.
SCRIPT = """
    e="$0 name"
    $e pear; $e peach; $e plum
    setpriv --reuid=65534 $e nobodys
    "$0" exit 3
    sh -c 'kill -PIPE $$'
    sh -c 'kill -KILL $$'
    exit 0
"""
PEAR, PEACH, PLUM, NOBODYS = (("pear", "0"), ("peach", "0"), ("plum", "0"), ("nobodys", "0"))
CODE_3, PIPE, KILL, COMMAND = (
    ("endings", "code 3"),
    ("sh", "signal 13 (PIPE)"),
    ("sh", "signal 9 (KILL)"),
    ("sh", "0"),
)
ALL = [PEAR, PEACH, PLUM, NOBODYS, CODE_3, PIPE, KILL, COMMAND]


def without(*left_out: tuple[str, str]) -> list[tuple[str, str]]:
    return [end for end in ALL if end not in left_out]


@pytest.mark.no_kernel
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ALL),
        (["-n", "pea*"], [PEAR, PEACH]),
        (["-n", "pear,pl?m"], [PEAR, PLUM]),
        (["-n", "pear", "--name", "plum"], [PEAR, PLUM]),
        (["-n", "!pea*,plum"], without(PEAR, PEACH, PLUM)),
        (["-n", "!pea*", "-n", "!plum"], without(PEAR, PEACH, PLUM)),
        (["-u", "nobody"], [NOBODYS]),
        (["-u", "65534,54321"], [NOBODYS]),
        (["-u", "!root"], [NOBODYS]),
        (["--user", "!nobody"], without(NOBODYS)),
        (["--code", "!0"], [CODE_3]),
        (["--code", "1-255"], [CODE_3]),
        (["--code", "0,3", "--code", "4"], without(PIPE, KILL)),
        (["--code", "!1-2", "--code", "!0"], [CODE_3]),
        (["--signal", "!PIPE"], [KILL]),
        (["--signal", "kill,SIGPIPE"], [PIPE, KILL]),
        (["--signal", "9", "--code", "3"], [CODE_3, KILL]),
        (["--cause", "!exited"], [PIPE, KILL]),
        (["-x"], [CODE_3, PIPE, KILL]),
        (["-x", "-n", "sh"], [PIPE, KILL]),
        (["--min-age", "1h"], []),
        (["--max-age", "1h30m"], ALL),
        (["--min-age", "0s", "--max-age", "2d"], ALL),
    ],
)
def test_what_options_let_pass(
    exitsnoop: str,
    endings: Path,
    tmp_path: Path,
    options: list[str],
    expected: list[tuple[str, str]],
) -> None:
    words = [*options, "--", "/bin/sh", "-c", SCRIPT, str(endings)]
    told = report(exitsnoop, tmp_path / "rows", *words)
    assert told.ends() == expected
    assert told.summary.startswith("exitsnoop: 8 exits: 1 failed, 2 killed by a signal, 0 lost")


@pytest.mark.parametrize("excluding", ["", "!"])
def test_children_by_ppid(exitsnoop: str, endings: Path, excluding: str) -> None:
    with tracing(exitsnoop, "-P", f"{excluding}{os.getpid()}") as tracer:
        script = '"$0" name grandchild; exit 3'
        child = subprocess.Popen(["/bin/sh", "-c", script, str(endings)])
        child.wait()
        rows = [parse_row(line) for line in tracer.stop()]
    found = {row.ppid for row in rows} & {os.getpid(), child.pid}
    assert found == {child.pid if excluding else os.getpid()}


@pytest.mark.parametrize("by_directory", [False, True])
@pytest.mark.parametrize("excluding", ["", "!"])
def test_cgroups_by_path_and_by_directory(
    exitsnoop: str, life: Stage, tmp_path: Path, excluding: str, by_directory: bool
) -> None:
    tops = [path for path, kind, _ in mounts() if kind == "cgroup2"]
    need(bool(tops), "a mounted cgroup2")
    group = life.cgroup(tops[0])
    script = '(echo 0 >"$0/cgroup.procs"; exit 4); exit 3'
    asked = str(group) if by_directory else f"/{group.name}"
    words = ["-c", f"{excluding}{asked}", "--", "/bin/sh", "-c", script, str(group)]
    told = report(exitsnoop, tmp_path / "rows", *words)
    assert told.ends() == [("sh", "code 3") if excluding else ("sh", "code 4")]
