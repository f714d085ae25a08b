"""Through rotel, a receiver of OTLP that others wrote: what it makes of our messages is decoded."""

import contextlib
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.machine import need
from support.otlp import receiving
from support.recorded import record
from support.shipping import made, ship
from support.waiting import until

from exitsnoop.ship.otlp.receiver import Receiver
from exitsnoop.ship.otlp.settings import Settings

FORMS = {"http/protobuf": False, "http/json": True}


def free_port() -> int:
    """Return a port that nobody has now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def answers(port: int) -> bool:
    """Return whether somebody listens there."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@contextlib.contextmanager
def rotel(to: str) -> Iterator[str]:
    """Run rotel, which passes on what it receives; return its address."""
    package = pytest.importorskip("rotel", reason="rotel has wheels for x86-64 only")
    agent = Path(package.__file__).with_name("rotel-agent")
    http, grpc = free_port(), free_port()
    words = ["start", "--otlp-http-endpoint", f"127.0.0.1:{http}"]
    words += ["--otlp-grpc-endpoint", f"127.0.0.1:{grpc}", "--exporter", "otlp"]
    words += ["--otlp-exporter-endpoint", to, "--otlp-exporter-protocol", "http"]
    process = subprocess.Popen(
        [agent, *words, "--batch-timeout", "100ms"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: answers(http) or process.poll() is not None)
        need(process.poll() is None, "rotel does not run here")
        yield f"http://127.0.0.1:{http}"
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("form", FORMS)
def test_all_arrives(store: Path, form: str) -> None:
    record(store, made(range(1, 1001)))
    with receiving() as behind, rotel(behind.url) as url:
        destination = Receiver(
            Settings(f"{url}/v1/logs", json=FORMS[form]), lambda exits: exits, failed=True
        )
        shipper, said = ship(store, destination)
        assert (shipper.tally.delivered, said) == (200, [])
        until(lambda: len(behind.records) >= 200)
    assert len({one.uid for one in behind.records}) == 200
    one = max(behind.records, key=lambda one: one.time_ns)
    assert one.event == "exitsnoop.process.exit"
    assert one.attributes["process.pid"] == 1000
    assert one.attributes["process.exit.code"] == 1
    assert one.attributes["process.command_args"] == ["job", "1000"]
    assert one.resource["host.name"] == "web1"
