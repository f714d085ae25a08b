"""packaging/exitsnoop-ship.service under a real systemd: it delivers without any privilege."""

import os
import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.otlp import Receiver, receiving
from support.service import (
    COMMAND,
    put_in_place,
    record,
    recorded_of,
    run_service,
    shown,
    systemctl,
)
from support.waiting import until

UNIT = "exitsnoop-ship.service"
ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "fleet.md"
INSTALLED = Path("/etc/systemd/system") / UNIT
ENVIRONMENT = Path("/etc/exitsnoop/ship.env")


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """The receiver that the service delivers to; it runs, as docs/fleet.md says."""
    put_in_place()
    installed = record("--install", "--max-size", "16M")
    assert installed.returncode == 0, installed.stderr
    (typed,) = re.findall(r"^```sh\n(install .*?)^```$", DOCUMENT.read_text(), re.M | re.S)
    with receiving() as found:
        typed = typed.replace("https://collector.example:4318", found.url)
        path = f"{COMMAND.parent}:{os.environ['PATH']}"
        environment = os.environ | {"PATH": path}
        subprocess.run(["bash", "-euc", typed], cwd=ROOT, env=environment, check=True)
        yield found
        systemctl("disable", "--now", UNIT)
    INSTALLED.unlink()
    ENVIRONMENT.unlink()
    assert record("--uninstall").returncode == 0


def of_unit(receiver: Receiver, unit: str) -> int:
    """Return how many exits of a unit arrived."""
    return sum(one.attributes.get("exitsnoop.unit") == unit for one in receiver.records)


def test_it_delivers_without_privileges(receiver: Receiver) -> None:
    run_service("shipped", "exit 3")
    recorded_of("shipped.service")
    until(lambda: of_unit(receiver, "shipped.service") > 0)
    assert receiver.requests[-1]["Authorization"] == "Bearer SECRET"
    assert stat.S_IMODE(ENVIRONMENT.stat().st_mode) == 0o600
    status = Path(f"/proc/{shown('MainPID', UNIT)}/status").read_text()
    assert set(re.findall(r"^Cap(?:Eff|Prm|Inh|Amb|Bnd):\t(\w+)", status, re.M)) == {"0" * 16}
    uid = re.search(r"^Uid:\t(\d+)", status, re.M)
    assert uid
    assert int(uid[1]) >= 61184  # a dynamic user
    until(lambda: "delivered" in shown("StatusText", UNIT))
    (cursor,) = Path("/var/lib/exitsnoop-ship").glob("*.json")
    assert cursor.stat().st_mode & 0o777 == 0o600
