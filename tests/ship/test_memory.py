"""`exitsnoop ship` takes no more memory for a long backlog than for a short one."""

import os
import subprocess
from pathlib import Path

from support.otlp import Handler, receiving
from support.recorded import record
from support.shipping import made

from exitsnoop.model.batch import Exits

PAGE = 500
ARGS_BYTES = 4000
MOST_MORE_KB = 6000
"""A quarter of what all arguments of the long backlog take."""


def page(nth: int) -> Exits:
    """Return a page of exits with long arguments."""
    exits = made(range(nth * PAGE + 1, (nth + 1) * PAGE + 1))
    return exits.replace(args=[("job", os.urandom(ARGS_BYTES // 2).hex()) for _ in exits])


def peak_kb(exitsnoop: str, store: Path, pages: int) -> int:
    """Deliver so many pages; return its peak of resident memory."""
    record(store, *map(page, range(pages)))
    peaks: list[int] = []

    def accept(handler: Handler) -> None:
        """Only look at who delivers, which waits for the answer."""
        status = Path(f"/proc/{process.pid}/status").read_text()
        peaks.append(int(status.partition("VmHWM:")[2].split()[0]))
        handler.send_response(200)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    state = store.with_name(f"{store.name}-state")
    words = ["ship", "--store", store, "--state", state, "--once", "--select", "all", "--args"]
    with receiving(*[accept] * pages * 10) as receiver:
        process = subprocess.Popen([exitsnoop, *map(str, words), "--otlp", receiver.url])
        assert process.wait() == 0
    assert len(peaks) >= pages
    return peaks[-1]


def test_a_long_backlog_takes_no_more_memory(exitsnoop: str, tmp_path: Path) -> None:
    short = peak_kb(exitsnoop, tmp_path / "short", 2)
    assert peak_kb(exitsnoop, tmp_path / "long", 12) - short < MOST_MORE_KB
