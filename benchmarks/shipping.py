"""How much memory `exitsnoop ship --otlp` has resident at its peak, by what waits for delivery.

    make bench-ship
    PYTHONPATH=tests python benchmarks/shipping.py [EXITS]      at most so many; 100,000

The exits are made up. The receiver accepts each request, and reads the peak of the process that
waits for its answer.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from support.ship_memory import PAGE, peak_kb

BACKLOGS = ((100_000, 0), (10_000, 4), (10_000, 16))
"""Exits, and how many KB of arguments each of them has."""


def main() -> None:
    """Print a line for each backlog."""
    most = int(sys.argv[1]) if len(sys.argv) > 1 else max(exits for exits, _ in BACKLOGS)
    command = str(Path(sys.executable).with_name("exitsnoop"))
    for count, kb in BACKLOGS:
        exits = min(count, most)
        directory = Path(tempfile.mkdtemp())
        try:
            peak = peak_kb(command, directory / "store", exits // PAGE, kb * 1000)
        finally:
            shutil.rmtree(directory)
        of = f"arguments of {kb} KB" if kb else "no arguments"
        print(f"{exits:,} exits, {of}: {peak * 1024 / 1e6:.0f} MB", flush=True)


main()
