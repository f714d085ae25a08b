"""Shells, and tools that start others: make, timeout, xargs, sudo, tmux, ssh, strace, git."""

import json
import shlex
import shutil
import signal
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest
from support.machine import need
from support.services import (
    asked_to_end,
    at_a_terminal,
    comm_of,
    kill,
    need_program,
    one,
    service,
    timed_out,
)
from support.truth import recorded
from support.waiting import until

from exitsnoop import Exit

SHELLS = [["bash", "--norc"], ["dash"], ["zsh", "-f"], ["busybox", "sh"]]
MEANINGS = {
    126: "as for a command that cannot run",
    127: "as for a command not found",
}


def named(exits: list[Exit], comm: str, ppid: int) -> Exit:
    (record,) = [record for record in exits if (record.comm, record.ppid) == (comm, ppid)]
    return record


def run(command: list[str]) -> tuple[list[Exit], int, int]:
    """Run a command; return the exits, its PID, and its code as Popen has it."""
    with recorded(why=True) as exits:
        started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        returncode = started.wait()
    return exits, started.pid, returncode


@pytest.mark.parametrize("shell", SHELLS, ids=lambda words: words[0])
def test_a_shell_tells_of_its_command(shell: list[str]) -> None:
    need_program(shell[0])
    script = "/bin/sh -c 'kill -KILL $$'; exit $?"
    exits, pid, returncode = run([*shell, "-c", script])
    assert returncode == 137
    (child,) = [record.pid for record in exits if record.ppid == pid and record.signal == 9]
    assert one(exits, pid, 137).text == f"exit 137, as SIGKILL ended its child sh[{child}]"


PASSES_ON = {
    "sh -c 'echo a | xargs /nonexistent; exit $?'": "exit 127, as its child xargs[{}]",
    "bash -c '(/usr/bin/python3 -c \"import os; os._exit(127)\"; exit $?); exit $?'": (
        "exit 127, as its child bash[{}]"
    ),
    "timeout --preserve-status 0.1 sleep 60": "exit 143, as SIGTERM ended its child sleep[{}], ",
    '/usr/bin/python3 -c "import os, subprocess; '
    "os.kill(os.getpid(), -subprocess.call(['sh', '-c', 'kill $$']))\"": (
        "sent itself SIGTERM, which had ended its child sh[{}]"
    ),
    "timeout 60 /nonexistent": "exit 127",
}


@pytest.mark.parametrize("command", PASSES_ON)
def test_an_end_that_is_passed_on(command: str) -> None:
    """A program that was not found has no name of its own yet."""
    exits, pid, _ = run(shlex.split(command))
    of = [record for record in exits if record.ppid == pid and record.status]
    (record,) = [record for record in exits if record.pid == pid]
    assert record.cause
    expected = PASSES_ON[command]
    assert record.cause.text.startswith(expected.format(of[-1].pid))
    assert "{}" in expected or record.cause.text == expected


def test_an_abort_that_is_passed_on() -> None:
    """Timeout raises the signal again, as abort() does."""
    exits, pid, returncode = run(["timeout", "60", "sh", "-c", "kill -ABRT $$; :"])
    assert returncode == -signal.SIGABRT
    text = one(exits, pid, returncode).text
    assert text.startswith("abort()")
    child = named(exits, "sh", pid)
    assert text.endswith(f", after SIGABRT had ended its child sh[{child.pid}]")


@pytest.mark.parametrize("code", [126, 127])
def test_a_script_has_the_name_of_a_file(tmp_path: Path, code: int) -> None:
    """Its shell is known by the executable."""
    script = tmp_path / "nightly"
    script.write_text(f"#!/bin/sh\n{'/etc/passwd' if code == 126 else 'no-such-command'}\n")
    script.chmod(0o755)
    with recorded(why=True, fields=["exe"]) as exits:
        started = subprocess.Popen([script], stderr=subprocess.DEVNULL)
        assert started.wait() == code
    assert one(exits, started.pid, code).text == f"exit {code}: {MEANINGS[code]}"


@pytest.mark.parametrize("shell", SHELLS, ids=lambda words: words[0])
def test_a_shell_that_finds_no_command(shell: list[str]) -> None:
    need_program(shell[0])
    exits, pid, returncode = run([*shell, "-c", "no-such-command; exit $?"])
    assert returncode == 127
    assert one(exits, pid, 127).text == f"exit 127: {MEANINGS[127]}"


@pytest.mark.parametrize("shell", SHELLS, ids=lambda words: words[0])
def test_a_shell_that_finds_no_interpreter(shell: list[str], tmp_path: Path) -> None:
    """The command is there. Some shells exit with 126 then, others with 127."""
    need_program(shell[0])
    script = tmp_path / "nightly"
    script.write_text("#!/no/such\n")
    script.chmod(0o755)
    exits, pid, returncode = run([*shell, "-c", f"{script}; exit $?"])
    assert returncode in {126, 127}
    assert one(exits, pid, returncode).text == f"exit {returncode}: {MEANINGS[returncode]}"


def test_a_variable_that_is_not_set() -> None:
    """All commands are there, and bash exits with 127: it is only said what that is like."""
    need_program("bash")
    exits, pid, returncode = run(["bash", "-uc", "echo $EXITSNOOP_NOT_SET"])
    assert returncode == 127
    assert one(exits, pid, 127).text == f"exit 127: {MEANINGS[127]}"


@pytest.mark.parametrize("shell", SHELLS, ids=lambda words: words[0])
def test_a_trap(shell: list[str]) -> None:
    need_program(shell[0])
    script = "trap 'exit 5' TERM; echo up; while :; do sleep 0.01; done"
    cause, returncode, sender = asked_to_end([*shell, "-c", script])
    assert returncode == 5
    assert f" after SIGTERM from kill[{sender}]" in cause.text


def test_the_dynamic_loader_s_127(tmp_path: Path) -> None:
    """The command was found; a library of it was not."""
    library, program = tmp_path / "libgone15.so", tmp_path / "program"
    compiler = need_program("cc")
    subprocess.run([compiler, "-shared", "-x", "c", "/dev/null", "-o", library], check=True)
    source = "int main(void) { return 0; }"
    needs = ["-Wl,--no-as-needed", "-x", "none", str(library)]
    link = [compiler, "-x", "c", "-", "-o", str(program), *needs]
    subprocess.run(link, input=source, text=True, check=True)
    library.unlink()
    exits, pid, returncode = run([str(program)])
    assert returncode == 127
    assert one(exits, pid, 127).text == "exit 127"


@pytest.mark.parametrize("command", [["env", "/no/such/command"], ["git", "branch", "--no-such"]])
def test_a_code_of_a_program_that_is_no_shell(command: list[str]) -> None:
    need_program(command[0])
    exits, pid, returncode = run(command)
    assert returncode > 0
    assert one(exits, pid, returncode).text == f"exit {returncode}"


@pytest.mark.parametrize(
    ("inner", "code", "why"),
    [
        ("kill -KILL $$", 125, "as SIGKILL ended its child sh[{}]"),
        ("exit 255", 124, "as its child sh[{}] exited with 255"),
        ("exit 7", 123, "as its child sh[{}] exited with 7"),
    ],
)
def test_xargs_has_codes_of_its_own(inner: str, code: int, why: str) -> None:
    exits, pid, returncode = run(["xargs", "-P2", "-a", "/etc/hostname", "sh", "-c", inner])
    assert returncode == code
    shell = named(exits, "sh", pid)
    assert one(exits, pid, code).text == f"exit {code}, {why.format(shell.pid)}"
    assert shell.cause
    assert shell.cause.kind == ("self" if code == 125 else "exited")


def test_make_passes_the_signal_on(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("all:\n\t@echo up; sleep 60; :\n")
    with recorded(why=True) as exits, service(["make", "-C", str(tmp_path), "-s"]) as make:
        sender = kill(make.pid)
        returncode = make.wait()
    cause = one(exits, make.pid, returncode)
    assert (returncode, cause.reraised) == (-signal.SIGTERM, True)
    assert cause.text.startswith(f"killed by kill[{sender}] (SIGTERM), run by ")
    recipe = named(exits, "sh", make.pid)
    assert recipe.cause
    assert recipe.cause.text == f"killed by make[{make.pid}] (SIGTERM)"


def test_timeout_s_own_code() -> None:
    with recorded(why=True) as exits:
        timeout, sleep = timed_out()
    assert one(exits, timeout, 124).kind == "exited"
    assert one(exits, sleep, -signal.SIGTERM).text == f"killed by timeout[{timeout}] (SIGTERM)"


def test_a_pipe_that_nobody_reads() -> None:
    with recorded(why=True) as exits:
        yes = subprocess.Popen(["yes"], stdout=subprocess.PIPE)
        assert yes.stdout
        yes.stdout.close()
        returncode = yes.wait()
    assert one(exits, yes.pid, returncode).kind == "pipe"


def test_sudo_at_a_terminal() -> None:
    """It runs the command at a terminal of its own (use_pty), and hands the key on."""
    sudo = need_program("sudo")
    script = "echo up $$; exec sleep 60"
    with recorded(why=True) as exits:
        ended = at_a_terminal([sudo, "-n", "sh", "-c", script], b"\x03")
    assert ended.returncode == -signal.SIGINT or ended.returncode >= 0
    cause = one(exits, int(ended.said.split()[1]), -signal.SIGINT)
    assert cause.kind in ("terminal", "killed")
    if cause.kind == "killed":
        assert cause.sender
        assert cause.sender.comm == "sudo"


def test_tmux_that_is_killed_hangs_up(tmp_path: Path) -> None:
    tmux = [need_program("tmux"), "-f", "/dev/null", "-S", str(tmp_path / "socket")]
    with recorded(why=True) as exits:
        subprocess.run([*tmux, "new", "-d", "sleep 600"], check=True)
        shown = subprocess.run(
            [*tmux, "display", "-p", "#{pane_pid}"], check=True, capture_output=True, text=True
        )
        pane = int(shown.stdout)
        until(lambda: comm_of(pane) != "tmux: server")  # before, it would not exec
        subprocess.run([*tmux, "kill-server"], check=True)
        until(lambda: not Path(f"/proc/{pane}").exists())
    (record,) = [record for record in exits if record.pid == pane]
    assert record.signal == signal.SIGHUP
    assert record.cause
    assert record.cause.kind == "hangup"


def test_ssh_that_is_refused() -> None:
    exits, pid, returncode = run(
        [need_program("ssh"), "-o", "BatchMode=yes", "-p", "1", "127.0.0.1"]
    )
    assert returncode == 255
    assert one(exits, pid, 255).text == "exit 255"


def test_runc_kills_a_container(tmp_path: Path) -> None:
    runc, busybox = need_program("runc"), need_program("busybox")
    root, name = tmp_path / "rootfs", f"exitsnoop-{uuid.uuid4()}"
    (root / "bin").mkdir(parents=True)
    shutil.copy(busybox, root / "bin")
    subprocess.run([runc, "spec", "--bundle", tmp_path], check=True)
    spec = (tmp_path / "config.json").read_text()
    spec = spec.replace('"terminal": true', '"terminal": false')
    spec = spec.replace('"sh"', '"/bin/busybox", "sleep", "600"')
    (tmp_path / "config.json").write_text(spec)
    command = [runc, "run", "--bundle", str(tmp_path), name]
    probe = [runc, "state", name]

    def state() -> dict[str, Any]:
        told = subprocess.run(probe, capture_output=True, text=True, check=False).stdout
        found: dict[str, Any] = json.loads(told or "{}")
        return found

    def runs() -> bool:
        return state().get("status") == "running"

    with recorded(why=True) as exits, service(command, runs) as container:
        pid = int(state()["pid"])
        sender = subprocess.Popen([runc, "kill", name, "KILL"])
        need(sender.wait() == 0, "runc that can start a container")
        container.wait()  # it removes the container's cgroups
    cause = one(exits, pid, -signal.SIGKILL)
    assert cause.sender
    assert cause.sender.pid == sender.pid
    assert cause.text.startswith("killed by runc")
