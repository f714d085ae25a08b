"""Through rotel, a receiver of OTLP that others wrote: what it makes of our messages is decoded."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.otlp import receiving
from support.recorded import record
from support.rotel import Rotel
from support.shipping import made, ship
from support.waiting import until

from exitsnoop.ship.otlp.receiver import Receiver
from exitsnoop.ship.otlp.settings import Settings

FORMS = {"http/protobuf": False, "http/json": True}


@contextlib.contextmanager
def rotel(to: str) -> Iterator[str]:
    """Run rotel; return its address."""
    agent = Rotel(to)
    try:
        yield f"http://127.0.0.1:{agent.port}"
    finally:
        agent.kill()


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
