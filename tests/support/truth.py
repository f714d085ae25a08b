"""What really happened, as endings.c heard it from waitpid, and whether the trace agrees."""

import contextlib
import subprocess
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from exitsnoop import Exit, Tracer

KTHREADD = 2

if TYPE_CHECKING:
    from typing_extensions import Unpack  # typing has it since 3.11

    from exitsnoop.filters.keywords import FilterOptions


class Ending(NamedTuple):
    """A line of endings.c: one process, waited for. Times are of the boot clock."""

    pid: int
    ppid: int
    status: int
    started_ns: int
    reaped_ns: int
    kind: str
    argument: int


def parse(text: str) -> list[Ending]:
    endings = []
    for line in text.splitlines():
        *numbers, kind, argument = line.split()
        pid, ppid, status, started_ns, reaped_ns = map(int, numbers)
        endings.append(Ending(pid, ppid, status, started_ns, reaped_ns, kind, int(argument)))
    return endings


def run(program: Path, *arguments: object, given: str = "") -> list[Ending]:
    """Run endings.c to its end, in a directory of its own for the cores; return what it tells."""
    result = subprocess.run(
        [program, *map(str, arguments)],
        input=given,
        capture_output=True,
        text=True,
        cwd=program.parent,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    endings = parse(result.stdout)
    assert endings, "endings.c told of nothing"
    return endings


@contextlib.contextmanager
def recorded(*, unwanted: bool = False, **options: "Unpack[FilterOptions]") -> Iterator[list[Exit]]:
    """Trace while the block runs; the list is complete after it. No exit may be lost."""
    exits: list[Exit] = []
    with Tracer(unwanted=unwanted, **options) as tracer:
        reader = threading.Thread(target=lambda: exits.extend(tracer))
        reader.start()
        try:
            yield exits
        finally:
            tracer.stop()
            reader.join()
        assert not tracer.lost


def record_of(exits: list[Exit], pid: int) -> Exit:
    """Return the one record of a process."""
    (record,) = [record for record in exits if record.pid == pid]
    return record


def assert_same(exits: list[Exit], endings: list[Ending]) -> None:
    """Exactly one record per ending, with waitpid's status, the parent, and times that can be."""
    assert [e.boot_ns for e in exits] == sorted(e.boot_ns for e in exits), "not in order of time"
    traced = defaultdict(list)
    for record in exits:
        if record.ppid != KTHREADD:  # of the kernel's threads none was ours, whatever its PID
            traced[record.pid].append(record)
    truth = defaultdict(list)
    for ending in sorted(endings, key=lambda ending: ending.reaped_ns):
        truth[ending.pid].append(ending)
    reapers = {ending.ppid for ending in endings}
    for pid, expected in truth.items():  # a PID may have been used again, by others as well
        of_ours = [r for r in traced[pid] if r.ppid in reapers]
        records = [r for r in of_ours if r.boot_ns >= expected[0].started_ns]
        assert len(records) == len(expected), f"{expected} was traced as {records}"
        for record, ending in zip(records, expected, strict=True):
            assert record.status == ending.status, f"{ending} was traced as {record}"
            assert record.ppid == ending.ppid, f"{ending} was traced as {record}"
            assert record.tid == record.pid
            assert record.last_thread
            if ending.started_ns:
                assert ending.started_ns <= record.start_boot_ns <= record.boot_ns
            assert record.boot_ns <= ending.reaped_ns
    first, last = (
        min(e.started_ns for e in endings if e.started_ns),
        max(e.reaped_ns for e in endings),
    )
    for record in exits:
        if record.ppid in reapers and first < record.boot_ns < last:
            assert record.pid in truth, f"nobody waited for {record}"
