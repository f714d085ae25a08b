"""Tables of what a row and a recorded exit cost: decoded again, live, and in a storm that lasts."""

import re
import subprocess
import tempfile
import time
from collections.abc import Iterator

import replay
from measure import Run
from streams import LOADS, record, script

from tools import ALL, RECORD, TOOLS

US = 1e3
RATE = 30_000


def table(titles: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def replays(program: str, count: int, rounds: int) -> Iterator[str]:
    """Decode recorded streams again; see replay.py."""
    streams = {load: record(load, program, count) for load in LOADS}
    costs = replay.costs(streams, rounds)
    sizes = {load: replay.bytes_on_disk(parts) for load, parts in streams.items()}
    titles = ["load", "decoded", "and written as JSON", "and recorded", "bytes on disk an exit"]
    yield "### Recorded streams with every field and the cause: CPU us an exit\n\n" + table(
        titles,
        [
            [load, *(f"{us:.1f}" for us in found.values()), f"{sizes[load]:.0f}"]
            for load, found in costs.items()
        ],
    )


def live(program: str, count: int) -> Iterator[str]:
    """Run loads at their own pace beside the two that collect all."""
    rows = []
    for load in ("shell", "make"):
        for tool in TOOLS:
            if tool.name not in (ALL, RECORD):
                continue
            run = Run(tool, program, [])
            before, started = run.cpu_ns(), time.monotonic()
            subprocess.run(["/bin/sh", "-c", script(load, program, count)], check=True)
            rate = count / (time.monotonic() - started)
            time.sleep(2)  # until all is written
            cost = run.cpu_ns() - before
            run.end()
            what = tool.name.removeprefix("exitsnoop ")
            rows.append([load, what, f"{rate:.0f}", f"{cost / run.all_rows / US:.1f}"])
    yield "### At their own pace: CPU us an exit, of the tool's process\n\n" + table(
        ["load", "tool", "exits a second", "us an exit"], rows
    )


def recorder(program: str, seconds: int) -> Iterator[str]:
    """Record a storm that lasts."""
    (tool,) = (tool for tool in TOOLS if tool.name == RECORD)
    run = Run(tool, program, [])
    time.sleep(2)
    cpu, started = run.cpu_ns(), time.monotonic()
    since_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    with tempfile.TemporaryFile() as told:
        paced = [program, "paced", str(RATE * seconds), str(RATE)]
        subprocess.run(paced, stdout=told, check=True)
        took = time.monotonic() - started
        told.seek(0)
        ended = sum(1 for _ in told)
    time.sleep(3)
    cost = run.cpu_ns() - cpu
    peak, now = run.memory()
    run.process.terminate()
    run.process.wait()
    counted = _count(run, since_ns)
    lost = re.findall(r"(\d+) exits? (?:was|were) lost in all", run.said())
    run.end()
    yield f"### The recorder in a storm of {seconds} s\n\n" + table(
        [
            "exits by waitpid",
            "a second",
            "recorded of them",
            "said lost",
            "CPU us an exit",
            "memory, MB (peak)",
        ],
        [
            [
                f"{ended:,}",
                f"{ended / took:,.0f}",
                f"{counted:,}",
                lost[0] if lost else "0",
                f"{cost / run.all_rows / US:.2f}",
                f"{now / 1e6:.1f} ({peak / 1e6:.1f})",
            ]
        ],
    )


def _count(run: Run, since_ns: int) -> int:
    """Return how many exits of the program exits.c were recorded since a time."""
    query = f"SELECT count(*) FROM exits WHERE parent_comm = 'exits' AND boot_ns > {since_ns}"
    command = [run.tool.command[0], "sql", query, "--store", run.store, "--csv"]
    return int(subprocess.check_output(command, text=True).split()[-1])
