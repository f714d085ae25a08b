"""`exitsnoop record` under the real kernel: nothing is missing that is not counted."""

import contextlib
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from support.accounts import count
from support.command import run
from support.machine import SLOW, some, times, within
from support.recorder import Recorder, exits, recording
from support.truth import assert_same
from support.truth import run as endings_of
from support.waiting import until

from exitsnoop import Exit
from exitsnoop.store.recording import Recording

END_S = 2
KILLS = times(4)
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def suspend(recorder: Recorder) -> None:
    """Stop it, and wait until it stands still."""
    recorder.process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, recorder.pid, os.WSTOPPED)


@pytest.mark.usefixtures("busy_cpus")
def test_a_storm_is_recorded_as_it_was(exitsnoop: str, endings: Path, store: Path) -> None:
    # The buffer takes all of it, even if the disk is busy with something else all the time.
    with recording(exitsnoop, store, "--tree", str(os.getpid())) as recorder:
        truth = endings_of(endings, "storm", some(4200), 1)
        assert recorder.stop() == 0
    assert_same(recorder.exits(), truth)
    signalled = [found for found in recorder.exits() if found.signal == signal.SIGKILL]
    assert signalled
    assert all(found.cause for found in recorder.exits())


def test_rows_and_losses_are_what_there_was(
    exitsnoop: str, vforks: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More comes than the buffer takes while the recorder is stopped. It takes some 16,000."""
    if SLOW:  # each exit takes more room, so that fewer are enough
        deep = store.parent.joinpath(*["directory" * 20] * 18)
        deep.mkdir(parents=True)
        monkeypatch.chdir(deep)
    with recording(exitsnoop, store, "-n", vforks.name) as recorder:
        suspend(recorder)
        truth = count(vforks, "vforks", some(60_000))
        recorder.process.send_signal(signal.SIGCONT)
        assert recorder.stop() == 74
    assert recorder.lost() > 0
    assert len(recorder.exits()) + recorder.lost() == truth
    gaps = Recording(store).gaps(0, time.time_ns())
    assert sum(gap.lost or 0 for gap in gaps if gap.why == "overflow") == recorder.lost()
    # A loss is reported when it is noticed, and not for each batch.
    assert sum("came too fast" in line for line in recorder.said) == 1


@pytest.mark.parametrize("number", STOPS)
def test_it_ends_in_time_with_everything_on_disk(
    exitsnoop: str, vforks: Path, store: Path, number: int
) -> None:
    """Also when it has just read thousands of exits, which it need not write for a second."""
    with recording(exitsnoop, store, "-n", vforks.name) as recorder:
        truth = count(vforks, "vforks", some(20_000))
        begun = time.monotonic()
        assert recorder.stop(number) == 0
        took = time.monotonic() - begun
    assert took < within(END_S)
    assert len(recorder.exits()) == truth
    assert [stretch.ended for stretch in Recording(store).recorded()] == ["stopped"]
    # Sealed, so that the right to read is enough to read it.
    assert {path.name for path in store.iterdir()} == {
        "ballast",
        "exits-000000000000001.db",
        "lock",
    }


def test_a_crash_is_on_disk_at_once_and_other_exits_within_a_second(
    exitsnoop: str, store: Path
) -> None:
    with recording(exitsnoop, store, "-P", str(os.getpid())) as recorder:

        def seconds_to_disk(script: str) -> float:
            with subprocess.Popen(["sh", "-c", script]) as process:
                process.wait()
            ended: dict[int, Exit] = {}

            def is_there() -> bool:
                ended.update({found.pid: found for found in exits(store)})
                return process.pid in ended

            until(is_there)
            now_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            return (now_ns - ended[process.pid].boot_ns) / 1e9

        # It is the best of some: a busy machine may be late, but never early.
        for script in ("kill -SEGV $$", "kill -KILL $$"):
            assert min(seconds_to_disk(script) for _ in range(5)) < 0.6
        assert seconds_to_disk("exit 1") > 0.8
        assert recorder.stop() == 0


def test_a_second_recorder_is_refused_in_words(exitsnoop: str, store: Path) -> None:
    with recording(exitsnoop, store):
        second = run(exitsnoop, "record", "--store", str(store))
    assert second.returncode == 74
    assert second.stderr == (
        f"exitsnoop: another recorder writes to {store}: stop it, or give this one another "
        "directory (--store)\n"
    )


@pytest.mark.timeout(120 + 10 * KILLS)
def test_nothing_that_was_on_disk_is_lost_when_it_is_killed(
    exitsnoop: str, vforks: Path, store: Path
) -> None:
    """At any instant, while exits come and segments are dropped."""
    chance = random.Random(1)
    with contextlib.ExitStack() as load:
        process = subprocess.Popen([vforks, "vforks", "1000000000"], stdout=subprocess.DEVNULL)
        load.enter_context(process)
        load.callback(process.kill)
        for nth in range(KILLS):
            with recording(exitsnoop, store, "-n", vforks.name, "--max-size", "16M") as recorder:
                before = latest(store)
                until(lambda: latest(store) != before)  # noqa: B023 - it is called at once
                time.sleep(chance.random() / 2)
                on_disk = latest(store)
                recorder.process.kill()
                assert recorder.process.wait() == -signal.SIGKILL
            found = exits(store, since_ns=min(exit_.wall_ns for exit_ in on_disk))
            # All of them, and none in between is missing.
            start = found.index(on_disk[-1])
            assert found[start : start + len(on_disk)] == on_disk[::-1]
            ended = [stretch.ended for stretch in Recording(store).recorded()]
            assert len(ended) == nth + 1 or nth > 8  # segments with the first ones are dropped
            # Nobody could note it if it was killed while it began a segment.
            assert set(ended) <= {"killed", None}


def latest(store: Path) -> list[Exit]:
    """Return the last recorded exits, the latest first."""
    return exits(store, newest_first=True, limit=200)
