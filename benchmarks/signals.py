"""What signals cost a process that handles them, with and without a tracer that finds causes."""

import contextlib
import os
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tables import table

from tools import EXITSNOOP

SOURCE = Path(__file__).with_name("signals.c")
KINDS = {
    "SIGSEGV: a fault, as a JVM takes them for null checks": "faults",
    "SIGURG from itself, as Go sends them": "23",
    "SIGPROF from itself": "27",
    "SIGTERM from itself": "15",
    "SIGPIPE that it ignores: a write to a closed pipe": "writes",
}


def signals(rounds: int, count: int) -> Iterator[str]:
    """Measure each kind in turn, without a tracer and with one."""
    with tempfile.TemporaryDirectory() as directory:
        program = f"{directory}/signals"
        subprocess.run(["cc", "-O2", "-o", program, SOURCE], check=True)
        alone: dict[str, list[float]] = {kind: [] for kind in KINDS}
        traced: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for _ in range(rounds):
            for kind in KINDS:
                alone[kind].append(_each_ns(program, kind, count))
            with _tracing():
                for kind in KINDS:
                    traced[kind].append(_each_ns(program, kind, count))
    rows = []
    for kind in KINDS:
        least, most = min(alone[kind]), min(traced[kind])
        middle = statistics.median(traced[kind]) - statistics.median(alone[kind])
        at_10_khz = f"{(most - least) * 10_000 / 1e9:.2%}"
        rows.append([kind, f"{least:.0f}", f"{most:.0f}", f"{most - least:.0f}", f"{middle:.0f}"])
        rows[-1].append(at_10_khz)
    titles = ["", "alone, ns", "with -w, ns", "more", "more, by medians", "at 10 kHz, of a CPU"]
    yield "### A signal that is handled\n\n" + table(titles, rows)


def _each_ns(program: str, kind: str, count: int) -> float:
    """Return how much CPU time one of the signals took the process."""
    return float(subprocess.check_output([program, KINDS[kind], str(count)], text=True))


@contextlib.contextmanager
def _tracing() -> Iterator[None]:
    ready, writer = os.pipe()
    command = [EXITSNOOP, "-w", "--json", "--ready-fd", str(writer)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, pass_fds=[writer]) as tracer:
        os.close(writer)
        with os.fdopen(ready) as pipe:
            pipe.readline()
        yield
        tracer.terminate()
