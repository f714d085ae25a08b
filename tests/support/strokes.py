"""Many processes that end at the same moment (strokes.c), and what the tracer made of them."""

import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from exitsnoop import Exit
from support.truth import recorded

Told = dict[int, int]
"""PID -> the status that waitpid gave."""


def stroke(program: Path, *words: object) -> tuple[int, Told]:
    """Run it; return its PID, and what it told."""
    with subprocess.Popen(
        [program, *map(str, words)], stdout=subprocess.PIPE, text=True
    ) as process:
        output, _ = process.communicate()
    assert process.returncode == 0
    return process.pid, told(output)


def told(output: str) -> Told:
    """Return what it told."""
    pairs = [line.split() for line in output.splitlines() if line != "ready"]
    return {int(pid): int(status) for pid, status in pairs}


def on_each(cpus: Sequence[int], program: Path, what: str, count: int, *more: object) -> None:
    """Do it on these CPUs at the same time, and check that each end was reported once, as it was.

    Of what was killed, that process is the sender; of the OOM killer's victims, figures are known.
    """
    strokes = []
    with recorded(why=True) as exits:
        running = [
            subprocess.Popen(
                [program, what, str(cpu), str(count), *map(str, more)],
                stdout=subprocess.PIPE,
                text=True,
            )
            for cpu in cpus
        ]
        for process in running:
            output, _ = process.communicate()
            strokes.append((process.pid, told(output)))
    for pid, ends in strokes:
        assert len(ends) == count
        check(exits, pid, ends, "oom" if what == "oom" else what)


def check(exits: Sequence[Exit], sender: int, ends: Told, what: str) -> None:
    """Check that each of these ends was reported once, with its status and its cause.

    Only children of the sender count: a process that ended before may have had one of these PIDs.
    """
    found = [ended for ended in exits if ended.ppid == sender]
    times = Counter(ended.pid for ended in found)
    assert times.keys() == ends.keys(), f"differs: {times.keys() ^ ends.keys()}"
    assert set(times.values()) == {1}, f"more than once: {times.most_common(5)}"
    assert {ended.pid: ended.status for ended in found} == ends
    for ended in found:
        cause = ended.cause
        assert cause
        if what == "exit":
            assert cause.text == "exit 7"
        elif what == "oom":
            assert (cause.kind, bool(cause.oom and cause.oom.anon)) == ("oom", True), cause
        else:
            assert cause.kind == "killed", cause
            assert cause.sender
            assert cause.sender.pid == sender
