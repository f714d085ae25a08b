"""A recorder that is killed at any instant loses nothing that it had committed."""

import os
import random
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest
from support.machine import times
from support.recorded import pids, recorder_command

from exitsnoop.store.recording import Recording

KILLS = times(20)
BOUND = "16777216"


def killed(store: Path, first: int, chance: random.Random, *arguments: str) -> int:
    """Let a recorder record for a moment, kill it; return what it said last was on disk."""
    command = recorder_command(store, "--first", str(first), "--batch", "50", *arguments)
    with subprocess.Popen(command, stdout=subprocess.PIPE) as recorder:
        assert recorder.stdout
        said = recorder.stdout.readline()  # it is recording
        time.sleep(chance.random() * 0.05)
        os.kill(recorder.pid, signal.SIGKILL)
        said = (said + recorder.stdout.read()).splitlines()[-1]
    assert recorder.returncode == -signal.SIGKILL
    return int(said)


@pytest.mark.timeout(120 + 5 * KILLS)
def test_nothing_that_was_committed_is_lost(store: Path) -> None:
    chance = random.Random(1)
    acknowledged = 0
    for _ in range(KILLS):
        acknowledged = killed(store, acknowledged + 1, chance)
        there = pids(store, after_id=max(0, acknowledged - 5000))
        # What was committed and not said yet is recorded again by the next one.
        assert acknowledged in there
        assert len(there) >= min(acknowledged, 5000)
    found = pids(store)
    assert set(range(1, acknowledged + 1)) <= set(found)
    for path in store.glob("*.db"):
        connection = sqlite3.connect(path)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()
    ended = [stretch.ended for stretch in Recording(store).recorded()]
    assert len(ended) == KILLS
    assert ended[:-1] == ["killed"] * (KILLS - 1)


@pytest.mark.timeout(120 + 5 * KILLS)
def test_nor_while_segments_are_dropped(store: Path) -> None:
    """Failures of each group are kept over the kills, and none comes twice."""
    chance = random.Random(2)
    acknowledged = kills = 0
    while kills < KILLS or not (store / "kept.db").exists():  # made when the first is dropped
        kills += 1
        acknowledged = killed(
            store, acknowledged + 1, chance, "--max-bytes", BOUND, "--batch", "900"
        )
        used = sum(
            path.stat().st_size for path in store.iterdir() if not path.name.endswith("-shm")
        )
        assert used <= int(BOUND)
        found = pids(store, failed=True)
        ids = _ids(store)
        assert ids == sorted(set(ids))
        last = found[-1] // 45 * 45
        for group in range(9):
            numbers = [n for n in range(1, last + 1) if n % 5 == 0 and n % 9 == group][-80:]
            assert set(numbers) <= set(found), group


def _ids(store: Path) -> list[int]:
    connection = Recording(store).connect()
    found = [number for (number,) in connection.execute("SELECT id FROM exits ORDER BY id")]
    connection.close()
    return found
