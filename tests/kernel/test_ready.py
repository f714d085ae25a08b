"""How a script (--ready-fd) and a person (whose rows go to a file) know that tracing is on."""

import json
import os
import signal
import subprocess
from pathlib import Path

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


def test_where_rows_go_to_a_file_standard_error_says_that_it_has_begun(
    exitsnoop: str, tmp_path: Path
) -> None:
    """What ends after the line is in the file; nothing else is said."""
    rows = tmp_path / "rows"
    command = [exitsnoop, "--json", "--output", str(rows), "-P", str(os.getpid())]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr
        said = tracer.stderr.readline()
        assert said == f"exitsnoop: tracing has begun; rows go to {rows}\n"
        child = subprocess.Popen(["sh", "-c", "exit 7"])
        assert child.wait() == 7
        tracer.terminate()
        assert tracer.communicate()[1] == ""
    found = map(json.loads, rows.read_text().splitlines())
    assert [one["exit_code"] for one in found if one["pid"] == child.pid] == [7]


def test_where_rows_or_command_show_it_nothing_says_so(exitsnoop: str, tmp_path: Path) -> None:
    child = subprocess.Popen(["sleep", "1000"])
    command = [exitsnoop, "-p", str(child.pid)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as tracer:
        assert tracer.stdout
        assert tracer.stdout.readline().startswith("PCOMM")
        child.kill()
        child.wait()
        assert tracer.communicate()[1] == ""
    words = [exitsnoop, "--output", str(tmp_path / "rows"), "--", "sh", "-c", "echo mine >&2"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "tracing" not in done.stderr
