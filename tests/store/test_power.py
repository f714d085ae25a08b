"""A power cut at any moment loses nothing that was committed, and leaves a recording that opens.

The control, which does not wait for the disk, must lose: else the test would prove nothing.
"""

import random
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest
from support.machine import times
from support.powercut import Note, cut, notes
from support.recorded import exits, pids, recorder_command, shimmed, writer

CUTS = times(40)


def recorded(tmp_path: Path, shim: Path, *arguments: str) -> list[Note]:
    """Record for a while, and return what was done to the disk."""
    store, log = tmp_path / "recorded", tmp_path / "log"
    store.mkdir()
    subprocess.run(
        recorder_command(store, "--count", "6000", "--batch", "100", *arguments),
        env=shimmed(shim, store, log),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return notes(log)


def lost(done: list[Note], at: int, store: Path, chance: random.Random) -> bool:
    """Cut the power there; return whether anything that was acknowledged is gone."""
    acknowledged = cut(done, at, store, chance)
    try:
        recorder = writer(store)
        recorder.add(exits([1_000_000]))
        recorder.commit()
        there = pids(store)
        recorder.close()
        for segment in store.glob("*.db"):
            connection = sqlite3.connect(segment)
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",), at
            connection.close()
        assert there == [*range(1, len(there)), 1_000_000], at
        return len(there) - 1 < acknowledged
    finally:
        shutil.rmtree(store)


@pytest.mark.timeout(120 + 3 * CUTS)
def test_a_power_cut_loses_nothing_that_was_committed(tmp_path: Path, shim: Path) -> None:
    done = recorded(tmp_path, shim)
    chance = random.Random(4)
    points = [chance.randrange(len(done) + 1) for _ in range(CUTS)]
    assert not [at for at in points if lost(done, at, tmp_path / "store", chance)]


@pytest.mark.timeout(120 + 3 * CUTS)
def test_without_waiting_for_the_disk_it_does(tmp_path: Path, shim: Path) -> None:
    done = recorded(tmp_path, shim, "--synchronous", "OFF")
    chance = random.Random(4)
    acknowledged = [at for at, (kind, *_) in enumerate(done, start=1) if kind == "A"]
    found = 0
    for at in acknowledged[: CUTS // 2]:
        try:
            found += lost(done, at, tmp_path / "store", chance)
        except AssertionError:  # it is damaged, or has holes
            found += 1
    assert found
