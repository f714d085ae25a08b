"""The same signal twice at once is one request to end: `timeout` sends each of its twice."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from support.recorded import ask

from exitsnoop.store.recording import Recording

TIMEOUT = ("timeout", "1000")  # it passes a signal on as it does when the time is over


@pytest.mark.parametrize("time", range(3))
def test_a_recorder_under_timeout_ends_well(exitsnoop: str, store: Path, time: int) -> None:
    command = [*TIMEOUT, exitsnoop, "record", "--store", str(store), "-P", str(os.getpid())]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as timeout:
        assert timeout.stderr
        timeout.stderr.readline()
        child = subprocess.Popen(["sh", "-c", f"exit {time}"])
        assert child.wait() == time
        timeout.send_signal(signal.SIGTERM)
        assert timeout.stderr.read() == ""
    recording = Recording(store)
    assert [one.ended for one in recording.recorded()] == ["stopped"]
    assert (child.pid,) in ask(store, "SELECT pid FROM exits")


@pytest.mark.parametrize("command", [[], ["--linger", "--", "true"]])
def test_a_trace_under_timeout_writes_all_rows(
    exitsnoop: str, tmp_path: Path, command: list[str]
) -> None:
    rows = tmp_path / "rows"
    ready, begun = os.pipe()
    words = [*TIMEOUT, exitsnoop, "--json", "-P", str(os.getpid()), "--ready-fd", str(begun)]
    if command:
        words = [*TIMEOUT, exitsnoop, "--json", "--ready-fd", str(begun), *command]
    with rows.open("w") as file, subprocess.Popen(words, stdout=file, pass_fds=[begun]) as timeout:
        os.close(begun)
        assert os.read(ready, 1) == b"\n"
        os.close(ready)
        ended = [subprocess.Popen(["true"]) for _ in range(0 if command else 50)]
        for child in ended:
            child.wait()
        timeout.send_signal(signal.SIGTERM)
        timeout.wait()
    found = {json.loads(line)["pid"] for line in rows.read_text().splitlines()}
    assert {child.pid for child in ended} <= found
    assert found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("words", [[], ["record"]])
def test_a_signal_that_was_blocked_from_the_start_ends_it(
    exitsnoop: str, tmp_path: Path, words: list[str], number: int
) -> None:
    """As a program leaves it that starts others from a thread, or from within a handler."""
    where = ["--store", str(tmp_path)] if words else ["--output", str(tmp_path / "rows")]
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        command = [exitsnoop, *words, *where]
        process = subprocess.Popen(command, stderr=subprocess.PIPE)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    try:
        assert process.stderr
        assert process.stderr.readline()  # it traces
        process.send_signal(number)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.communicate()
