"""`exitsnoop ship` takes no more memory for a long backlog than for a short one."""

import os
import re
import subprocess
import sys
from pathlib import Path

from support.ship_memory import peak_kb

ROOT = Path(__file__).parents[2]
ARGS_BYTES = 4000
MOST_MORE_KB = 6000
"""A quarter of what all arguments of the long backlog take."""


def test_a_long_backlog_takes_no_more_memory(exitsnoop: str, tmp_path: Path) -> None:
    short = peak_kb(exitsnoop, tmp_path / "short", 2, ARGS_BYTES)
    assert peak_kb(exitsnoop, tmp_path / "long", 12, ARGS_BYTES) - short < MOST_MORE_KB


def test_the_benchmark_says_the_peak_of_each_backlog() -> None:
    printed = subprocess.run(
        [sys.executable, "-B", ROOT / "benchmarks" / "shipping.py", "1000"],
        env=os.environ | {"PYTHONPATH": str(ROOT / "tests")},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    rows = re.findall(r"(?m)^([\d,]+) exits, (.+): (\d+) MB$", printed)
    assert [(count, of) for count, of, _ in rows] == [
        ("1,000", "no arguments"),
        ("1,000", "arguments of 4 KB"),
        ("1,000", "arguments of 16 KB"),
    ]
    assert all(10 < int(peak) < 200 for _, _, peak in rows)
