"""The benchmarks run, small, and count rows against the truth; nothing is judged by time."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.machine import need

pytestmark = pytest.mark.timeout(900)  # every part of them runs once
ROOT = Path(__file__).parents[2]
SMALL = (
    "--rounds 1 --starts 1 --idle 1 --exits 2000 --flood 2000 --latencies 10 --records 20000 "
    "--tools exitsnoop --replayed 200 --seconds 1 --signals 100"
)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    need(os.geteuid() == 0, "the benchmarks need root")
    need(os.path.exists("/usr/sbin/exitsnoop"), "the peer of the benchmarks is libbpf-tools")
    document = tmp_path_factory.mktemp("bench") / "performance.md"
    document.write_text("before\n<!-- made by make bench -->old<!-- end -->\nafter\n")
    subprocess.run(
        [
            *(ROOT / "tools" / "with-tracefs", sys.executable, "-B"),
            ROOT / "benchmarks" / "bench.py",
            *SMALL.split(),
            *("--document", document),
        ],
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return document.read_text()


def test_tracefs_is_there_whether_the_machine_mounts_it() -> None:
    """One inside another: systemd mounts it at the same place."""
    need(os.geteuid() == 0, "mounting needs root")
    with_tracefs = ROOT / "tools" / "with-tracefs"
    look = ["test", "-d", "/sys/kernel/tracing/events/sched"]
    subprocess.run([with_tracefs, *look], check=True)
    subprocess.run([with_tracefs, with_tracefs, *look], check=True)


def test_the_tables_take_the_place_of_the_old_ones(report: str) -> None:
    assert report.startswith("before\n<!-- made by make bench -->\n\n20")
    assert report.endswith("\n\n<!-- end -->\nafter\n")
    assert "old" not in report.split()


def test_every_tool_has_its_figures(report: str) -> None:
    storms = [line for line in report.splitlines() if re.match(r"\| (libbpf|exitsnoop)", line)]
    names = {line.split(" | ")[0] for line in storms}
    assert {"| libbpf-tools exitsnoop", "| exitsnoop", "| exitsnoop --json"} <= names
    assert len(storms) == 7 + 5 + 3 + 2 * 4
    assert "nan" not in report


def test_no_row_of_ours_is_missing(report: str) -> None:
    """As each table that counts rows says itself."""
    (whole,) = re.findall(r"\| exitsnoop \|.*\| (.*?) \| - \|\n", report.split("###")[1])
    assert whole == "all"
    floods = re.findall(
        r"\| exitsnoop[^|]* \| ([\d,]+) (?:processes|threads) \|.*\| ([\d,]+) \| -", report
    )
    assert len(floods) == 6
    for exits, rows in floods:
        assert exits == rows


def test_the_recorder_keeps_all_of_a_storm(report: str) -> None:
    (ended, kept) = re.findall(r"\| ([\d,]+) \| [\d,]+ \| ([\d,]+) \| 0 \|", report)[0]
    assert ended == kept == "30,000"


def test_every_load_is_replayed(report: str) -> None:
    rows = re.findall(r"^\| (vfork|shell|make|deaths) \|(?: [\d.]+ \|){4}$", report, re.M)
    assert rows == ["vfork", "shell", "make", "deaths"]


def test_what_signals_cost(report: str) -> None:
    kinds = [line for line in report.splitlines() if re.match(r"\| SIG(SEGV|URG|PROF|TERM)", line)]
    assert len(kinds) == 4
