"""How far it is: on a terminal, for every verb that may take long over a large recording.

The report has its test in tests/pages.
"""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.recorded import OFFSET_NS, SECOND_NS, START_NS, exits, record

# As if it took long: what is shown after a second is shown at once, and as often as may be.
HASTY = """\
import sys
from exitsnoop.cli import main, progress
from exitsnoop.store import opening
progress._AFTER_S = progress._EVERY_S = 0
opening.INSTRUCTIONS = 500
sys.exit(main(sys.argv[1:]))
"""
FIRST_NS = OFFSET_NS + START_NS
END = f"--until=@{FIRST_NS // SECOND_NS}.002000000"  # of exit 2000
VERBS = {
    "past": ["past", END],
    "past --reverse": ["past", "--reverse", END],
    "why": ["why", "job5", "--all"],
    "sql": ["sql", "SELECT count(*) FROM exits"],
    "export": ["export", "COPY"],
    "timeline": ["timeline", "-o", "x.html", END],
}
LINE = re.compile(r"\r\033\[K(\d+ s so far; [^\r]+)")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("progress") / "store"
    record(path, exits(range(1, 2000)))
    return path


def started(recording: Path, folder: Path, verb: str, stderr: int) -> "subprocess.Popen[bytes]":
    words = VERBS[verb]
    command = [sys.executable, "-c", HASTY, words[0], "--store", str(recording), *words[1:]]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=stderr)


def on_terminal(recording: Path, folder: Path, verb: str) -> str:
    """Return what standard error gets, a terminal."""
    ours, theirs = pty.openpty()
    with started(recording, folder, verb, theirs):
        os.close(theirs)
        said = b""
        try:
            while part := os.read(ours, 65536):
                said += part
        except OSError:  # the other end is closed
            pass
    os.close(ours)
    return said.decode()


@pytest.mark.parametrize("verb", VERBS)
def test_a_terminal_shows_how_far_it_is(recording: Path, tmp_path: Path, verb: str) -> None:
    """The line is gone when something else is written, and at the end."""
    seen = on_terminal(recording, tmp_path, verb)
    assert LINE.search(seen)
    left = [line.rpartition("\r\033[K")[2] for line in seen.split("\n")]
    assert not [line for line in left if "so far" in line]


@pytest.mark.parametrize("verb", VERBS)
def test_a_pipe_gets_nothing(recording: Path, tmp_path: Path, verb: str) -> None:
    with started(recording, tmp_path, verb, subprocess.PIPE) as process:
        _, said = process.communicate()
    assert b"so far" not in said


@pytest.mark.parametrize("verb", ["past", "past --reverse", "timeline"])
def test_it_says_which_part_was_read(recording: Path, tmp_path: Path, verb: str) -> None:
    seen = on_terminal(recording, tmp_path, verb)
    parts = [int(part) for part in re.findall(r"read (\d+)% of that time", seen)]
    assert parts == sorted(parts)
    assert 0 <= parts[0] < parts[-1] <= 100
