"""In a guest, where nothing else ends: what a recorder does meanwhile; printed as JSON."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from support.recorder import Recorder, counters, is_asleep, recording
from support.waiting import until

STORE = Path("/disk/recording")
IDLE_S = 30
COMMAND = (sys.executable, "-B", "-m")


def state(recorder: Recorder) -> dict[str, Any]:
    """Return how often it ran, and what is on disk, when it has nothing to do."""
    until(lambda: is_asleep(recorder.pid))
    files = {path.name: path.stat() for path in sorted(STORE.iterdir())}
    return {
        "counters": counters(recorder.pid),
        "files": {name: (stat.st_size, stat.st_mtime_ns) for name, stat in files.items()},
    }


def main() -> None:
    with recording("exitsnoop", STORE, prefix=COMMAND) as recorder:
        for code in (0, 3):
            subprocess.run(["sh", "-c", f"exit {code}"], check=False)
        until(lambda: [ended.status for ended in recorder.exits()][-2:] == [0, 3 << 8])
        while True:
            rows, before = len(recorder.exits()), state(recorder)
            time.sleep(IDLE_S)
            after = state(recorder)
            if len(recorder.exits()) == rows:  # no thread of the kernel has ended
                break
        told = {"rows": rows, "before": before, "after": after, "status": recorder.stop()}
    print(json.dumps(told))  # noqa: T201 - to the host


main()
