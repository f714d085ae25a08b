"""Times are right although the wall clock was stepped; the order is by id."""

import sqlite3
from pathlib import Path

import pytest
from support.recorded import (
    BOOT,
    OFFSET_NS,
    SECOND_NS,
    SMALL,
    START_NS,
    Clock,
    exits,
    json_lines,
    pids,
    read,
    writer,
)

from exitsnoop.reports.history import history
from exitsnoop.store.directory import Directory
from exitsnoop.store.recording import Recording

HOUR_NS = 3600 * SECOND_NS


def walls(store: Path) -> list[int]:
    return list(read(store).column("wall_ns"))


@pytest.mark.parametrize("step", [HOUR_NS, -HOUR_NS, 20 * 365 * 24 * HOUR_NS, SECOND_NS // 2])
def test_a_step_corrects_what_came_before_it(store: Path, step: int) -> None:
    """As NTP does after a boot with a clock that is wrong."""
    recorder = writer(store)
    recorder.add(exits(range(10)))
    recorder.add(exits(range(10, 20), offset_ns=OFFSET_NS + step))
    recorder.commit()
    right = [START_NS + OFFSET_NS + step + number * 1000 for number in range(20)]
    assert walls(store) == right
    connection = Recording(store).connect()
    assert [ns for (ns,) in connection.execute("SELECT wall_ns FROM exits ORDER BY id")] == right
    connection.close()
    recorder.close()
    assert Recording(store).recorded()[0].from_ns == START_NS + OFFSET_NS + step
    assert Recording(store).boots()[0].began_ns == OFFSET_NS + step
    since, until = right[5], right[14]
    assert pids(store, since_ns=since, until_ns=until) == list(range(5, 15))


def test_nothing_is_first_seen_before_the_recording_began(store: Path) -> None:
    """The counts are by the hour, as the clock had it before the step."""
    recorder = writer(store)
    recorder.add(exits([1]))
    recorder.add(exits([2], offset_ns=OFFSET_NS + 5 * HOUR_NS))
    recorder.close()
    recording = Recording(store)
    last = read(store)[-1:]
    (of,) = last
    told = history(recording, of, recording.newest_id(), of.wall_ns)
    assert (
        told.first_seen_ns == recording.recorded()[0].from_ns == START_NS + OFFSET_NS + 5 * HOUR_NS
    )


def test_there_and_back(store: Path) -> None:
    recorder = writer(store)
    for first, step in ((0, 0), (10, HOUR_NS), (20, 0)):
        recorder.add(exits(range(first, first + 10), offset_ns=OFFSET_NS + step))
    recorder.close()
    assert json_lines(read(store)) == json_lines(exits(range(30)))


def test_a_clock_that_is_slewed_is_left_as_it_was(store: Path) -> None:
    """By 500 ppm: half a second in a thousand."""
    recorder = writer(store)
    recorder.add(exits([0]))
    recorder.add(exits([1_000_000_000], offset_ns=OFFSET_NS + SECOND_NS // 2))
    recorder.close()
    assert walls(store) == [
        START_NS + OFFSET_NS,
        START_NS + OFFSET_NS + 1000 * SECOND_NS + SECOND_NS // 2,
    ]


def test_jitter_comes_back_to_the_nanosecond(store: Path) -> None:
    batches = [
        exits(range(at, at + 3), offset_ns=OFFSET_NS + at * 37 % 1000) for at in range(0, 99, 3)
    ]
    recorder = writer(store)
    for batch in batches:
        recorder.add(batch)
    recorder.close()
    assert walls(store) == [wall for batch in batches for wall in batch.column("wall_ns")]


def test_a_step_while_nobody_recorded(store: Path) -> None:
    for first, step in ((0, 0), (10, HOUR_NS), (20, HOUR_NS)):
        recorder = writer(store, boot=BOOT._replace(began_ns=OFFSET_NS + step))
        recorder.add(exits(range(first, first + 10), offset_ns=OFFSET_NS + step))
        recorder.close()
    assert json_lines(read(store)) == json_lines(exits(range(30), offset_ns=OFFSET_NS + HOUR_NS))


def test_a_step_corrects_sealed_segments_and_what_was_kept(store: Path) -> None:
    recorder = writer(store, limits=SMALL)
    for first in range(0, 120_000, 1000):
        recorder.add(exits(range(first, first + 1000)))
    recorder.add(exits(range(120_000, 120_010), offset_ns=OFFSET_NS + HOUR_NS))
    recorder.close()
    assert len(list(store.glob("exits-*.db"))) > 3
    found = read(store)
    offsets = {
        wall - boot
        for wall, boot in zip(found.column("wall_ns"), found.column("boot_ns"), strict=True)
    }
    assert offsets == {OFFSET_NS + HOUR_NS}
    assert (store / "kept.db").exists()
    assert found.column("pid")[0] < min(Directory(store).segments())


def test_a_reader_only_puts_off_the_correction(store: Path) -> None:
    recorder = writer(store, limits=SMALL, clock=(clock := Clock()))
    for first in range(0, 30_000, 1000):
        recorder.add(exits(range(first, first + 1000)))
    recorder.commit()
    oldest = min(store.glob("exits-*.db"))
    reader = sqlite3.connect(f"{oldest.as_uri()}?mode=ro", uri=True, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT max(id) FROM rows").fetchone()
    recorder.add(exits([30_000], offset_ns=OFFSET_NS + HOUR_NS))
    recorder.commit()
    assert walls(store)[0] == START_NS + OFFSET_NS
    clock.now += 1
    recorder.tick()
    reader.close()
    assert recorder.due is not None
    clock.now += 1
    recorder.tick()
    assert recorder.due is None
    recorder.close()
    assert walls(store)[0] == START_NS + OFFSET_NS + HOUR_NS


def test_another_boot_is_not_corrected(store: Path) -> None:
    recorder = writer(store)
    recorder.add(exits(range(10)))
    recorder.close()
    other = BOOT._replace(boot_id="other", began_ns=OFFSET_NS + 10 * HOUR_NS)
    recorder = writer(store, boot=other, since_ns=START_NS)
    recorder.add(exits(range(10, 20), offset_ns=OFFSET_NS + 10 * HOUR_NS))
    recorder.add(exits(range(20, 30), offset_ns=OFFSET_NS + 11 * HOUR_NS))
    recorder.close()
    expected = [START_NS + OFFSET_NS + number * 1000 for number in range(10)]
    assert walls(store)[:10] == expected
    assert pids(store, boot_id="other") == list(range(10, 30))


def test_the_order_is_that_of_the_recording(store: Path) -> None:
    """A boot whose clock was years behind comes after the one before it."""
    recorder = writer(store)
    recorder.add(exits(range(10)))
    recorder.close()
    recorder = writer(store, boot=BOOT._replace(boot_id="other", began_ns=0))
    recorder.add(exits(range(10, 20), offset_ns=0))
    recorder.close()
    assert pids(store) == list(range(20))
    assert pids(store, newest_first=True) == list(range(19, -1, -1))
    assert pids(store, until_ns=HOUR_NS * 24 * 365) == list(range(10, 20))


def test_exits_that_are_a_little_out_of_order(store: Path) -> None:
    """Those of several CPUs are, by moments."""
    recorder = writer(store)
    numbers = [number + (-1) ** number * 40_000 for number in range(0, 3_000_000, 1000)]
    numbers = [max(number, 0) for number in numbers]
    for at in range(0, len(numbers), 7):
        recorder.add(exits(numbers[at : at + 7]))
    recorder.close()
    for low, high in ((0, 10**9), (100_000, 100_000), (1_000_000, 1_500_000), (2_900_000, 10**9)):
        wall = START_NS + OFFSET_NS
        found = pids(store, since_ns=wall + low * 1000, until_ns=wall + high * 1000)
        assert found == [number for number in numbers if low <= number <= high]
