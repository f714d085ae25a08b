"""In a guest: step the clock while exits are traced; print the times that they got, as JSON."""

import contextlib
import json
import os
import subprocess
import sys
import time
from datetime import datetime
from signal import SIGCONT, SIGSTOP
from typing import Any

WORDS = ["-c", "from exitsnoop.cli import main; main()", "--json", "-o", "time,boot_ns,pid,age"]
HOUR_NS = 3600 * 10**9


def offset_ns() -> int:
    """Return what the wall clock is ahead of the boot clock, now."""
    return time.clock_gettime_ns(time.CLOCK_REALTIME) - time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def step(ns: int) -> None:
    now = time.clock_gettime_ns(time.CLOCK_REALTIME)
    time.clock_settime_ns(time.CLOCK_REALTIME, now + ns)


class Child:
    """A process that ends when told to; how long it lived, in seconds, at least and at most."""

    def __init__(self) -> None:
        self._before = time.clock_gettime(time.CLOCK_BOOTTIME)
        self._process = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
        self._after = time.clock_gettime(time.CLOCK_BOOTTIME)
        self.pid = self._process.pid

    def end(self) -> tuple[float, float]:
        ending = time.clock_gettime(time.CLOCK_BOOTTIME)
        self._process.communicate()
        ended = time.clock_gettime(time.CLOCK_BOOTTIME)
        return ending - self._after, ended - self._before


def is_attached(pid: int) -> bool:
    fds = f"/proc/{pid}/fd"
    with contextlib.suppress(FileNotFoundError):  # closed meanwhile
        return any("bpf_link" in os.readlink(f"{fds}/{fd}") for fd in os.listdir(fds))
    return False


def main() -> None:
    tracer = subprocess.Popen([sys.executable, *WORDS], stdout=subprocess.PIPE, text=True)
    assert tracer.stdout
    rows = tracer.stdout

    def told(child: Child, lived: tuple[float, float]) -> dict[str, Any]:
        while True:
            row = json.loads(rows.readline())
            if row["pid"] == child.pid:
                break
        at = datetime.fromisoformat(row["time"].replace("Z", "+00:00"))
        wall_ns = round(at.timestamp() * 10**6) * 1000
        return {
            "off_ms": (wall_ns - row["boot_ns"] - offset_ns()) / 1e6,
            "age": row["age"],
            "lived": lived,
        }

    def ended(child: Child) -> dict[str, Any]:
        return told(child, child.end())

    while not is_attached(tracer.pid):
        time.sleep(0.1)
    old = Child()
    results = {"before": ended(Child())}
    step(HOUR_NS)
    results["right after"] = ended(Child())
    step(-48 * HOUR_NS)
    results["after a step back"] = ended(Child())
    tracer.send_signal(SIGSTOP)
    os.waitid(os.P_PID, tracer.pid, os.WSTOPPED)
    unread = Child()
    lived = unread.end()
    step(2 * HOUR_NS)
    tracer.send_signal(SIGCONT)
    results["read after the step"] = told(unread, lived)
    results["lived through them"] = ended(old)
    tracer.terminate()
    status = tracer.wait()
    print(json.dumps({"status": status, "exits": results}))  # noqa: T201 - to the host


main()
