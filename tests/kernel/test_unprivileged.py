"""Every feature for a user who has CAP_BPF and CAP_PERFMON, no more; what needs more says so.

There are two ways to get them: ambient, as from systemd, and from the interpreter's file.
"""

import contextlib
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command import ENOUGH, NOBODY, become, run, tracing
from support.machine import need
from support.programs import looping
from support.stage import Stage

from exitsnoop.kernel.features import exit_has_memory

UID = 65534
CAPABILITIES = 1 << 38 | 1 << 39 | 1 << 2
VFS_CAP_REVISION_2, EFFECTIVE = 0x02000000, 1  # capability.h
COLLECTED = "user,parent_comm,ancestors,args,exe,cgroup,nspid,hostname,max_rss,cpu_user"


def capable_interpreter(directory: Path) -> Path:
    """Make an environment with a copy of the interpreter that has the capabilities."""
    python = directory / "bin" / "python"
    python.parent.mkdir(parents=True)
    base = Path(sys.executable).resolve()
    shutil.copy(base, python)
    (directory / "pyvenv.cfg").write_text(f"home = {base.parent}\n")
    packages = directory / Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)
    packages.mkdir(parents=True)
    (packages / "exitsnoop.pth").write_text(sysconfig.get_path("platlib") + "\n")
    low, high = CAPABILITIES & 0xFFFFFFFF, CAPABILITIES >> 32
    os.setxattr(
        python,
        "security.capability",
        struct.pack("<5I", VFS_CAP_REVISION_2 | EFFECTIVE, low, 0, high, 0),
    )
    return python


@pytest.fixture(scope="module", params=["ambient", "of the file"])
def command(
    request: pytest.FixtureRequest, exitsnoop: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[str]]:
    """The words that run exitsnoop as nobody with the capabilities."""
    if request.param == "ambient":
        yield [*become(NOBODY, ENOUGH), exitsnoop]
        return
    directory = tmp_path_factory.mktemp("capable")
    try:
        python = capable_interpreter(directory)
    except OSError as error:
        need(False, f"a file in {directory} cannot have capabilities: {error.strerror}")
    nosuid = os.statvfs(directory).f_flag & os.ST_NOSUID
    need(not nosuid, f"{directory} is mounted nosuid")
    # What lets setpriv reach the file is gone once it runs: it has the file's, and no others.
    reach = [f"--{kind}-caps=-all,+dac_read_search" for kind in ("inh", "ambient")]
    yield ["setpriv", *NOBODY, *reach, str(python), "-I", "-m", "exitsnoop"]
    shutil.rmtree(directory)


def lines(command: list[str], *options: str, death: list[str]) -> list[str]:
    """Trace; run something that ends; return the lines about it."""
    *prefix, last = command
    with contextlib.ExitStack() as attached:
        with looping("sleep 0.1"):  # JSON has no header: there the first row says that it traces
            tracer = attached.enter_context(tracing(last, *options, prefix=prefix))
        status = Path(f"/proc/{tracer.process.pid}/status").read_text()
        with subprocess.Popen(death) as victim:
            pass
        shown = tracer.stop()
    assert f"\nUid:\t{UID}\t{UID}\t{UID}\t{UID}\n" in status
    assert tracer.process.returncode == 0
    return [line for line in shown if str(victim.pid) in line]


def test_the_trace(command: list[str]) -> None:
    (line,) = lines(command, death=["sh", "-c", "exit 9"])
    assert line.split()[-2:] == ["code", "9"]


def test_the_cause(command: list[str], stage: Stage) -> None:
    sender, victim = stage.puppet(), stage.puppet()
    *prefix, last = command
    with tracing(last, "-w", "-p", str(victim.pid), prefix=prefix) as tracer:
        sender.kill(victim, signal.SIGTERM)
        victim.wait()
        (line,) = tracer.rest()
    assert f"killed by deaths[{sender.pid}] (SIGTERM), run by " in line
    assert tracer.process.returncode == 0


def test_what_is_collected(command: list[str]) -> None:
    words = ["sh", "-c", "exit 9"]
    (line,) = lines(command, "--json", "-o", f"pid,{COLLECTED}", death=words)
    record = json.loads(line)
    unknown = {name for name in COLLECTED.split(",") if record[name] is None}
    # It starts in our memory (vfork), whose peak may be more than a shell has: see Exit.max_rss.
    assert unknown <= (set() if exit_has_memory() else {"max_rss"})
    assert (record["user"], record["args"]) == ("root", words)
    assert record["exe"] == os.path.realpath(shutil.which("sh") or "")
    assert record["ancestors"][0]["pid"] == os.getpid()


@pytest.mark.parametrize("option", ["-p", "-P", "--tree"])
def test_it_ends_with_what_it_follows(command: list[str], life: Stage, option: str) -> None:
    parent = life.puppet()
    *prefix, last = command
    with tracing(last, option, str(parent.pid), prefix=prefix) as tracer:
        child = int(parent.ask("fork", 0).split()[0])
        parent.die("exit", 0)
        shown = {int(line.split()[1]) for line in tracer.rest()}
    traced = {"-p": {parent.pid}, "-P": {child}, "--tree": {parent.pid, child}}
    assert shown == traced[option]
    assert tracer.process.returncode == 0


def test_command(command: list[str]) -> None:
    words = ["--csv", "-o", "comm,uid,exit", "--", "sh", "-c", "id -u >&2; (exit 4); exit 3"]
    result = run(command[0], *command[1:], *words)
    assert result.returncode == 3
    assert result.stdout.splitlines()[1:] == [
        f"id,{UID},0",
        f"sh,{UID},code 4",
        f"sh,{UID},code 3",
    ]
    assert result.stderr.splitlines()[0] == str(UID)


def test_check_says_what_needs_more(command: list[str]) -> None:
    result = run(command[0], *command[1:], "check")
    assert (result.returncode, result.stderr) == (0, "")
    answers = {line[:12].strip(): line[13:17].strip() for line in result.stdout.splitlines()}
    assert [name for name, answer in answers.items() if answer == "no"] == ["exe"]
    assert "CAP_SYS_PTRACE" in result.stdout


@pytest.mark.parametrize("more", ["", ",+sys_ptrace"])
def test_the_program_of_who_ran_before_is_known_with_one_more(
    exitsnoop: str, life: Stage, more: str
) -> None:
    before = life.puppet()
    options = ["--csv", "-o", "pid,exe,args", "-p", str(before.pid)]
    with tracing(exitsnoop, *options, prefix=become(NOBODY, ENOUGH + more)) as tracer:
        before.die("exit", 0)
        (line,) = tracer.rest()
    path = str(life.program)
    exe = os.path.realpath(path) if more else ""
    assert line.rstrip("\r\n") == f"{before.pid},{exe},{path}"
