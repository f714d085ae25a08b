"""`exitsnoop report` about what really ended while a test ran; waitpid says how."""

import os
import re
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

from support.flight import Answers, Flight, run_command
from support.recorder import exits
from support.waiting import until

TIMES = 5


def test_what_really_ended(
    flight: Flight, answers: Answers, exitsnoop: str, tmp_path: Path
) -> None:
    """A job that fails in a loop, one that crashes, one that is killed; and one that ends well."""
    begun = time.time()
    truth: Counter[tuple[str, int]] = Counter()
    for name, does in (
        ("report-fails", "exit 3"),
        ("report-crashes", "kill -SEGV $$"),
        ("report-works", "exit 0"),
    ):
        job = tmp_path / name
        job.write_text(f"#!/bin/sh\n{does}\n")
        job.chmod(0o755)
    with flight() as recorder:
        for name, times in (("fails", TIMES), ("crashes", 2), ("works", 4)):
            for _ in range(times):
                ended = subprocess.run([tmp_path / f"report-{name}"], check=False)
                truth[f"report-{name}"[:15], ended.returncode] += 1
        sleeper = subprocess.Popen(["sleep", "1000"])
        os.kill(sleeper.pid, signal.SIGUSR1)
        truth["sleep", sleeper.wait()] += 1
        until(lambda: bool(exits(answers.store, names=["report-works"])))
        recorder.stop()
    assert truth == {
        ("report-fails", 3): TIMES,
        ("report-crashes", -signal.SIGSEGV): 2,
        ("report-works", 0): 4,
        ("sleep", -signal.SIGUSR1): 1,
    }
    words = [exitsnoop, "report", "--store", str(answers.store), "--since", f"@{begun:.6f}"]
    status, text, messages = run_command(words)
    assert (status in (os.EX_OK, os.EX_IOERR), messages) == (True, ""), messages
    said = " ".join(text.split())
    assert re.search(rf"report-fails\S*: {TIMES} times code 3 \(", said)
    assert re.search(r"report-crashes\S*: twice SIGSEGV to itself \(", said)
    assert re.search(r"1: \S+ -> sleep \(SIGUSR1\)", said)
    assert re.search(rf"report-fails\S*: {TIMES} deaths since", said)
    assert not re.search(r"report-works\S*: \S+ times", said)
    page = tmp_path / "page.html"
    assert run_command([*words, "-o", str(page)])[0] == status
    assert "report-fails" in page.read_text()
