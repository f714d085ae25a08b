"""COMMAND starts as `env` would start it."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from support.command import run
from support.waiting import until


@pytest.mark.parametrize("ignored", ["", "PIPE", "XFSZ", "PIPE XFSZ"])
def test_what_a_shell_ignores_command_ignores(exitsnoop: str, ignored: str) -> None:
    """Python itself ignores both, so it cannot be seen in exitsnoop what it was started with."""
    trap = f"trap '' {ignored};" if ignored else ""
    grep = "grep SigIgn /proc/self/status"
    plain = run("/bin/sh", "-c", f"{trap} {grep}; :")
    traced = run("/bin/sh", "-c", f"{trap} {exitsnoop} --output /dev/null -- {grep}; :")
    assert traced.stdout == plain.stdout != ""


@pytest.mark.parametrize("by_path", [True, False])
def test_a_script_without_an_interpreter_is_run_by_sh(
    exitsnoop: str, tmp_path: Path, by_path: bool
) -> None:
    script = tmp_path / "says"
    script.write_text('printf "%s|" "$0" "$@"; exit 5\n')
    script.chmod(0o755)
    env = {**os.environ, "PATH": f"/nowhere:{tmp_path}:{os.environ['PATH']}"}
    name = str(script) if by_path else script.name
    plain = run("env", name, "a b", "", env=env)
    told = run(exitsnoop, "--output", "/dev/null", "--", name, "a b", "", env=env)
    assert (told.returncode, told.stdout) == (5, plain.stdout)
    assert plain.stdout == f"{script}|a b||"


def blocks(pid: int, number: int) -> bool:
    """Whether a process blocks a signal, so that it waits."""
    status = Path(f"/proc/{pid}/status").read_text()
    (mask,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigBlk:")]
    return bool(int(mask, 16) >> number - 1 & 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_of_the_time_before_it_starts_ends_it(exitsnoop: str, number: int) -> None:
    """Ctrl-C, too: nothing of Python, which would make an exception of it, is in COMMAND."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    os.write(writing, bytes(1 << 20))  # as much as it holds
    os.set_blocking(writing, True)
    command = [exitsnoop, "--ready-fd", str(writing), "--", "sleep", "1000"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=[writing]
    ) as tracer:
        os.close(writing)
        try:
            until(lambda: blocks(tracer.pid, number))
            tracer.send_signal(number)
            with open(reading, "rb") as pipe:
                pipe.read()
            assert tracer.wait(timeout=60) == 128 + number
        finally:
            tracer.kill()


SUDO = {"SUDO_UID": "65534", "SUDO_GID": "65534"}


@pytest.mark.parametrize("as_root", [False, True])
def test_it_names_the_user_of_command(exitsnoop: str, as_root: bool) -> None:
    """`sudo -s` leaves these variables to all that the shell starts: nobody may think of that."""
    words = ["--as-root"] if as_root else []
    result = run(exitsnoop, *words, "--", "id", "-u", env={**os.environ, **SUDO})
    assert result.stdout.splitlines()[1] == ("0" if as_root else "65534")
    *before, summary = result.stderr.splitlines()
    assert summary.startswith("exitsnoop: 1 exit: ")
    said = "exitsnoop: COMMAND runs as nobody, who called sudo; --as-root runs it as root"
    assert before == ([] if as_root else [said])


def test_as_root_is_for_command(exitsnoop: str) -> None:
    result = run(exitsnoop, "--as-root")
    assert (result.returncode, result.stdout) == (2, "")
    assert "--as-root is for COMMAND" in result.stderr
