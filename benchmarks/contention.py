"""What CPUs that share a ring cost one another: measured on two, simulated for many.

Measured is a record's reservation and submission (contention.bpf.c) with one CPU at work, and with
two, on one ring and on a ring each. Simulated is the queue for a ring's lock, which is handed out
in order of arrival: exits come at random, each takes the lock once for every record.
"""

import json
import os
import random
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
SIMULATED = 200_000


class Measured(NamedTuple):
    """Nanoseconds a record."""

    alone: float
    shared: float
    apart: float


def measure(cpus: Sequence[str], records: int) -> Measured:
    """Measure, in a mount namespace where a bpffs can be mounted.

    records: of each CPU; of 64 bytes each, in rings that are not read: at most 2 million.
    """
    with tempfile.TemporaryDirectory() as directory:
        built = f"{directory}/contention.o"
        include = subprocess.check_output(["cc", "-print-multiarch"], text=True).strip()
        clang = ["clang", "-g", "-O2", "-target", "bpf", "-mcpu=v3"]
        subprocess.run(
            [
                *(*clang, "-idirafter", f"/usr/include/{include}"),
                *("-c", HERE / "contention.bpf.c", "-o", built),
            ],
            check=True,
        )
        data = f"{directory}/data"
        Path(data).write_bytes(bytes(64))
        pins = f"{directory}/pins"
        os.mkdir(pins)
        subprocess.run(["mount", "-t", "bpf", "contention", pins], check=True)
        try:
            return Measured(
                _run(built, pins, data, "shared", cpus[:1], records),
                _run(built, pins, data, "shared", cpus[:2], records),
                _run(built, pins, data, "apart", cpus[:2], records),
            )
        finally:
            subprocess.run(["umount", pins], check=True)


def _run(built: str, pins: str, data: str, name: str, cpus: Sequence[str], records: int) -> float:
    """Return the nanoseconds that a program took on these CPUs at once, in rings of its own."""
    pinned = f"{pins}/{name}{len(cpus)}"
    subprocess.run(["bpftool", "prog", "loadall", built, pinned], check=True)
    tests = [
        subprocess.Popen(
            [
                *("taskset", "--cpu-list", cpu, "bpftool", "-j", "prog", "run"),
                *("pinned", f"{pinned}/{name}", "data_in", data, "repeat", str(records)),
            ],
            stdout=subprocess.PIPE,
        )
        for cpu in cpus
    ]
    took = [json.loads(test.communicate()[0])["duration"] for test in tests]
    for pin in os.listdir(pinned):
        os.unlink(f"{pinned}/{pin}")
    os.rmdir(pinned)
    return statistics.fmean(took)


def simulate(
    exits_per_s: float, records: int, rings: int, hold_ns: float
) -> tuple[float, float, float]:
    """Return the share of time that a ring's lock is held, and the wait for it: mean and 99 %, ns.

    Infinite if more is requested than can be handed out.
    """
    arrivals_per_ns = exits_per_s * records / rings / 1e9
    used = arrivals_per_ns * hold_ns
    if used >= 1:
        return used, float("inf"), float("inf")
    chance = random.Random(1)
    now = free_at = 0.0
    waits = []
    for _ in range(SIMULATED):
        now += chance.expovariate(arrivals_per_ns)
        waits.append(max(0.0, free_at - now))
        free_at = max(free_at, now) + hold_ns
    return used, statistics.fmean(waits), sorted(waits)[int(0.99 * len(waits))]
