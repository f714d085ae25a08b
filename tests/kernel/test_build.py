"""`exitsnoop -- make`: what failed in a build, against what a shell around each step noted."""

import fcntl
import os
import signal
from pathlib import Path

import pytest
from support.command import Report, report
from support.machine import some

SOURCES = some(200)
ERRORS = {2, 7, 11, 16, SOURCES - 1}
KILLED = {4, 13, 17}
ORPHAN = 9

# Make's SHELL: runs each step in a shell of its own; notes that one's PID, its own, the status.
NOTING_SHELL = """\
#!/bin/sh
/bin/sh "$@" & pid=$!
wait $pid; status=$?
echo $pid $$ $status >>log
exit $status
"""
MAKEFILE = """\
SHELL = ./noting-shell
all: {targets}
%.o: %.c
\texec cc -c -o $@ $<
"""
KILLED_TARGET = "{name}.o:\n\t: {name}; kill -KILL $$$$\n"
# Left behind, it waits until nobody shares the lock any more, and fails.
ORPHAN_TARGET = """\
{name}.o:
\tflock --no-fork lock sh -c 'exit 5' 9>&- </dev/null >/dev/null 2>&1 & echo $$! >orphan
"""
BUILD = 'cd "$0" && exec 9>lock && flock --shared 9 || exit 99; make -k -j4 >output 2>&1'


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source tree in which some steps fail, some are killed, and one leaves a process behind."""
    tree = tmp_path_factory.mktemp("tree")
    names = [f"file{number}" for number in range(SOURCES)]
    makefile = MAKEFILE.format(targets=" ".join(f"{name}.o" for name in names))
    for number, name in enumerate(names):
        value = "undeclared" if number in ERRORS else "0"
        (tree / f"{name}.c").write_text(f"int {name}(void) {{ return {value}; }}\n")
        if number in KILLED:
            makefile += KILLED_TARGET.format(name=name)
        if number == ORPHAN:
            makefile += ORPHAN_TARGET.format(name=name)
    (tree / "Makefile").write_text(makefile)
    shell = tree / "noting-shell"
    shell.write_text(NOTING_SHELL)
    shell.chmod(0o755)
    return tree


def build(exitsnoop: str, tree: Path, *options: str) -> Report:
    for made in [*tree.glob("*.o"), *tree.glob("log")]:
        made.unlink()
    return report(exitsnoop, tree / "rows", *options, "--", "/bin/sh", "-c", BUILD, str(tree))


def noted(tree: Path) -> dict[int, int]:
    """What must have failed of the shells and what they ran: exit codes by PID, as sh has them."""
    statuses: dict[int, int] = {}
    for line in (tree / "log").read_text().splitlines():
        step, shell, status = map(int, line.split())
        if status:
            statuses |= {step: status, shell: status}
    return statuses


@pytest.mark.parametrize("linger", [False, True])
def test_exactly_what_failed_in_a_build(exitsnoop: str, tree: Path, linger: bool) -> None:
    columns = ["-o", "pid,ppid,comm,exit_code,signal,args,cause"]
    with open(tree / "lock", "w") as lock:
        if not linger:  # the orphan is to outlive it
            fcntl.flock(lock, fcntl.LOCK_SH)
        told = build(exitsnoop, tree, "-x", *columns, *["--linger"] * linger)
    assert told.status == 2, (tree / "output").read_text()
    steps = noted(tree)
    assert len(steps) == 2 * (len(ERRORS) + len(KILLED))

    code_or_128 = {e["pid"]: e["exit_code"] or 128 + e["signal"] for e in told.exits}
    assert len(code_or_128) == len(told.exits)
    assert {pid: code for pid, code in code_or_128.items() if pid in steps} == steps
    others = [e for e in told.exits if e["pid"] not in steps]
    compilers = [e for e in others if e["comm"] == "cc1"]
    assert all(e["exit_code"] == 1 and steps[e["ppid"]] == 1 for e in compilers)
    files = {argument for e in compilers for argument in e["args"] if argument.startswith("file")}
    assert files == {f"file{number}.c" for number in ERRORS}
    assert len(compilers) == len(ERRORS)

    rest = [(e["comm"], e["exit_code"]) for e in others if e["comm"] != "cc1"]
    assert rest == [("make", 2), ("sh", 2), *[("sh", 5)] * linger]
    if linger:
        assert told.exits[-1]["pid"] == int((tree / "orphan").read_text())

    killed = {e["args"][-1].split(";")[0]: e for e in told.exits if e["signal"]}
    assert set(killed) == {f": file{number}" for number in KILLED}
    for record in killed.values():
        assert record["signal"] == signal.SIGKILL
        assert record["cause"]["kind"] == "self"
    processes = int(told.summary.split()[1])
    assert processes > 3 * (SOURCES - len(KILLED)) > len(told.exits)
    assert f" {len(told.exits) - len(KILLED)} failed, {len(KILLED)} killed " in told.summary
    assert os.path.exists(tree / "file0.o")
