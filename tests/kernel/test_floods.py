"""All CPUs end processes as fast as they can, in a session of their own."""

import os
import subprocess
from pathlib import Path

from support.machine import some

CPUS = sorted(os.sched_getaffinity(0))
ENDS = some(60_000)  # on each CPU: together more than the buffer has room for


def _flood(endings: Path) -> None:
    """One session, so one group to the scheduler, has all CPUs: alone it need not share them."""
    each = [f"taskset --cpu-list {cpu} {endings} vforks {ENDS} &" for cpu in CPUS]
    subprocess.run(
        ["sh", "-c", "\n".join([*each, "wait"])],
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        check=True,
    )


def test_nothing_is_lost(exitsnoop: str, endings: Path, tmp_path: Path) -> None:
    """What starts and ends all the time leaves other sessions next to nothing of a CPU."""
    rows, errors = tmp_path / "rows", tmp_path / "errors"
    with rows.open("w") as output, errors.open("w") as complaints:
        tracer = subprocess.Popen(
            [exitsnoop], stdout=output, stderr=complaints, start_new_session=True
        )
        try:
            while not rows.stat().st_size:  # the header says that it traces
                assert tracer.poll() is None
                subprocess.run(["true"], check=True)
            _flood(endings)
            tracer.terminate()
            assert tracer.wait() == 0
        finally:
            tracer.kill()
            tracer.wait()
    assert errors.read_text() == ""
    assert rows.read_text().count("\nendings ") >= len(CPUS) * (ENDS + 1)
