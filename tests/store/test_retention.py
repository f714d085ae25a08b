"""A recording keeps within its bounds, and what it keeps of dropped segments is fair."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import threading
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.recorded import FUZZ, SMALL, exits, json_lines, pids, read, record, writer

from exitsnoop.model.batch import Exits
from exitsnoop.store import retention
from exitsnoop.store.directory import Directory
from exitsnoop.store.files import Files
from exitsnoop.store.limits import LEAST_BYTES, Limits
from exitsnoop.store.query import Query
from exitsnoop.store.recording import Recording
from exitsnoop.store.retention import Retention
from exitsnoop.store.segment import Segment

GROUPS = 12


def used(store: Path) -> int:
    """What all files take; -shm is memory."""
    total = 0
    for path in store.iterdir():
        with contextlib.suppress(FileNotFoundError):
            total += 0 if path.name.endswith("-shm") else path.stat().st_size
    return total


def storm(numbers: range) -> Exits:
    """Exits of which two in three failed, in groups of very different sizes."""
    names = [f"job{min(number % 97, GROUPS - 1)}" for number in numbers]
    return exits(
        numbers,
        status=[256 if number % 3 else 0 for number in numbers],
        raw_comm=[name.encode().ljust(16, b"\0") for name in names],
        exe=[f"/usr/bin/{name}" for name in names],
    )


def test_a_segment_may_vanish_while_old_ones_are_sought(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that drops it ends just after the segments were listed."""
    rotating = threading.Event()
    drop, rotate, listed = Retention.drop, Files._rotate, Files._sealed

    def held(retention: Retention, path: Path, allowed: int, *, failures: bool = True) -> None:
        if threading.current_thread() is not threading.main_thread():
            assert rotating.wait(60)
        drop(retention, path, allowed, failures=failures)

    def rotated(files: Files, segment: Segment) -> Segment:
        rotating.set()
        following = rotate(files, segment)
        rotating.clear()
        return following

    def then_it_ends(files: Files) -> list[Path]:
        paths = listed(files)
        if rotating.is_set():
            files._wait_for_drop()
        return paths

    monkeypatch.setattr(Retention, "drop", held)
    monkeypatch.setattr(Files, "_rotate", rotated)
    monkeypatch.setattr(Files, "_sealed", then_it_ends)
    recorder = writer(store, limits=SMALL)
    for first in range(0, 170_000, 1000):
        recorder.add(storm(range(first, first + 1000)))
        assert recorder.trouble is None
    rotating.set()  # or a thread may wait for a segment that never comes
    assert (recorder.close(), recorder.lost) == (0, 0)
    assert min(Directory(store).segments()) > 1


def test_the_bound_holds_in_a_storm_with_a_reader_that_never_ends(store: Path) -> None:
    recorder = writer(store, limits=SMALL)
    recorder.add(storm(range(100)))
    recorder.commit()
    endless = sqlite3.connect(next(store.glob("exits-*.db")), isolation_level=None)
    endless.execute("BEGIN")
    endless.execute("SELECT count(*) FROM rows").fetchone()
    passing = contextlib.ExitStack()
    most = 0
    for first in range(100, 180_000, 1000):
        recorder.add(storm(range(first, first + 1000)))
        most = max(most, used(store))
        assert len(list(store.glob("exits-*.db"))) <= 8
        if first % 30_000 == 100:  # one that holds a segment for a while
            passing.close()
            segment = max(store.glob("exits-*.db"))
            one = passing.enter_context(
                contextlib.closing(sqlite3.connect(segment, isolation_level=None))
            )
            one.execute("BEGIN")
            one.execute("SELECT count(*) FROM rows").fetchone()
    recorder.close()
    assert most <= SMALL.max_bytes
    assert most > 0.6 * SMALL.max_bytes
    assert recorder.lost == 0
    assert endless.execute("SELECT count(*) FROM rows").fetchone() == (100,)
    endless.close()
    passing.close()


def test_the_last_failures_of_each_group_are_kept(store: Path) -> None:
    recorder = writer(store, limits=SMALL)
    by_group: dict[bytes, list[int]] = defaultdict(list)
    total = 120_000
    for first in range(0, total, 1000):
        batch = storm(range(first, first + 1000))
        recorder.add(batch)
        columns = map(batch.column, ("pid", "raw_comm", "status"))
        for pid, name, status in zip(*columns, strict=True):
            if status:
                by_group[name].append(pid)
    recorder.close()
    found = set(pids(store, failed=True))
    assert min(Directory(store).segments()) > total // 4
    for name, numbers in by_group.items():
        assert set(numbers[-retention.KEEP :]) <= found, name
    there = pids(store)
    assert there == sorted(set(there))
    oldest = min(Directory(store).segments())
    assert set(there) >= set(range(oldest - 1, total))
    assert len([pid for pid in there if pid < oldest - 1]) <= GROUPS * retention.KEEP
    assert json_lines(read(store, limit=50)) == [
        line for pid in there[:50] for line in json_lines(storm(range(pid, pid + 1)))
    ]


@FUZZ
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 260)), min_size=2, max_size=6))
def test_fuzz_whatever_the_groups(
    tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[int, int]]
) -> None:
    """Segments of failures, dropped one by one, the last one not."""
    store = tmp_path_factory.mktemp("fair") / "store"
    first, groups = 0, []
    for group, count in runs:
        numbers = range(first, first + count)
        record(
            store, exits(numbers, status=9, exe=f"/bin/x{group}", raw_comm=b"x".ljust(16, b"\0"))
        )
        directory = Directory(store)
        directory.create(first + count + 1)  # the next recorder goes on there
        groups += [group] * count
        first += count
    directory = Directory(store)
    for path in list(directory.segments().values())[:-1]:
        retention.Retention(directory).drop(path, 1 << 30)
        found = pids(store)
        assert found == sorted(set(found))
    for group in set(groups):
        members = [number for number, of in enumerate(groups) if of == group]
        assert [n for n in found if groups[n] == group] == members[-retention.KEEP :]


def test_a_drop_that_is_done_twice_changes_nothing(store: Path) -> None:
    """As after a kill between the copy and the removal."""
    record(store, storm(range(500)))
    directory = Directory(store)
    directory.create(501)
    segment = directory.segments()[1]
    content = segment.read_bytes()
    before = Recording(store).counts(Query())
    retention.Retention(directory).drop(segment, 1 << 30)
    once = pids(store)
    counted = Recording(store).counts(Query())
    segment.write_bytes(content)
    assert pids(store) == list(range(500))  # of kept.db nothing, while the segment is there
    assert Recording(store).counts(Query()) == before == counted
    retention.Retention(directory).drop(segment, 1 << 30)
    assert pids(store) == once
    assert Recording(store).counts(Query()) == before


def test_kept_failures_are_halved_when_there_are_too_many(store: Path) -> None:
    """Each exit is a group of its own: there is no room for a hundred of each."""
    recorder = writer(store, limits=SMALL)
    for first in range(0, 90_000, 1000):
        numbers = range(first, first + 1000)
        recorder.add(exits(numbers, status=9, exe=[f"/bin/{n % 7000}" for n in numbers]))
    recorder.close()
    assert used(store) <= SMALL.max_bytes
    kept = (store / "kept.db").stat().st_size
    assert kept <= 0.12 * SMALL.max_bytes
    assert recorder.lost == 0
    there = [pid for pid in pids(store) if pid < min(Directory(store).segments()) - 1]
    assert there


def test_arguments_of_full_length_keep_within_the_bound(store: Path) -> None:
    recorder = writer(store, limits=SMALL)
    words = "x" * 16_000
    most = 0
    for first in range(0, 4000, 500):
        numbers = range(first, first + 500)
        recorder.add(exits(numbers, args=[(words, str(number)) for number in numbers]))
        recorder.commit()
        most = max(most, used(store))
    assert recorder.trouble is None
    recorder.close()
    assert most <= SMALL.max_bytes
    assert pids(store)[-1] == 3999


def test_counts_stay_when_exits_are_dropped(store: Path) -> None:
    recorder = writer(store, limits=SMALL)
    for first in range(0, 120_000, 1000):
        recorder.add(storm(range(first, first + 1000)))
    recorder.close()
    recording = Recording(store)
    assert sum(part.exits for part in recording.counts(Query())) == 120_000
    assert sum(part.exits for part in recording.counts(Query(failed=True))) == 80_000
    of_one = sum(part.exits for part in recording.counts(Query(exes=["/usr/bin/job3"])))
    assert of_one == len([number for number in range(120_000) if number % 97 == 3])
    assert sum(part.exits for part in recording.counts(Query(units=["job.*"]))) == 120_000
    assert recording.counts(Query(names=["nobody"])) == []


def test_a_storm_of_names_does_not_fill_the_roll_ups(store: Path) -> None:
    recorder = writer(store)
    for first in range(0, 9000, 1000):
        numbers = range(first, first + 1000)
        recorder.add(exits(numbers, exe=[f"/tmp/{number}" for number in numbers]))
    recorder.close()
    (segment,) = store.glob("exits-*.db")
    connection = sqlite3.connect(segment)
    (rows,) = connection.execute("SELECT count(*) FROM hours").fetchone()
    connection.close()
    assert rows <= 2010
    assert sum(part.exits for part in Recording(store).counts(Query())) == 9000


def age(store: Path, days: float) -> None:
    """Make the segments as old as that."""
    for path in Directory(store).segments().values():
        found = path.stat()
        os.utime(path, (found.st_atime - days * 86_400,) * 2)


def test_what_is_too_old_is_dropped_with_its_failures(store: Path) -> None:
    record(store, storm(range(500)))
    Directory(store).create(501)
    age(store, 40)
    limits = Limits(SMALL.max_bytes, 0, 30 * 86_400)
    recorder = writer(store, limits=limits)
    assert len(read(store)) == 500
    for first in range(500, 20_000, 1000):  # until a segment is full
        recorder.add(storm(range(first, first + 1000)))
    recorder.close()
    assert pids(store)[0] == 500
    assert sum(part.exits for part in Recording(store).counts(Query())) == 20_500 - 500 + 500


def test_other_files_may_use_the_disk(store: Path) -> None:
    """Segments are given up while the file system has less free than is to be kept."""
    recorder = writer(store, limits=SMALL)
    for first in range(0, 60_000, 1000):
        recorder.add(storm(range(first, first + 1000)))
    recorder.close()
    before = used(store)
    found = os.statvfs(store)
    # What is free changes meanwhile, since others use the disk, too; so much never is.
    greedy = Limits(SMALL.max_bytes, found.f_frsize * found.f_blocks, 1e9)
    recorder = writer(store, limits=greedy)
    for first in range(60_000, 70_000, 1000):
        recorder.add(storm(range(first, first + 1000)))
    recorder.close()
    assert used(store) <= LEAST_BYTES // 4 < before
    assert recorder.lost == 0
    assert pids(store)[-1] == 69_999


def test_limits_are_checked(tmp_path: Path) -> None:
    found = os.statvfs(tmp_path)
    total = found.f_frsize * found.f_blocks
    limits = Limits.checked(tmp_path)
    assert limits.max_bytes == max(LEAST_BYTES, min(1 << 30, total // 50))
    assert limits.keep_free == total // 20
    assert limits.max_age_s == 30 * 86_400
    for wrong in ({"max_bytes": 1000}, {"keep_free": -1}, {"max_age_s": 0}):
        with pytest.raises(ValueError, match=r"needs|negative"):
            Limits.checked(tmp_path, **wrong)


def test_memory_stays_level_in_a_storm(store: Path) -> None:
    """After a million exits, each with a name and arguments of its own."""
    script = (
        "import resource, sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path; from support.recorded import SMALL, exits, writer\n"
        "recorder = writer(Path(sys.argv[2]), limits=SMALL)\n"
        "for first in range(0, 300_000, 1000):\n"
        "    numbers = range(first, first + 1000)\n"
        "    recorder.add(exits(numbers, exe=[f'/tmp/{n}' for n in numbers]))\n"
        "    if first == 60_000: before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    tests = str(Path(__file__).parents[1])
    out = subprocess.check_output([sys.executable, "-B", "-c", script, tests, str(store)])
    assert int(out) < 8192  # KiB
