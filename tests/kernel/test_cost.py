"""What bounds the cost of tracing and can be counted: bytes, system calls, programs, wake-ups.

How many programs are attached, test_programs.py counts; what is imported, test_structure.py.
"""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from support.command import tracing
from support.machine import need, some

from exitsnoop.decode.exits import EVENT
from exitsnoop.tracing.tracer import RING_BYTES
from exitsnoop.tracing.wait import PAUSE_S

EXITS = some(10_000)
HEADER_BYTES = 8  # the ring buffer's own, BPF_RINGBUF_HDR_SZ


def test_bytes_an_exit() -> None:
    assert EVENT.size == 48
    assert RING_BYTES // (EVENT.size + HEADER_BYTES) > 37_000


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_system_calls_do_not_grow_with_exits(
    exitsnoop: str, endings: Path, tmp_path: Path, options: list[str]
) -> None:
    """They are bounded by time: a batch each PAUSE_S, a handful of calls a batch."""
    need(bool(shutil.which("strace")), "strace is not installed")

    def calls(exits: int) -> int:
        """How many its main thread makes with so many exits, strace's own slowness included."""
        rows, counted = tmp_path / "rows", tmp_path / "counted"
        command = [exitsnoop, *options, "--output", str(rows), "--", str(endings), "vforks"]
        subprocess.run(
            ["strace", "-c", "-o", counted, *command, str(exits)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        assert len(rows.read_text().splitlines()) >= exits
        return int(re.findall(r"^100\.00 +\S+ +\S+ +(\d+)", counted.read_text(), re.M)[0])

    few = calls(1)
    begun = time.monotonic()
    more = calls(EXITS) - few
    took = time.monotonic() - begun
    assert more < 10 * (took / PAUSE_S + 10)
    assert took > 5 or more < EXITS / 2


def test_when_nothing_ends_it_sleeps(exitsnoop: str) -> None:
    with tracing(exitsnoop, "--pid", str(os.getpid())) as tracer:
        before = switches(tracer.process.pid)
        time.sleep(2)
        assert switches(tracer.process.pid) - before <= 4


def switches(pid: int) -> int:
    """How often a process gave up the CPU."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.M)[0])
