"""How much memory `exitsnoop ship` takes for a backlog that is made up."""

import os
import subprocess
from pathlib import Path

from exitsnoop.model.batch import Exits
from support.otlp import Handler, receiving
from support.recorded import record
from support.shipping import made

PAGE = 500


def _page(nth: int, args_bytes: int) -> Exits:
    """Return a page of exits, with arguments of that length, which do not compress well."""
    exits = made(range(nth * PAGE + 1, (nth + 1) * PAGE + 1))
    if not args_bytes:
        return exits
    return exits.replace(args=[("job", os.urandom(args_bytes // 2).hex()) for _ in exits])


def peak_kb(exitsnoop: str, store: Path, pages: int, args_bytes: int) -> int:
    """Deliver so many pages, with their arguments if any; return its peak of resident memory."""
    record(store, *(_page(nth, args_bytes) for nth in range(pages)))
    peaks: list[int] = []

    def accept(handler: Handler) -> None:
        """Only look at who delivers, which waits for the answer."""
        status = Path(f"/proc/{process.pid}/status").read_text()
        peaks.append(int(status.partition("VmHWM:")[2].split()[0]))
        handler.send_response(200)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    state = store.with_name(f"{store.name}-state")
    words = ["ship", "--store", store, "--state", state, "--once", "--select", "all"]
    words += ["--args"] * bool(args_bytes)
    with receiving(*[accept] * pages * 10) as receiver:
        process = subprocess.Popen([exitsnoop, *map(str, words), "--otlp", receiver.url])
        assert process.wait() == 0
    assert len(peaks) >= pages
    return peaks[-1]
