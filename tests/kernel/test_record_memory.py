"""Memory that a burst took from `exitsnoop record` goes back to the system."""

import re
import subprocess
from pathlib import Path

from support.machine import some
from support.recorder import recording
from support.waiting import until

CROWD = some(1500)
ARGUMENTS = ["0." + "0" * 60] * 64  # 4 KB, which are kept while the process lives


def resident(pid: int) -> int:
    """Return the bytes that a process has in memory."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) << 10


def test_what_was_kept_of_a_crowd_is_given_back(exitsnoop: str, store: Path) -> None:
    """It is given back as others end: nothing wakes the recorder for that."""
    with recording(exitsnoop, store) as recorder:
        before = resident(recorder.pid)
        crowd = [subprocess.Popen(["sleep", str(1000 + n), *ARGUMENTS]) for n in range(CROWD)]
        most = CROWD * len(" ".join(ARGUMENTS))
        until(lambda: resident(recorder.pid) - before > most // 2)
        peak = resident(recorder.pid)
        for one in crowd:
            one.kill()
        for one in crowd:
            one.wait()

        def given_back() -> bool:
            subprocess.run(["true"], check=True)
            return peak - resident(recorder.pid) > most // 3

        until(given_back)
        assert recorder.stop() == 0
