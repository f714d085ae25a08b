"""What a service manager hears, on a real socket."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from exitsnoop.recorder.notify import Service


class Manager:
    """Listens as systemd does."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0"))
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        """Return what came since the last call, each message in a line."""
        messages = []
        while True:
            try:
                messages.append(self._socket.recv(4096).decode().replace("\n", " "))
            except BlockingIOError:
                return messages

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["a file", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    address = str(tmp_path / "notify")
    made = Manager(address if request.param == "a file" else f"@{address}")
    yield made
    made.close()


class Watch:
    def __init__(self) -> None:
        self.now = 0.0
        self.status = "fine"

    def service(self, **environment: str) -> Service:
        return Service(lambda: self.status, environment, lambda: self.now)


def test_the_beginning_and_the_end(manager: Manager) -> None:
    service = Watch().service(NOTIFY_SOCKET=manager.address)
    assert service.is_there
    service.ready()
    service.stopping()
    assert manager.heard() == ["READY=1 STATUS=fine", "STOPPING=1 STATUS=fine"]
    assert service.due is None


def test_the_status_is_sent_when_it_changes_once_a_second_at_most(manager: Manager) -> None:
    watch = Watch()
    service = watch.service(NOTIFY_SOCKET=manager.address)
    service.ready()
    manager.heard()
    for second, status, said in [
        (0.5, "better", []),
        (1.0, "better", ["STATUS=better"]),
        (9.0, "better", []),
        (9.1, "best", ["STATUS=best"]),
    ]:
        watch.now, watch.status = second, status
        service.tick()
        assert manager.heard() == said


def test_signs_of_life_come_twice_as_often_as_the_manager_wants(manager: Manager) -> None:
    watch = Watch()
    service = watch.service(
        NOTIFY_SOCKET=manager.address, WATCHDOG_USEC="60000000", WATCHDOG_PID=str(os.getpid())
    )
    assert service.due is None
    service.ready()
    manager.heard()
    assert service.due == 30.0
    watch.now = 29.9
    service.tick()
    assert manager.heard() == []
    watch.now = 30.5
    service.tick()
    assert manager.heard() == ["WATCHDOG=1 STATUS=fine"]
    assert service.due == 60.5


@pytest.mark.parametrize(
    "wanted",
    [{}, {"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "soon"}],
)
def test_none_are_given_that_nobody_wants(manager: Manager, wanted: dict[str, str]) -> None:
    service = Watch().service(NOTIFY_SOCKET=manager.address, **wanted)
    service.ready()
    assert service.due is None


def test_without_a_manager_nothing_is_sent() -> None:
    watch = Watch()
    service = watch.service(WATCHDOG_USEC="60000000")
    assert not service.is_there
    for step in (service.ready, service.tick, service.stopping):
        step()
    assert service.due is None


def test_a_manager_that_does_not_listen_stops_nobody(manager: Manager) -> None:
    """Its queue is full, then it is gone."""
    watch = Watch()
    service = watch.service(NOTIFY_SOCKET=manager.address)
    service.ready()
    for second in range(1, 2000):
        watch.now, watch.status = float(second), str(second)
        service.tick()
    assert len(manager.heard()) < 1999
    manager.close()
    service.stopping()
