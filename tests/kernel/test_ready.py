"""How a script knows that tracing is on: --ready-fd."""

import json
import os
import signal
import subprocess

import pytest


def test_what_ends_after_the_line_is_never_missed(exitsnoop: str) -> None:
    reading, writing = os.pipe()
    command = [exitsnoop, "--json", "--ready-fd", str(writing), "-P", str(os.getpid())]
    tracer = subprocess.Popen(command, stdout=subprocess.PIPE, pass_fds=[writing], text=True)
    os.close(writing)
    with open(reading) as lines:
        assert lines.read() == "\n"  # and the descriptor is closed
    child = subprocess.Popen(["sh", "-c", "exit 7"])
    assert child.wait() == 7
    tracer.send_signal(signal.SIGINT)
    told, _ = tracer.communicate()
    (record,) = [one for one in map(json.loads, told.splitlines()) if one["pid"] == child.pid]
    assert record["exit_code"] == 7


def test_a_shell_waits_for_it(exitsnoop: str) -> None:
    script = 'coproc { exec "$0" --ready-fd 3 -- sh -c "exit 5" 3>&1 >/dev/null 2>&1; }; '
    script += 'read -r line <&"${COPROC[0]}"; echo "up$line"; wait "$COPROC_PID"; echo $?'
    done = subprocess.run(["bash", "-c", script, exitsnoop], capture_output=True, text=True)
    assert done.stdout == "up\n5\n"


@pytest.mark.parametrize("number", ["99", "-1", "x", str(10**30)])
def test_what_is_no_descriptor_is_refused(exitsnoop: str, number: str) -> None:
    command = [exitsnoop, "--ready-fd", number, "--", "true"]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "is not a descriptor that is open for writing" in done.stderr


def test_nobody_need_listen(exitsnoop: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [exitsnoop, "--ready-fd", str(writing), "--", "sh", "-c", "exit 3"]
    done = subprocess.run(command, pass_fds=[writing], capture_output=True, check=False)
    os.close(writing)
    assert done.returncode == 3


def test_command_keeps_a_standard_descriptor(exitsnoop: str) -> None:
    command = [exitsnoop, "--ready-fd", "1", "--", "sh", "-c", "echo up"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "up\n" in done.stdout
