"""In a guest: step the clock while exits are traced; print the times that they got, as JSON.

The same then with a recorder.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from datetime import datetime
from signal import SIGCONT, SIGSTOP
from typing import Any

from vm.recorded_clock import recorded
from vm.stepping import HOUR_NS, Child, offset_ns, step

WORDS = ["-c", "from exitsnoop.cli import main; main()", "--json", "-o", "time,boot_ns,pid,age"]


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
    print(json.dumps({"status": status, "exits": results, "recorded": recorded()}))  # noqa: T201 - to the host


main()
