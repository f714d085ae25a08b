"""Where Prometheus asks, others can connect, too: they cannot end ship, nor fill its log."""

import contextlib
import socket
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.prometheus import get, responds
from support.recorded import record
from support.services import free_port
from support.shipping import made
from support.waiting import until

FILES = 80


class Shipping:
    """`exitsnoop ship --metrics` that may have few files open.

    Attributes:
        port: where it answers.
    """

    def __init__(self, command: str, store: Path) -> None:
        self.port = free_port()
        self._url = f"http://127.0.0.1:{self.port}/metrics"
        words = ["prlimit", f"--nofile={FILES}:{FILES}", command, "ship", "--store", str(store)]
        words += ["--state", f"{store}-ship", "--metrics", f"127.0.0.1:{self.port}"]
        self._process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        until(self.responds)

    def responds(self) -> bool:
        """Whether it gives its metrics."""
        return responds(self._url)

    def counted(self) -> bool:
        """Whether it has counted 200 exits."""
        return 'exitsnoop_exits_total{cause="exited",result="ok"} 160.0' in get(self._url)

    def connected(self) -> socket.socket:
        """Return a connection to it."""
        return socket.create_connection(("127.0.0.1", self.port), 60)

    def end(self) -> str:
        """End it; return what it said."""
        self._process.terminate()
        _, said = self._process.communicate(timeout=60)
        assert self._process.returncode == 0, said
        return said

    def kill(self) -> None:
        """End it whatever happened."""
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def ship(exitsnoop: str, store: Path) -> Iterator[Shipping]:
    """Ship, which has counted 100 exits, 80 of them with code 0."""
    record(store, made(range(1, 101)))
    shipping = Shipping(exitsnoop, store)
    yield shipping
    shipping.kill()


def test_more_connections_than_it_may_have_files(ship: Shipping, store: Path) -> None:
    """The newest are answered, and the recording is read on."""
    with contextlib.ExitStack() as stack:
        for _ in range(2 * FILES):
            stack.enter_context(ship.connected()).sendall(b"GET /met")
        assert ship.responds()
        record(store, made(range(101, 201)))
        until(ship.counted)
    assert "Too many open files" not in ship.end()


def reset(connection: socket.socket) -> None:
    """Have the kernel send RST."""
    connection.sendall(b"GET /met")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_whoever_connects_writes_nothing_to_the_log(ship: Shipping) -> None:
    requests = [
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nAccept: text/plain; version=x\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"GET //[ HTTP/1.1\r\n\r\n",
    ]
    for request in requests:
        with ship.connected() as connection:
            connection.sendall(request)
            assert connection.recv(65536)
    for _ in range(20):
        with ship.connected() as connection:
            reset(connection)
    with ship.connected() as silent:
        silent.settimeout(60)
        assert silent.recv(1) == b""  # it gives up after 10 s
    assert ship.responds()
    said = ship.end().splitlines()
    assert len(said) == 2
    assert said[0].startswith("exitsnoop: answers Prometheus at port ")
    assert "100 delivered" in said[1]
