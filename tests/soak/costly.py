"""What exitsnoop pays for processes whose arguments are costly to keep and to show.

    python tests/soak/costly.py SECONDS

100 of them a second, in each format; then 4,000 that live. Prints its CPU time, how long it took to
end, and its memory.
"""

import contextlib
import os
import re
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path[0] = str(Path(__file__).parents[1])  # not this folder, where soak is a module

from support.waiting import until  # noqa: E402

COSTLY = "\x01" * 16_000
RATE, LIVING = 100, 4000
FORMATS = (
    ["-a"],
    ["-a", "--csv"],
    ["-a", "--json"],
    ["-w", "-a", "-o", "+user,container,exe", "--json"],
)


@contextlib.contextmanager
def tracing(*options: str) -> Iterator["subprocess.Popen[str]"]:
    """Trace while the block runs, from its begin on."""
    exitsnoop = Path(sys.executable).with_name("exitsnoop")
    reading, writing = os.pipe()
    words = [str(exitsnoop), "--output", "/dev/null", "--ready-fd", str(writing), *options]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, pass_fds=[writing]) as tracer:
        os.close(writing)
        try:
            with open(reading) as ready:
                if ready.read() != "\n":
                    sys.exit(f"costly: it does not trace: {tracer.communicate()[1]}")
            yield tracer
        finally:
            tracer.kill()


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_kb(pid: int) -> int:
    (found,) = re.findall(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found)


def run_for(seconds: int) -> None:
    began = time.monotonic()
    for number in range(seconds * RATE):
        pid = os.posix_spawn("/bin/true", ["true", f"{COSTLY}{number}"], {})
        os.waitpid(pid, 0)
        select.select([], [], [], max(0, began + number / RATE - time.monotonic()))


def show_rates(seconds: int) -> None:
    for options in FORMATS:
        with tracing(*options) as tracer:
            before = cpu_s(tracer.pid)
            run_for(seconds)
            used = cpu_s(tracer.pid) - before
            told = time.monotonic()
            tracer.terminate()
            status = tracer.wait()
            ended_s = time.monotonic() - told
            print(  # noqa: T201
                f"{' '.join(options)}: {used:.2f} s of CPU in {seconds} s; "
                f"ended after {ended_s:.2f} s with {status}"
            )


def show_memory(rows: Path) -> None:
    with tracing("-a", "--json", "--output", str(rows)) as tracer:
        before = peak_kb(tracer.pid)
        children = []
        for number in range(LIVING):
            words = ["sh", "-c", "read line", f"{number:05}{COSTLY}"]
            children.append(subprocess.Popen(words, stdin=subprocess.PIPE))
        try:
            subprocess.run(["true", "the last"], check=True)
            until(lambda: '"the last"' in rows.read_text())  # all before it has been read, too
            print(f"{LIVING} living: {before} KB, then {peak_kb(tracer.pid)} KB")  # noqa: T201
        finally:
            for child in children:
                child.kill()
                child.communicate()


if __name__ == "__main__":
    show_rates(int(sys.argv[1]))
    with tempfile.TemporaryDirectory() as made:
        show_memory(Path(made, "rows"))
