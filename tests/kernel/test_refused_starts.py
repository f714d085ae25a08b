"""Traces that never start: in words, with their status, and without touching anything."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import COLUMNS, UNPRIVILEGED, parse_row, run, tracing

EVERYTHING = ["-wa", "-o", "+exe,user,ancestors,cgroup,max_rss"]


def test_the_file_is_left_as_it_was(exitsnoop: str, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("precious")
    kept.chmod(0o666)
    with subprocess.Popen(["true"]) as gone:
        pass
    for words, prefix, status in (
        (["-p", str(gone.pid)], [], 2),
        ([], UNPRIVILEGED, 77),
        (["--", "true"], UNPRIVILEGED, 77),
        ([], ["prlimit", "--nofile=10"], 70),
    ):
        result = run(exitsnoop, "--output", str(kept), *words, prefix=prefix)
        assert (result.returncode, result.stdout) == (status, "")
        assert kept.read_text() == "precious"


def test_a_trace_that_starts_empties_the_file(exitsnoop: str, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("from before " * 1000)
    assert run(exitsnoop, "--output", str(kept), "--", "true").returncode == 0
    header, row = kept.read_text().splitlines()
    assert (header, parse_row(row).comm) == (COLUMNS, "true")


@pytest.mark.parametrize("words", [["--", "true"], ["record", "--store", "{tmp}/store"]])
def test_too_small_files(exitsnoop: str, tmp_path: Path, words: list[str]) -> None:
    """Tracing takes a file in memory. The limit is to blame, not the kernel's types."""
    words = [word.format(tmp=tmp_path) for word in words]
    refused = run(exitsnoop, *words, prefix=["prlimit", "--fsize=0:0"])
    assert refused.returncode == 70
    assert "`ulimit -f unlimited`, or in a service with LimitFSIZE=infinity" in refused.stderr


@pytest.mark.parametrize("options", [[], EVERYTHING], ids=["plain", "everything"])
@pytest.mark.parametrize("form", ["pid", "command"])
def test_too_few_files(exitsnoop: str, tmp_path: Path, options: list[str], form: str) -> None:
    """From the first limit at which Python itself runs to the first at which tracing works."""
    made = tmp_path / "made"
    words = ["--", "touch", str(made)] if form == "command" else ["-p", str(os.getpid())]
    python = [sys.executable, "-c", "import select, _socket"]
    refused = 0
    for limit in range(3, 100):
        prefix = ["prlimit", f"--nofile={limit}:{limit}"]
        if run(*python, prefix=prefix).returncode:
            continue
        with tracing(exitsnoop, *options, *words, prefix=prefix) as tracer:
            if tracer.header:
                break
            errors = tracer.errors()
            assert tracer.process.wait(timeout=60) == 70
        assert errors == (
            f"exitsnoop: this process may have only {limit} files open, and tracing needs more: "
            "raise that with `ulimit -n 1024`, or in a service with LimitNOFILE=1024\n"
        )
        assert not made.exists()
        refused += 1
    else:
        pytest.fail("it never works")
    assert refused > 5
