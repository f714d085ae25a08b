"""`exitsnoop ship --journal` with all of systemd: the status of a service shows why it failed."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.service import COMMAND, put_in_place, record, run_service, shown, systemctl
from support.waiting import until

from exitsnoop.recorder.install import UNITS
from exitsnoop.ship.entries import MESSAGE_IDS

PACKAGING = Path(__file__).parents[2] / "packaging"
UNIT = "exitsnoop-journal.service"
CATALOG = Path("/usr/lib/systemd/catalog/exitsnoop.catalog")


@pytest.fixture(scope="module", autouse=True)
def _service() -> Iterator[None]:
    put_in_place()
    installed = record("--install", "--max-size", "16M")
    assert installed.returncode == 0, installed.stderr
    text = (PACKAGING / UNIT).read_text()
    (UNITS / UNIT).write_text(text.replace("/usr/bin/exitsnoop", str(COMMAND)))
    shutil.copy(PACKAGING / CATALOG.name, CATALOG)
    subprocess.run(["journalctl", "--update-catalog"], check=True)
    systemctl("daemon-reload")
    systemctl("start", UNIT)
    until(lambda: bool(list(Path("/var/lib/exitsnoop-journal").glob("journal-*.json"))))
    yield
    systemctl("stop", UNIT)
    (UNITS / UNIT).unlink()
    CATALOG.unlink()
    assert record("--uninstall").returncode == 0


def of_unit(unit: str, *words: str) -> str:
    """Return what journalctl shows of a unit."""
    command = ["journalctl", "--no-pager", "--unit", unit, *words]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def until_it_says(unit: str, pattern: str) -> str:
    """Wait until the journal of a unit has a line from us; return the line."""
    found: list[str] = []

    def is_there() -> bool:
        found[:] = re.findall(rf"exitsnoop\[\d+\]: (.*{pattern}.*)", of_unit(unit))
        return bool(found)

    until(is_there)
    return found[0]


def test_it_runs_as_root_without_privileges() -> None:
    status = Path(f"/proc/{shown('MainPID', UNIT)}/status").read_text()
    assert set(re.findall(r"^Cap\w+:\t(\w+)", status, re.M)) == {"0" * 16}
    assert re.search(r"^Uid:\t0\t0\t0\t0$", status, re.M)
    assert re.search(r"^Seccomp:\t2$", status, re.M)


def test_the_status_of_a_service_that_crash_loops_shows_why() -> None:
    loop = ["--property", "Restart=always", "--property", "RestartSec=100ms"]
    loop += ["--property", "StartLimitIntervalSec=0"]
    script = ["/bin/sh", "-c", "kill -SEGV $$$$"]
    subprocess.run(["systemd-run", "--quiet", "--unit", "looper", *loop, *script], check=True)
    try:
        until(lambda: int(shown("NRestarts", "looper.service")) >= 3)
        said = until_it_says("looper.service", "SIGSEGV")
        assert re.fullmatch(r"sh\[\d+\] sent itself SIGSEGV.*", said)
        until(lambda: "sent itself SIGSEGV" in systemctl("status", "looper", check=False))
    finally:
        systemctl("stop", "looper")
        systemctl("reset-failed", "looper", check=False)


@pytest.mark.parametrize(
    ("name", "script", "properties", "expected"),
    [
        ("coder", "exit 78", (), r"sh\[\d+\] exited with code 78"),
        ("victim", "/bin/kill -KILL $$", (), r"sh\[\d+\] was killed by kill\[\d+\] with SIGKILL"),
        (
            "eater",
            "x=x; while :; do x=$x$x; done",
            ("MemoryMax=32M", "MemorySwapMax=0"),
            r"sh\[\d+\] was killed by the kernel: its cgroup reached its limit of 32\.0M",
        ),
    ],
)
def test_the_journal_of_a_unit_says_why_it_failed(
    name: str, script: str, properties: tuple[str, ...], expected: str
) -> None:
    run_service(name, script, *properties)
    assert re.fullmatch(expected, until_it_says(f"{name}.service", expected))
    systemctl("reset-failed", name, check=False)


def test_the_catalog_explains_an_entry() -> None:
    run_service("explained", "exit 3")
    until_it_says("explained.service", "exited with code 3")
    text = of_unit("explained.service", "--catalog", f"MESSAGE_ID={MESSAGE_IDS['exited']}")
    assert re.search(r"Subject: exitsnoop: sh failed with a code", text)
    assert re.search(r"sh \(PID \d+, of user root\) exited by itself, with code", text)
    systemctl("reset-failed", "explained", check=False)
