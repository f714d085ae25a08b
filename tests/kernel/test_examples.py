"""The examples of the documents, replayed in a terminal."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = """\
<!-- terminal 120 -->
```console
# exitsnoop -w -- sh -c 'sh -c "exit 3"; exit 4'
PCOMM            PID    PPID   TID    AGE(s)  EXIT_CODE                     CAUSE
sh               14     12     14     0.00    code 3                        exit 3
sh               12     11     12     0.50    code 4                        exit 4
exitsnoop: 2 exits: 2 failed, 0 killed by a signal, 0 lost; slowest: sh[1] 0.01 s; biggest: sh[1] 1M
```
"""


def replay(exitsnoop: str, *words: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-B", ROOT / "tools" / "examples.py", "--command", exitsnoop, *words],
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if name != "NO_COLOR"},
    )


@pytest.mark.parametrize(
    "page", ["README.md", "docs/examples.md", "docs/why.md", "docs/recorder.md"]
)
def test_pages_show_what_a_terminal_shows(exitsnoop: str, page: str) -> None:
    result = replay(exitsnoop, "--check", ROOT / page)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("code 3 ", "code 5 "),
        ("exit 4\n", "exit 5\n"),
        ("CAUSE", "WHY"),
        (" 14     12  ", " 14     14  "),  # the parent
        ("2 failed", "1 failed"),
    ],
)
def test_a_page_that_shows_something_else_is_found_and_rewritten(
    exitsnoop: str, tmp_path: Path, old: str, new: str
) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    assert replay(exitsnoop, "--check", page).returncode == 0
    page.write_text(PAGE.replace(old, new, 1))
    result = replay(exitsnoop, "--check", page)
    assert (result.returncode, result.stderr) == (1, "")
    assert page.read_text() == PAGE.replace(old, new, 1)
    assert replay(exitsnoop, page).returncode == 0
    assert new not in page.read_text()
    assert replay(exitsnoop, "--check", page).returncode == 0
