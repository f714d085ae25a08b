"""A recording of what really ends while a test runs, and what `exitsnoop why` says of it."""

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from exitsnoop import Tracer
from exitsnoop.model.fields import COLLECTED
from exitsnoop.store.writer import Writer

EVERY_FIELD = sorted({*COLLECTED} - {"cause"})


@contextlib.contextmanager
def flight(store: Path) -> Iterator[None]:
    """Record every exit, with all that can be known of it, while the block runs."""
    lost: list[int] = []

    def write(tracer: Tracer) -> None:
        writer = Writer(store)
        for batch in tracer.batches():
            writer.add(batch, lost=0)
        writer.commit()
        lost.append(writer.close() + tracer.lost)

    with Tracer(why=True, fields=EVERY_FIELD) as tracer:
        thread = threading.Thread(target=write, args=[tracer])
        thread.start()
        try:
            yield
        finally:
            tracer.stop()
            thread.join()
    assert lost == [0]


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
        sys.stdout.write(text)  # pytest shows it if the test fails
        return text

    def record(self, *words: object, status: int = 0) -> dict[str, Any]:
        """Return what it says to programs, after it has said it to people."""
        self.ask(*words, status=status)
        line = self._asked(["--json", *words], status)
        assert line.count("\n") == 1
        found: dict[str, Any] = json.loads(line)
        return found

    def _asked(self, words: Sequence[object], expected: int) -> str:
        status, text, messages = self._run(["why", "--store", str(self.store), *map(str, words)])
        assert (status, messages) == (expected, ""), (words, text, messages)
        return text


def run_command(words: list[str]) -> tuple[int, str, str]:
    """Run a command; return its status, its output, and its messages."""
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    return run.returncode, run.stdout, run.stderr
