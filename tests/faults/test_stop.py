"""Told to end at a load that it cannot keep up with."""

import subprocess
from pathlib import Path
from signal import SIGCONT, SIGINT, SIGSTOP, SIGTERM

from support.accounts import count, traced
from support.waiting import until

from exitsnoop import Tracer
from exitsnoop.host.processes import stat

COSTLY = "\x01" * 16_000  # the children of a process that has this argument have it, too
FOR_EVER = 1_000_000_000
MOST_BYTES = 16 << 20


RING_BYTES, RECORD_BYTES = 1 << 18, 64
BATCH = 2048


def forks() -> int:
    """How many processes there have been since the machine started."""
    (line,) = [line for line in Path("/proc/stat").read_text().splitlines() if "processes " in line]
    return int(line.split()[1])


def test_it_ends_though_more_come_than_it_can_read(loads: Path) -> None:
    with (
        subprocess.Popen([loads, "forks", str(FOR_EVER)], stdout=subprocess.DEVNULL) as load,
        Tracer(names=[loads.name], ring_bytes=RING_BYTES) as tracer,
    ):
        try:
            after_stop = 0
            for batch in tracer.batches():
                after_stop += len(batch) if tracer.stopped else 0
                assert after_stop <= 2 * RING_BYTES // RECORD_BYTES + BATCH
                before = forks()
                until(lambda: forks() > before + 2 * BATCH)  # noqa: B023
                if len(batch) == BATCH:
                    tracer.stop()
            assert after_stop
        finally:
            load.kill()


def test_what_is_left_to_write_is_bounded(exitsnoop: str, loads: Path, tmp_path: Path) -> None:
    """A signal that ends it may find thousands of long rows in the buffer; not all are written."""
    with traced(exitsnoop, tmp_path / "rows", loads.name, "-a") as tracer:
        begun = tracer.path.stat().st_size
        tracer.suspend(SIGSTOP)
        truth = count(loads, "forks", 3000, COSTLY)
        tracer.process.send_signal(SIGTERM)
        tracer.suspend(SIGCONT)
        ended = tracer.report()
        ended.assert_adds_up(truth, lost=False)
        assert ended.unwritten
        assert "told to end, with too many long rows left" in ended.errors
        written = tracer.path.stat().st_size - begun
        assert MOST_BYTES / 2 < written <= MOST_BYTES + (1 << 20)


def test_a_full_buffer_of_ordinary_rows_is_written(
    exitsnoop: str, loads: Path, tmp_path: Path
) -> None:
    with traced(exitsnoop, tmp_path / "rows", loads.name, "-a", "-o", "+exe,user") as tracer:
        tracer.suspend(SIGSTOP)
        truth = count(loads, "forks", 5000)
        tracer.process.send_signal(SIGTERM)
        tracer.suspend(SIGCONT)
        ended = tracer.report()
        ended.assert_adds_up(truth, lost=False)
        assert not ended.unwritten


def test_a_second_signal_ends_it_after_command_if_nobody_reads(exitsnoop: str, loads: Path) -> None:
    script = f"{loads} forks 5000 >/dev/null; echo ended >&2"
    with subprocess.Popen(
        [exitsnoop, "--", "sh", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as tracer:
        try:
            assert tracer.stderr
            assert tracer.stderr.readline() == "ended\n"
            children = Path(f"/proc/{tracer.pid}/task/{tracer.pid}/children")
            until(lambda: all(stat(int(pid))[0] == b"Z" for pid in children.read_text().split()))
            tracer.send_signal(SIGTERM)
            tracer.send_signal(SIGINT)
            assert tracer.wait(timeout=60) in (128 + SIGTERM, 128 + SIGINT)
        finally:
            tracer.kill()
