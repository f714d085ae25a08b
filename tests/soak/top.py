"""What `exitsnoop top` costs at 100 exits a second, and until it shows something: top.py SECONDS.

Needs root. It traces by itself, and so has a recorder of its own; each is given alone.
"""

import os
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.screens import Screen, screen
from support.supervisor import children_of

EVERY_S = 0.01


def main() -> None:
    """Measure, and print."""
    seconds = float(sys.argv[1])
    command = [str(Path(sys.executable).with_name("exitsnoop")), "top", "--by", "executable"]
    with tempfile.TemporaryDirectory(prefix="exitsnoop-soak-") as name:
        began = time.monotonic()
        with screen(Path(name), command, {"EXITSNOOP_STORE": f"{name}/none"}) as shown:
            shown.wait("exitsnoop top")
            sys.stdout.write(f"first screen after {time.monotonic() - began:.2f} s, with tmux\n")
            shown.wait(" ended, ")
            sys.stdout.write(f"first counts after {time.monotonic() - began:.2f} s\n")
            _measure(shown, seconds)


def _measure(shown: Screen, seconds: float) -> None:
    (top,) = children_of(shown.pid)
    (recorder,) = children_of(top)
    ended = threading.Event()
    load = threading.Thread(target=_load, args=(ended,))
    load.start()
    before, began = [_cpu_s(pid) for pid in (top, recorder)], time.monotonic()
    ended.wait(seconds)
    took = time.monotonic() - began
    for name, pid, used in zip(("top", "its recorder"), (top, recorder), before, strict=True):
        sys.stdout.write(f"{name}: {100 * (_cpu_s(pid) - used) / took:.2f} % of a CPU\n")
    ended.set()
    load.join()


def _load(ended: threading.Event) -> None:
    due = time.monotonic()
    while not ended.is_set():
        os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
        due += EVERY_S
        time.sleep(max(0, due - time.monotonic()))


def _cpu_s(pid: int) -> float:
    """Return the CPU time of all threads of a process, in seconds."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


main()
