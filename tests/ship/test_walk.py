"""docs/fleet.md leads from one machine to what a dashboard asks: its commands are typed here."""

import re
import subprocess
from functools import partial
from pathlib import Path

import pytest
from support.machine import need_to_trace
from support.prometheus import responds
from support.recorder import recording
from support.services import free_port, need_program, service
from support.waiting import until

ROOT = Path(__file__).parents[2]
TITLE = "## A dashboard in a quarter of an hour\n"
STAYS = re.compile(r"^(?=exitsnoop ship|prometheus )", re.M)


def commands() -> list[str]:
    """Return the commands of the section; those that run until they are ended are apart."""
    section = (ROOT / "docs" / "fleet.md").read_text().partition(TITLE)[2].partition("\n## ")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```$", section, re.M | re.S)
    return [command for block in blocks for command in STAYS.split(block)]


@pytest.mark.timeout(300)
def test_from_one_machine_to_a_dashboard(exitsnoop: str, store: Path, tmp_path: Path) -> None:
    """The recorder is started by hand; as a service, tests/systemd start it."""
    need_to_trace("a recording")
    web, metrics = free_port(), free_port()
    (tmp_path / "etc").mkdir()

    def here(command: str) -> str:
        for there, instead in (
            ("/etc/prometheus", f"{tmp_path}/etc"),
            ("/var/lib/prometheus", f"{tmp_path}/data --web.listen-address=127.0.0.1:{web}"),
            ("exitsnoop ship", f"{exitsnoop} ship --store {store} --state {tmp_path}/state"),
            (":9787", f":{metrics}"),
            (":9090", f":{web}"),
            ("interval: 15s", "interval: 1s"),
        ):
            command = command.replace(there, instead)
        return command

    def run(command: str) -> str:
        words = ["bash", "-c", here(command)]
        return subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout

    install, ship, configure, serve, ask = commands()
    assert install == "sudo exitsnoop record --install\n"
    need_program("promtool")
    with (
        recording(exitsnoop, store),
        service(here(ship).split(), partial(responds, f"http://127.0.0.1:{metrics}/metrics")),
    ):
        assert "SUCCESS" in run(configure)
        with service(here(serve).split(), partial(responds, f"http://127.0.0.1:{web}/-/ready")):
            until(lambda: '{cause="self"} => ' in run(ask))
