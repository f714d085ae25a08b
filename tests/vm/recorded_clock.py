"""In a guest: step the clock while a recorder is at work; what it then answers."""

import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from typing import Any

from vm.stepping import HOUR_NS, Child, offset_ns, step

from exitsnoop.cli import main

STORE = "/tmp/recording"
RECORD = ["-c", "from exitsnoop.cli import main; main()", "record", "--store", STORE]
PATIENCE_S = 60
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


def recorded() -> dict[str, Any]:
    """Step the clock under a recorder, and after its end; return what the recording says."""
    recorder = subprocess.Popen([sys.executable, *RECORD], stderr=subprocess.PIPE, text=True)
    assert recorder.stderr
    recorder.stderr.readline()  # it records
    children: list[Child] = []
    told = {"before": stage(children)}
    step(HOUR_NS)
    told["forward"] = stage(children)
    step(-HOUR_NS)
    told["back"] = stage(children)
    recorder.terminate()
    recorder.wait()
    step(HOUR_NS)
    told["stopped"] = answers(children[0])
    return told
