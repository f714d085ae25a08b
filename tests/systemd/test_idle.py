"""The recorder on a machine where nothing happens for a while."""

import time
from pathlib import Path

from support.recorder import counters, is_asleep, recording
from support.service import COMMAND, put_in_place
from support.waiting import until

IDLE_S = 8
TRIES = 15


def forked() -> str:
    """Return how many processes there have been since the boot."""
    lines = Path("/proc/stat").read_text().splitlines()
    return next(line for line in lines if line.startswith("processes "))


def test_when_nothing_ends_nothing_is_done(store: Path) -> None:
    """No wake-up, no system call, no write, in eight seconds in which no process began or ended."""
    put_in_place()
    with recording(str(COMMAND), store) as recorder:
        for _ in range(TRIES):
            until(lambda: is_asleep(recorder.pid))
            known, begun = len(recorder.exits()), forked()
            before = counters(recorder.pid)
            time.sleep(IDLE_S)
            now = counters(recorder.pid)
            if (len(recorder.exits()), forked()) == (known, begun):
                break
        assert now == before
        assert recorder.stop() == 0
