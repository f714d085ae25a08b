"""What was not recorded is known: why, from when to when, how much."""

import os
import time
from pathlib import Path

from support.recorded import (
    BOOT,
    OFFSET_NS,
    SECOND_NS,
    SMALL,
    START_NS,
    exits,
    json_lines,
    pids,
    read,
    record_and_kill,
    writer,
)

from exitsnoop.model.batch import Exits
from exitsnoop.store.boots import boot_clock_ns, this_boot
from exitsnoop.store.coverage import Gap
from exitsnoop.store.directory import Directory
from exitsnoop.store.query import Query
from exitsnoop.store.recording import Recording

WALL_NS = START_NS + OFFSET_NS
NEXT_BOOT = BOOT._replace(boot_id="0d9c7b1e-0000-4000-8000-000000000002", kernel="6.2.0")


def at(second: int) -> int:
    """When exits of this second were, by the wall clock."""
    return WALL_NS + second * SECOND_NS


def one(second: int) -> Exits:
    """An exit in this second."""
    return exits([second * 1_000_000])


def test_what_lies_between_two_recordings(store: Path) -> None:
    for first in (10, 20):
        recorder = writer(store, since_ns=START_NS + first * SECOND_NS)
        recorder.add(one(first + 5))
        recorder.close()
    recording = Recording(store)
    assert [(part.from_ns, part.to_ns, part.ended) for part in recording.recorded()] == [
        (at(10), at(15), "stopped"),
        (at(20), at(25), "stopped"),
    ]
    assert recording.gaps(at(0), at(30)) == [
        Gap(at(0), at(10), "not recording", None),
        Gap(at(15), at(20), "stopped", None),
        Gap(at(25), at(30), "stopped", None),
    ]
    assert recording.gaps(at(11), at(14)) == []
    assert recording.gaps(at(12), at(17)) == [Gap(at(15), at(17), "stopped", None)]


def test_a_recorder_that_was_killed(store: Path) -> None:
    record_and_kill(store)
    last = read(store).column("boot_ns")[-1]
    recorder = writer(store, since_ns=last + SECOND_NS)
    (gap,) = Recording(store).gaps(last + OFFSET_NS, last + OFFSET_NS + SECOND_NS)
    assert (gap.from_ns, gap.to_ns, gap.why, gap.lost) == (
        *(last + OFFSET_NS, last + OFFSET_NS + SECOND_NS),
        *("killed", None),
    )
    recorder.close()


def test_a_reboot(store: Path) -> None:
    record_and_kill(store)
    before = read(store)
    later = OFFSET_NS + 9000 * SECOND_NS
    recorder = writer(store, boot=NEXT_BOOT._replace(began_ns=later), since_ns=SECOND_NS)
    recorder.add(exits([5], offset_ns=later))
    recorder.close()
    recording = Recording(store)
    assert [part.boot_id for part in recording.recorded()] == [BOOT.boot_id, NEXT_BOOT.boot_id]
    end = before.column("wall_ns")[-1]
    begun = later + SECOND_NS
    assert recording.gaps(end, begun) == [Gap(end, begun, "reboot", None)]
    assert [boot.kernel for boot in recording.boots()] == ["6.1.0", "6.2.0"]
    assert pids(store, boot_id=NEXT_BOOT.boot_id) == [5]
    assert json_lines(read(store, boot_id=BOOT.boot_id)) == json_lines(before)


def test_a_stop_for_a_reboot(store: Path) -> None:
    recorder = writer(store)
    recorder.add(one(1))
    recorder.close()
    later = OFFSET_NS + 9000 * SECOND_NS
    writer(store, boot=NEXT_BOOT._replace(began_ns=later), since_ns=SECOND_NS).close()
    (gap,) = Recording(store).gaps(at(2), later)
    assert gap.why == "stopped, then reboot"


def test_what_the_kernel_could_not_deliver(store: Path) -> None:
    recorder = writer(store)
    recorder.add(one(1))
    recorder.add(one(2), lost=7)
    recorder.add(exits([]), lost=2)
    recorder.add(one(3))
    recorder.close()
    assert recorder.lost == 9
    recording = Recording(store)
    assert recording.gaps(at(0), at(3)) == [
        Gap(at(1), at(2), "overflow", 7),
        Gap(at(2), at(2), "overflow", 2),
    ]
    assert recording.select(Query()).lost == 9
    assert recording.select(Query(until_ns=at(1) - 1)).lost == 0


def test_a_recording_that_goes_on(store: Path) -> None:
    """While the recorder lives, silence means that nothing ended."""
    now = boot_clock_ns()
    recorder = writer(store, boot=this_boot(), since_ns=now)
    offset = this_boot().began_ns
    recording = Recording(store)
    assert recording.gaps(now + offset, now + offset + 3600 * SECOND_NS) == []
    recorder.close()
    (gap,) = recording.gaps(now + offset, now + offset + 3600 * SECOND_NS)
    assert gap.why == "stopped"


def test_another_reason_to_stop(store: Path) -> None:
    recorder = writer(store)
    recorder.add(one(1))
    recorder.close("the kernel refused")
    (gap,) = Recording(store).gaps(at(1), at(2))
    assert gap.why == "the kernel refused"


def test_coverage_over_segments_and_dropped_ones(store: Path) -> None:
    recorder = writer(store, limits=SMALL)
    for first in range(0, 120_000, 1000):
        recorder.add(exits(range(first, first + 1000)), lost=1 if first == 3000 else 0)
    recorder.close()
    recording = Recording(store)
    (stretch,) = recording.recorded()
    assert stretch[1:] == (WALL_NS, WALL_NS + 119_999_000, "stopped", None)
    (gap,) = recording.gaps(WALL_NS, WALL_NS + 119_999_000)
    assert (gap.why, gap.lost) == ("overflow", 1)
    first = min(Directory(store).segments())
    assert recording.status().oldest_ns == read(store, after_id=first - 1).column("wall_ns")[0]


def test_this_boot() -> None:
    boot = this_boot()
    assert boot.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert boot.kernel == os.uname().release
    now = boot_clock_ns() + boot.began_ns
    assert abs(now - time.time_ns()) < SECOND_NS
