"""Either side is killed at any instant: each exit arrives, once if duplicates are removed."""

import contextlib
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.machine import times
from support.recorded import BOOT, START_NS, read, writer
from support.shipping import AGO_NS, made

KILLS = times(3)


@contextlib.contextmanager
def storm(store: Path) -> Iterator[None]:
    """Record some thousand exits each second while the block runs."""
    over = threading.Event()
    recorder = writer(store, since_ns=START_NS + AGO_NS)

    def record() -> None:
        first = 1
        while True:
            recorder.add(made(range(first, first + 100)))
            recorder.commit()
            first += 100
            if over.wait(0.05):
                return

    thread = threading.Thread(target=record)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        recorder.close()


class Sides:
    """The real command, and a receiver, which are started again whenever they are killed."""

    def __init__(self, exitsnoop: str, store: Path, arrived: Path) -> None:
        self._arrived = arrived
        self._port = 0
        self.taker = self._take()
        state = ["--state", str(store.parent / "state")]
        url = f"http://127.0.0.1:{self._port}"
        self._words = [exitsnoop, "ship", "--store", str(store), *state, "--select", "all"]
        self._words += ["--otlp", url]
        self.ship = self._ship()

    def _take(self) -> "subprocess.Popen[bytes]":
        script = Path(__file__).with_name("taker.py")
        words = [sys.executable, "-B", str(script), str(self._port), str(self._arrived)]
        process = subprocess.Popen(words, stdout=subprocess.PIPE)
        assert process.stdout
        self._port = int(process.stdout.readline())
        return process

    def _ship(self, *more: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen([*self._words, *more], stderr=subprocess.DEVNULL)

    def kill(self, *, taker: bool) -> None:
        """Kill one side, and start it again."""
        if taker:
            end(self.taker)
            self.taker = self._take()
        else:
            end(self.ship)
            self.ship = self._ship()

    def finish(self) -> int:
        """Deliver what is left; return the exit status."""
        end(self.ship)
        self.ship = self._ship("--once")
        return self.ship.wait(60)


def end(process: "subprocess.Popen[bytes]") -> None:
    """Kill it."""
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.mark.timeout(120 + 5 * KILLS)
def test_nothing_is_lost(exitsnoop: str, store: Path, tmp_path: Path) -> None:
    chance = random.Random()
    arrived = tmp_path / "arrived"
    with storm(store):
        sides = Sides(exitsnoop, store, arrived)
        try:
            for nth in range(KILLS):
                before = arrived.stat().st_size
                while arrived.stat().st_size == before:  # so that both sides are at work
                    time.sleep(0.01)
                time.sleep(chance.random() * 0.3)
                sides.kill(taker=bool(nth % 2))
        except BaseException:
            end(sides.ship)
            end(sides.taker)
            raise
    try:
        assert sides.finish() == 0
    finally:
        end(sides.ship)
        end(sides.taker)
    uids = arrived.read_text().splitlines()
    exits = read(store)
    boot_ns, pid = exits.column("boot_ns"), exits.column("pid")
    sent = {f"m1/{BOOT.boot_id}/{at}/{of}/{of}" for at, of in zip(boot_ns, pid, strict=True)}
    assert len(sent) == len(exits) > 100 * KILLS
    assert set(uids) == sent
