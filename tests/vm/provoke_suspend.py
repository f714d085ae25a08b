"""In a guest: suspend the machine while a recorder is at work; print what it recorded, as JSON.

    provoke_suspend.py ROOT      ROOT is a directory that has all that is needed, with its paths

The guest's files come from a device that cannot be suspended. So this goes on in memory, without
that device.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

MEMORY = Path("/memory")
STORE = "/store"
ALARM = Path("/sys/class/rtc/rtc0/wakealarm")
DRIVER = Path("/sys/bus/virtio/drivers/virtiofs")
SUSPENDED_S = 5
WORDS = ["-c", "from exitsnoop.cli import main; raise SystemExit(main())"]


def go_into_memory(root: str) -> None:
    """Run this again where all files are in memory."""
    MEMORY.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "memory", MEMORY], check=True)
    subprocess.run(["cp", "-a", f"{root}/.", MEMORY], check=True)
    for name in ("proc", "sys", "dev"):
        (MEMORY / name).mkdir()
        subprocess.run(["mount", "--rbind", f"/{name}", MEMORY / name], check=True)
    os.chroot(MEMORY)
    os.chdir("/")
    os.execv(sys.executable, [sys.executable, "-B", __file__])


def suspended_s() -> float:
    """Return for how long the machine has been suspended: only one of these clocks goes on then."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)


def suspend() -> None:
    """Suspend to RAM until the clock's alarm."""
    for device in DRIVER.glob("virtio*"):
        (DRIVER / "unbind").write_text(device.name)
    ALARM.write_text(f"+{SUSPENDED_S}")
    Path("/sys/power/state").write_text("mem")


class Child:
    """A process that ends with a code when told to."""

    def __init__(self) -> None:
        self._before = time.clock_gettime(time.CLOCK_BOOTTIME)
        self._process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        self._after = time.clock_gettime(time.CLOCK_BOOTTIME)
        self.pid = self._process.pid

    def end(self) -> dict[str, Any]:
        """End it; return how long it lived, and when it ended, each at least and at most."""
        not_before_ns = time.time_ns()
        ending = time.clock_gettime(time.CLOCK_BOOTTIME)
        self._process.communicate()  # at the end of the file, with a traceback
        ended = time.clock_gettime(time.CLOCK_BOOTTIME)
        return {
            "pid": self.pid,
            "lived": (ending - self._after, ended - self._before),
            "ended_ns": (not_before_ns, time.time_ns()),
        }


def exitsnoop(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, *WORDS, *words], stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


def main() -> None:
    recorder = subprocess.Popen(
        [sys.executable, *WORDS, "record", "--store", STORE], stderr=subprocess.PIPE, text=True
    )
    assert recorder.stderr
    recorder.stderr.readline()  # it records
    old, first = Child(), Child()
    before = first.end()
    slept = suspended_s()
    suspend()
    slept = suspended_s() - slept
    lived_through = old.end()
    after = Child().end()
    recorder.terminate()
    recorder.wait()
    rows = exitsnoop("past", "--store", STORE, "--json", "-o", "time,pid,age")
    told = {
        "slept": slept,
        "exits": {"before": before, "lived through it": lived_through, "after": after},
        "rows": [json.loads(row) for row in rows.splitlines()],
        "why": json.loads(exitsnoop("why", str(old.pid), "--store", STORE, "--json")),
    }
    print(json.dumps(told))  # noqa: T201 - to the host


if len(sys.argv) > 1:
    go_into_memory(sys.argv[1])
main()
