"""The Debian package under a real systemd: from its installation to its purge, in this order."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.service import STORE, recorded_of, run_service, shown, systemctl

ROOT = Path(__file__).parents[2]
COMMAND = Path("/usr/bin/exitsnoop")
OF_LIBBPF_TOOLS = Path("/usr/sbin/exitsnoop")
UNIT = "exitsnoop.service"
SETTINGS = Path("/etc/systemd/system", f"{UNIT}.d", "override.conf")  # as `systemctl edit` does
# Where its files could stay behind, besides those that dpkg lists.
PLACES = ("/etc", "/var/lib", "/var/cache", "/usr/lib/python3", "/run/systemd")


def run(*command: str | Path) -> str:
    """Run a command to its end; return what it says."""
    return subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
    ).stdout


def named_after_it() -> set[str]:
    """Files and directories that have its name, except in the logs of dpkg."""
    return set(run("find", *PLACES, "-xdev", "-name", "*exitsnoop*").splitlines())


@pytest.fixture(scope="module")
def package() -> Path:
    (found,) = (ROOT / "dist").glob("*.deb")
    return found


def of_version(package: Path, directory: Path, more: str) -> Path:
    """Return the same package with another version: `more` is added to it."""
    tree = directory / "tree"
    run("dpkg-deb", "--raw-extract", package, tree)
    control = tree / "DEBIAN" / "control"
    control.write_text(re.sub(r"^(Version: .*)$", rf"\1{more}", control.read_text(), flags=re.M))
    run("dpkg-deb", "-Znone", "--root-owner-group", "--build", tree, tree.with_suffix(".deb"))
    return tree.with_suffix(".deb")


@pytest.fixture(scope="module")
def files(package: Path) -> list[str]:
    """All that it installs."""
    lines = run("dpkg-deb", "--contents", package).splitlines()
    return [line.split()[5].removeprefix(".") for line in lines]


@pytest.fixture(scope="module", autouse=True)
def _gone_at_the_end() -> Iterator[None]:
    for left in STORE.parent.glob("exitsnoop*"):  # by the services of other tests
        shutil.rmtree(left)
    before = named_after_it()
    peer = OF_LIBBPF_TOOLS.read_bytes()
    yield
    run("dpkg", "--purge", "exitsnoop")
    systemctl("reset-failed", "api.service", "worker.service", check=False)
    assert OF_LIBBPF_TOOLS.read_bytes() == peer
    assert named_after_it() == before


@pytest.mark.parametrize("more", ["~older", ""], ids=["installation", "upgrade"])
def test_it_is_installed_and_does_not_run(package: Path, tmp_path: Path, more: str) -> None:
    """The units are there, neither started nor enabled; nor are they by an upgrade."""
    run("dpkg", "--install", of_version(package, tmp_path, more) if more else package)
    units = [UNIT, "exitsnoop-journal.service", "exitsnoop-ship.service"]
    assert systemctl("is-active", *units, check=False).split() == ["inactive"] * 3
    assert systemctl("is-enabled", *units, check=False).split() == ["disabled"] * 3
    assert not STORE.exists()
    assert run(COMMAND, "--version").startswith("exitsnoop ")


def test_when_started_it_records_and_why_tells() -> None:
    SETTINGS.parent.mkdir()
    SETTINGS.write_text("[Service]\nNice=3\n")
    systemctl("daemon-reload")
    systemctl("enable", "--now", "--quiet", UNIT)
    run_service("api", "kill -SEGV $$")
    assert recorded_of("api.service")
    answer = run(COMMAND, "why", "api")
    assert "SEGV" in answer
    assert "api.service" in answer


def test_an_upgrade_starts_what_runs_again(package: Path, tmp_path: Path) -> None:
    """The new version records with the same settings, and what the old one recorded is there."""
    before = shown("MainPID")
    run("dpkg", "--install", of_version(package, tmp_path, "+newer"))
    assert systemctl("is-active", UNIT) == "active"
    assert systemctl("is-enabled", UNIT) == "enabled"
    assert shown("MainPID") not in ("0", before)
    assert os.getpriority(os.PRIO_PROCESS, int(shown("MainPID"))) == 3
    shutil.rmtree(SETTINGS.parent)
    assert recorded_of("api.service")
    run_service("worker", "exit 3")
    assert recorded_of("worker.service")


def test_a_removal_ends_it_and_keeps_the_recording() -> None:
    """Also where `record --install` has written the service anew."""
    run(COMMAND, "record", "--install", "--max-size", "16M")
    assert systemctl("is-active", UNIT) == "active"
    run("dpkg", "--remove", "exitsnoop")
    assert systemctl("is-active", UNIT, check=False) != "active"
    assert not COMMAND.exists()
    assert recorded_of("worker.service")


def test_a_purge_leaves_nothing(files: list[str]) -> None:
    run("dpkg", "--purge", "exitsnoop")
    ours = [path for path in files if not path.endswith("/") or "exitsnoop" in path]
    assert not [path for path in ours if os.path.exists(path)]
    assert not STORE.exists()
    assert shown("LoadState") in ("not-found", "masked")
