"""When exits are on disk: within a second, at once after a crash; and nothing while idle."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from support.recorded import (
    BOOT,
    OFFSET_NS,
    START_NS,
    Clock,
    exits,
    pids,
    read,
    recorder_command,
    shimmed,
    writer,
)

from exitsnoop.model.batch import Exits
from exitsnoop.store import writer as writers
from exitsnoop.store.recording import Recording

OK = 0


def quiet(numbers: range, offset_ns: int = OFFSET_NS, **columns: Any) -> Exits:
    return exits(numbers, offset_ns, status=OK, **columns)


def test_exits_are_committed_within_a_second(store: Path) -> None:
    clock = Clock()
    recorder = writer(store, clock=clock)
    assert recorder.due is None
    recorder.add(quiet(range(10)))
    assert recorder.due == 1.0
    clock.now = 0.5
    recorder.add(quiet(range(10, 20)))
    assert recorder.due == 1.0
    assert pids(store) == []
    clock.now = 1.0
    recorder.tick()
    assert recorder.due is None
    assert pids(store) == list(range(20))
    assert recorder.watermark_ns == START_NS + 19_000
    recorder.close()


def test_small_batches_in_one_commit_keep_their_times(store: Path) -> None:
    """The wall clock is asked anew for each, and is never quite as far ahead as before."""
    steps = [0, 0, 17, 17, 40_000, 40_017, 3]
    batches = [
        quiet(range(at * 40, at * 40 + 40 - at), OFFSET_NS + step)
        for at, step in enumerate(steps * 3)
    ]
    recorder = writer(store, clock=Clock())
    for batch in batches:
        recorder.add(batch)
    recorder.commit()
    assert list(read(store)) == [one for batch in batches for one in batch]
    recorder.close()


@pytest.mark.parametrize("status", [signal.SIGKILL, signal.SIGSEGV | 0x80, signal.SIGTERM])
def test_a_death_is_committed_at_once(store: Path, status: int) -> None:
    recorder = writer(store, clock=Clock())
    recorder.add(quiet(range(10)))
    recorder.add(exits(range(10, 12), status=[OK, int(status)]))
    assert pids(store) == list(range(12))
    recorder.close()


def test_a_broken_pipe_and_an_exit_code_can_wait(store: Path) -> None:
    recorder = writer(store, clock=Clock())
    recorder.add(exits(range(2), status=[int(signal.SIGPIPE), 256]))
    assert recorder.due == 1.0
    assert pids(store) == []
    recorder.close()


def test_many_are_committed_before_a_second_is_over(store: Path) -> None:
    recorder = writer(store, clock=Clock())
    recorder.add(quiet(range(writers.MOST_PENDING)))
    assert recorder.due is None
    assert len(read(store)) == writers.MOST_PENDING
    recorder.close()


def test_few_with_long_arguments_are_committed_before_a_second_is_over(store: Path) -> None:
    """An exit may have 16 KB of them: a number of exits alone would not bound the memory."""
    recorder = writer(store, clock=Clock())
    count = writers.MOST_PENDING_BYTES // 16_000
    assert count < writers.MOST_PENDING
    recorder.add(quiet(range(count // 2), args=("job", "x" * 16_000)))
    assert pids(store) == []
    recorder.add(quiet(range(count // 2, 2 * count), args=("job", "x" * 16_000)))
    assert recorder.due is None
    assert len(pids(store)) == 2 * count
    recorder.add(quiet(range(2 * count, 2 * count + 9)))  # and begins to count anew
    assert recorder.due is not None
    recorder.close()


def test_nothing_is_written_while_idle(store: Path) -> None:
    clock = Clock()
    recorder = writer(store, clock=clock)
    recorder.add(quiet(range(10)))
    recorder.commit()
    before = {path: path.stat().st_mtime_ns for path in store.iterdir()}
    clock.now = 100.0
    recorder.add(exits([]))
    recorder.tick()
    assert recorder.due is None
    assert {path: path.stat().st_mtime_ns for path in store.iterdir()} == before
    recorder.close()


def test_a_commit_is_synced_and_is_one(store: Path, shim: Path, tmp_path: Path) -> None:
    """Twelve batches of a third of a second: each commit writes to the log, then syncs it."""
    log = tmp_path / "log"
    subprocess.run(
        recorder_command(store, "--count", "240", "--batch", "20"),
        env=shimmed(shim, store, log),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    marks = re.findall(rb"^(S|A) (\d+)$", log.read_bytes(), re.M)
    acks = [at for at, (kind, _) in enumerate(marks) if kind == b"A"]
    assert len(acks) == 4  # the last one at the end
    for before, ack in pairwise(acks):
        assert ack - before == 2  # one sync for each commit


def test_a_clean_end_leaves_one_file_for_each_segment(store: Path) -> None:
    recorder = writer(store)
    recorder.add(exits(range(10)))
    assert recorder.close() == 0
    assert sorted(path.name for path in store.iterdir()) == [
        *("ballast", "exits-000000000000001.db", "lock")
    ]
    assert pids(store) == list(range(10))
    recorder.close()


def test_the_files_belong_to_root_and_adm(store: Path) -> None:
    recorder = writer(store)
    recorder.add(exits(range(10)))
    recorder.commit()
    assert store.stat().st_mode & 0o777 == 0o750
    for path in store.iterdir():
        assert path.stat().st_mode & 0o137 == 0, path
        assert path.stat().st_gid == store.stat().st_gid, path
    recorder.close()


def test_the_watermark_is_told(store: Path) -> None:
    recorder = writer(store)
    recorder.add(exits(range(10)))
    recorder.commit()
    status = Recording(store).status()
    assert status.recorder == os.getpid()
    assert status.committed_ns == status.recorded[-1].to_ns
    assert status.committed_ns == BOOT.began_ns + START_NS + 9000
    assert status.exits == 10
    assert status.max_bytes == 1 << 30
    assert status.bytes == sum(path.stat().st_size for path in store.iterdir())
    recorder.close()
    assert Recording(store).status().recorder is None


def test_who_reads_is_told(store: Path) -> None:
    recorder = writer(store)
    recorder.add(exits(range(10)))
    recorder.commit()
    (segment,) = store.glob("exits-*.db")
    script = (
        "import sqlite3, sys; c = sqlite3.connect(f'file:{sys.argv[1]}?mode=ro', uri=True); "
        "c.execute('BEGIN'); c.execute('SELECT * FROM rows').fetchone(); print(flush=True); input()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", script, segment], **pipes) as reader:  # type: ignore[call-overload]
        reader.stdout.readline()
        (holder,) = Recording(store).status().readers
        assert (holder.pid, holder.file) == (reader.pid, segment)
        assert holder.name.startswith("python")
        reader.communicate(b"\n")
    assert Recording(store).status().readers == []
    recorder.close()


def test_the_recorder_goes_on_where_it_stopped(store: Path) -> None:
    for start in range(0, 50, 10):
        recorder = writer(store)
        recorder.add(exits(range(start, start + 10)))
        recorder.close()
    assert pids(store) == list(range(50))
    (segment,) = store.glob("exits-*.db")
    connection = sqlite3.connect(segment)
    assert connection.execute("SELECT min(id), max(id) FROM rows").fetchone() == (1, 50)
    connection.close()
