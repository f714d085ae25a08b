"""In a guest: step the clock while a recorder is at work; what it then answers."""

import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from typing import Any

from vm.stepping import HOUR_NS, YEAR_NS, Child, offset_ns, step

from exitsnoop.cli import main
from exitsnoop.store.recording import Recording

STORE = "/tmp/recording"
# Only the children are recorded, not what asks the recording.
RECORD = ["-c", "from exitsnoop.cli import main; main()", "record", "--store", STORE, "-n", "sh"]
PATIENCE_S = 60
FOLLOWS_S = 20
FAILS = ("sh", "-c", "read -r line; exit 3")


def ask(*words: str) -> str:
    """Run exitsnoop in a process of its own, but not in a new Python, which starts slowly here."""
    with tempfile.TemporaryFile("w+") as out:
        pid = os.fork()
        if not pid:
            os.dup2(out.fileno(), 1)
            os._exit(main([*words, "--store", STORE]))
        os.waitpid(pid, 0)
        out.seek(0)
        return out.read()


def rows(*words: str) -> dict[int, dict[str, Any]]:
    """Return the rows of `past`, by PID."""
    told = map(json.loads, ask("past", "--json", *words).splitlines())
    return {row["pid"]: row for row in told if "pid" in row}


def at(seconds: float) -> str:
    """Return a time of the boot clock as the wall clock calls it now."""
    wall = seconds + offset_ns() / 1e9
    return datetime.fromtimestamp(wall, timezone.utc).isoformat().replace("+00:00", "Z")


def stage(children: list[Child]) -> dict[str, Any]:
    """Have another child fail; return what the recording says of all that did.

    `off_s` says how far the time of each is off at least: less than 0 if it may be right.
    """
    child = Child(FAILS)
    children.append(child)
    child.end()
    end = time.monotonic() + PATIENCE_S
    while child.pid not in (found := rows("-o", "time,pid,age")):
        assert time.monotonic() < end, "it was not recorded"
    off_s = []
    for one in children:
        told = datetime.fromisoformat(found[one.pid]["time"].replace("Z", "+00:00")).timestamp()
        least, most = (seconds + offset_ns() / 1e9 for seconds in one.ended)
        off_s.append(max(least - told, told - most))
    pids = [one.pid for one in children]
    ended = at(child.ended[0])
    since, until = rows("--since", ended), rows("--until", ended)
    return {
        "pids": pids,
        "off_s": off_s,
        "ages": [found[pid]["age"] for pid in pids],
        "since": [pid for pid in pids if pid in since],
        "until": [pid for pid in pids if pid in until],
        **answers(children[0]),
    }


def answers(child: Child) -> dict[str, Any]:
    """Return what it says of a death and of itself, as JSON and as text."""
    return {
        "now": at(time.clock_gettime(time.CLOCK_BOOTTIME)),
        "why": json.loads(ask("why", str(child.pid), "--json")),
        "status": json.loads(ask("record", "--status", "--json")),
        "text": ask("why", str(child.pid)) + ask("record", "--status"),
    }


def begun_ns() -> int:
    """Return when the recording began, as it says now. Nothing ends for that."""
    return Recording(STORE).recorded()[-1].from_ns


def stepped(children: list[Child], ns: int) -> dict[str, Any]:
    """Step the clock; return what it says before another child ends, and after that.

    `off_s` is what the recording had not followed of the step when nothing had ended yet.
    """
    before_ns = begun_ns()
    step(ns)
    end = time.monotonic() + FOLLOWS_S
    while (off_ns := begun_ns() - before_ns - ns) and time.monotonic() < end:
        if abs(off_ns) < abs(ns) // 2:
            break
        time.sleep(0.1)
    return {"idle": {"off_s": off_ns / 1e9, **answers(children[0])}, **stage(children)}


def recorded() -> dict[str, Any]:
    """Step the clock under a recorder, and after its end; return what the recording says."""
    recorder = subprocess.Popen([sys.executable, *RECORD], stderr=subprocess.PIPE, text=True)
    assert recorder.stderr
    recorder.stderr.readline()  # it records
    children: list[Child] = []
    told = {"before": stage(children)}
    told["forward"] = stepped(children, HOUR_NS)
    told["back"] = stepped(children, -HOUR_NS)
    told["years"] = stepped(children, 20 * YEAR_NS)  # as NTP does after a boot
    recorder.terminate()
    recorder.wait()
    step(HOUR_NS)
    told["stopped"] = answers(children[0])
    step(-3 * HOUR_NS)
    told["stopped ahead"] = answers(children[-1])
    return told
