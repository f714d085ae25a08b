"""The memory of a recorder is level, however many segments it begins, and whoever reads them."""

import sqlite3
import subprocess
import sys
from pathlib import Path

from support.recorded import SMALL, exits, writer

from exitsnoop.kernel.memory import return_memory
from exitsnoop.model.batch import Exits
from exitsnoop.model.cause import Cause, Sender

AT_ONCE = 1000
WARM, SEGMENTS = 2, 11
READ = 3  # segments that somebody reads at a time
MOST_GROWTH_KB = 6 * 1024  # it was 19 MB, and is 2


def different(first: int) -> Exits:
    """Exits that share nothing, so that much is remembered of them."""
    numbers = range(first, first + AT_ONCE)
    return exits(
        numbers,
        raw_comm=[f"job{number}".encode().ljust(16, b"\0") for number in numbers],
        exe=[f"/usr/bin/job{number}" for number in numbers],
        cause=[
            Cause("killed", f"killed by x[{number}]", Sender(number, 1, "x", 0, ("x",)), "kill")
            for number in numbers
        ],
    )


def resident_kb() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def reader(path: Path) -> sqlite3.Connection:
    """Return one that stays in a transaction, so that the recorder cannot close the segment."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM rows").fetchone()
    return connection


def fill_segments(store: Path) -> None:
    """Record until there were SEGMENTS of them; print the memory as each begins."""
    recorder = writer(store, limits=SMALL)
    readers: dict[Path, sqlite3.Connection] = {}
    first = 0
    while len(readers) < SEGMENTS:
        recorder.add(different(first))
        recorder.commit()
        first += AT_ONCE
        last = max(store.glob("exits-*.db"))
        if last not in readers:
            return_memory()  # as the recorder does: to drop a segment takes some
            print(resident_kb(), flush=True)  # noqa: T201 - to the test
            readers[last] = reader(last)
            for path in [*readers][:-READ]:
                readers[path].close()
    recorder.close()


def test_it_does_not_grow_with_the_segments(store: Path) -> None:
    words = [
        sys.executable,
        "-B",
        "-c",
        "import test_memory as t; t.fill_segments(t.Path(t.sys.argv[1]))",
    ]
    told = subprocess.run(
        [*words, store],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join([str(Path(__file__).parent), *sys.path])},
    ).stdout
    memory = [int(line) for line in told.split()]
    assert len(memory) == SEGMENTS
    assert memory[-1] - memory[WARM] < MOST_GROWTH_KB, memory
