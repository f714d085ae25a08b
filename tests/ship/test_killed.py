"""Either side is killed at any instant: each exit arrives, once if duplicates are removed."""

import contextlib
import http.client
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest
from support.machine import times
from support.otlp import Handler, Receiver, answer, body_of, decoded, hang_up, serving
from support.recorded import BOOT, START_NS, read, writer
from support.rotel import Rotel
from support.shipping import AGO_NS, made
from support.waiting import until

KILLS = times(3)
FORMS = ["http/protobuf", "http/json"]
pytestmark = pytest.mark.timeout(240 + 10 * KILLS)


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


def recorded(store: Path) -> set[str]:
    """Return the ids of what the storm left."""
    exits = read(store)
    boot_ns, pid = exits.column("boot_ns"), exits.column("pid")
    ids = {f"m1/{BOOT.boot_id}/{at}/{of}/{of}" for at, of in zip(boot_ns, pid, strict=True)}
    assert len(ids) == len(exits) > 100 * KILLS
    return ids


class Side(Protocol):
    """One of the two."""

    def kill(self) -> None:
        """Kill it, and start it again."""

    def end(self) -> None:
        """Kill it for good."""


class Ship:
    """The real command."""

    def __init__(self, exitsnoop: str, store: Path, url: str, form: str = FORMS[0]) -> None:
        self._words = [exitsnoop, "ship", "--store", str(store), "--select", "all"]
        self._words += ["--state", str(store.parent / "state"), "--otlp", url]
        self._environment = os.environ | {"OTEL_EXPORTER_OTLP_PROTOCOL": form}
        self._process = self._start()

    def _start(self, *more: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [*self._words, *more], stderr=subprocess.DEVNULL, env=self._environment
        )

    def kill(self) -> None:
        self.end()
        self._process = self._start()

    def end(self) -> None:
        end(self._process)

    def finish(self) -> int:
        """Deliver what is left; return the exit status."""
        self.end()
        self._process = self._start("--once")
        return self._process.wait(120)


class Taker:
    """A receiver that has written down what it acknowledges; ids are lines of a file."""

    def __init__(self, arrived: Path) -> None:
        self._arrived = arrived
        self._port = 0
        self._process = self._start()
        self.url = f"http://127.0.0.1:{self._port}"

    def _start(self) -> "subprocess.Popen[bytes]":
        script = Path(__file__).with_name("taker.py")
        words = [sys.executable, "-B", str(script), str(self._port), str(self._arrived)]
        process = subprocess.Popen(words, stdout=subprocess.PIPE)
        assert process.stdout
        self._port = int(process.stdout.readline())
        return process

    def kill(self) -> None:
        self.end()
        self._process = self._start()

    def end(self) -> None:
        end(self._process)


class Behind(Receiver):
    """Decodes what rotel sends on.

    Attributes:
        ids: what arrived.
    """

    def __init__(self) -> None:
        self.ids: set[str] = set()
        super().__init__()

    def react(self, handler: Handler, body: bytes) -> None:
        self.ids |= ids_in(handler, body)
        answer(200)(handler)


class Rotels(Receiver):
    """One rotel after the other, and a witness before it, which passes on requests and answers.

    Args:
        behind: where rotel sends on what it took.
        has_sent: whether the witness answers only when that has arrived. rotel itself answers as
            soon as it has the records in memory.

    Attributes:
        taken: what each rotel acknowledged.
    """

    def __init__(self, behind: Behind, *, has_sent: bool) -> None:
        self._behind = behind
        self._has_sent = has_sent
        self._rotel = Rotel(behind.url)
        self.taken: list[set[str]] = [set()]
        self._life = self._rotel, self.taken[-1]
        super().__init__()

    def react(self, handler: Handler, body: bytes) -> None:
        rotel, taken = self._life
        names = ("Content-Type", "Content-Encoding")
        connection = http.client.HTTPConnection("127.0.0.1", rotel.port)
        try:
            headers = {name: handler.headers[name] for name in names}
            connection.request("POST", handler.path, body, headers)
            response = connection.getresponse()
            said = response.read()
        except (OSError, http.client.HTTPException):
            hang_up(handler)
            return
        finally:
            connection.close()
        if response.status == 200:
            ids = ids_in(handler, body)
            taken |= ids
            while self._has_sent and not ids <= self._behind.ids:
                if rotel is not self._life[0]:
                    hang_up(handler)
                    return
                time.sleep(0.01)
        answer(response.status, said, Content_Type=response.headers["Content-Type"])(handler)

    def kill(self) -> None:
        self.end()
        self._rotel = Rotel(self._behind.url)
        self.taken.append(set())
        self._life = self._rotel, self.taken[-1]

    def end(self) -> None:
        self._rotel.kill()


def ids_in(handler: Handler, body: bytes) -> set[str]:
    """Return the ids of the records of a request."""
    return {one.uid for one in decoded(body_of(handler, body), handler.headers["Content-Type"])}


def end(process: "subprocess.Popen[bytes]") -> None:
    """Kill it."""
    process.send_signal(signal.SIGKILL)
    process.communicate()


def kill_in_turn(ship: Ship, receiver: Side, arrived: Callable[[], int]) -> None:
    """Kill one side and the other, at any instant while both are at work."""
    for nth in range(KILLS):
        before = arrived()
        until(lambda before=before: arrived() > before)  # type: ignore[misc]
        time.sleep(random.random() * 0.3)
        (receiver if nth % 2 else ship).kill()


def test_nothing_is_lost(exitsnoop: str, store: Path, tmp_path: Path) -> None:
    arrived = tmp_path / "arrived"
    with contextlib.ExitStack() as stack:
        taker = Taker(arrived)
        stack.callback(taker.end)
        with storm(store):
            ship = Ship(exitsnoop, store, taker.url)
            stack.callback(ship.end)
            kill_in_turn(ship, taker, lambda: arrived.stat().st_size)
        assert ship.finish() == 0
    assert set(arrived.read_text().splitlines()) == recorded(store)


@pytest.mark.parametrize("has_sent", [True, False], ids=["sent", "in_memory"])
@pytest.mark.parametrize("form", FORMS)
def test_through_rotel(exitsnoop: str, store: Path, form: str, has_sent: bool) -> None:
    """What rotel acknowledged and lost when it was killed is all that is missing."""
    with contextlib.ExitStack() as stack:
        behind = stack.enter_context(serving(Behind()))
        rotels = stack.enter_context(serving(Rotels(behind, has_sent=has_sent)))
        stack.callback(rotels.end)
        with storm(store):
            ship = Ship(exitsnoop, store, rotels.url, form)
            stack.callback(ship.end)
            kill_in_turn(ship, rotels, lambda: len(behind.ids))
        assert ship.finish() == 0
        *lost, last = rotels.taken
        until(lambda: last <= behind.ids)
    ids = recorded(store)
    assert behind.ids <= ids
    missing = ids - behind.ids
    assert missing <= (set() if has_sent else set().union(*lost))
