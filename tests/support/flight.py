"""What `exitsnoop why` says of what really ended while a test ran."""

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from support.recorder import Recorder, recording


@contextlib.contextmanager
def flight(command: str, store: Path) -> Iterator[Recorder]:
    """Record every exit while the block runs, unless it stops the recorder itself."""
    with recording(command, store) as recorder:
        yield recorder
        if recorder.process.poll() is None:
            # Exits of other processes may be lost while the machine does much else.
            assert recorder.stop() in (os.EX_OK, os.EX_IOERR), recorder.errors


Flight = Callable[[], AbstractContextManager[Recorder]]
"""The same for the recording that a test asks."""


class Answers:
    """What `exitsnoop why` says of a recording.

    Args:
        store: the recording.
        run: runs exitsnoop with these words; returns its status, its output, and its messages.
    """

    def __init__(self, store: Path, run: Callable[[list[str]], tuple[int, str, str]]) -> None:
        self.store = store
        self._run = run

    def ask(self, *words: object, status: int = 0) -> str:
        """Return what it says to people, which fits into 80 columns."""
        text = self._asked(words, status)
        assert max(map(len, text.splitlines())) <= 80, text
        assert not re.search(r"\d\n +(?:us|ms|s|min|h|d)\b", text), text
        sys.stdout.write(text)  # pytest shows it if the test fails
        return text

    def record(self, *words: object, status: int = 0) -> dict[str, Any]:
        """Return what it says to programs, after it has said it to people."""
        return self.both(*words, status=status)[1]

    def both(self, *words: object, status: int = 0) -> tuple[str, dict[str, Any]]:
        """Return what it says to people, and to programs."""
        text = self.ask(*words, status=status)
        line = self._asked(["--json", *words], status)
        assert line.count("\n") == 1
        return text, json.loads(line)

    def _asked(self, words: Sequence[object], expected: int) -> str:
        status, text, messages = self._run(["why", "--store", str(self.store), *map(str, words)])
        assert (status, messages) == (expected, ""), (words, text, messages)
        return text


def run_command(words: list[str]) -> tuple[int, str, str]:
    """Run a command; return its status, its output, and its messages."""
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    return run.returncode, run.stdout, run.stderr
