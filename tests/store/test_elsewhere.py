"""A recording answers without privileges, without the extension, on another machine."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import UNPRIVILEGED
from support.recorded import BOOT, OFFSET_NS, SECOND_NS, START_NS, exits, record, without_rights

import exitsnoop
from exitsnoop import cli


@pytest.fixture
def elsewhere(store: Path) -> Path:
    """A directory with a copy of a recording, and with the package without its extension."""
    record(store, exits(range(1000), user="known there", uid=4242), boot=BOOT)
    top = store.parent / "elsewhere"
    shutil.copytree(store, top / "store")
    shutil.copytree(
        Path(exitsnoop.__path__[0]),
        top / "exitsnoop",
        ignore=shutil.ignore_patterns("_native*", "__pycache__"),
    )
    for path in (top, *top.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return top


def answer(elsewhere: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run it as a user who cannot trace, and can write nowhere; its files may be anywhere."""
    return subprocess.run(
        [
            *UNPRIVILEGED,
            sys.executable,
            "-sB",
            "-m",
            "exitsnoop",
            *words,
        ],
        capture_output=True,
        text=True,
        cwd=elsewhere,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(elsewhere),
            "EXITSNOOP_STORE": "store",
            "TZ": "UTC0",
        },
        timeout=60,
        check=False,
    )


@pytest.mark.usefixtures("as_root")
def test_past(elsewhere: Path) -> None:
    result = answer(
        elsewhere, "past", "--json", "-u", "known there", "-c", "/system.slice/job.service"
    )
    assert result.returncode == 0, result.stderr
    assert [json.loads(line)["pid"] for line in result.stdout.splitlines()] == list(range(1000))
    begun = (START_NS + OFFSET_NS) // SECOND_NS
    result = answer(elsewhere, "past", "--until", f"@{begun - 1}")
    assert (result.returncode, result.stdout) == (3, "")


@pytest.mark.usefixtures("as_root")
def test_sql(elsewhere: Path) -> None:
    result = answer(elsewhere, "sql", "--csv", "SELECT count(*) AS n, max(user) FROM exits")
    assert (result.returncode, result.stdout) == (0, "n,max(user)\n1000,known there\n")
    result = answer(elsewhere, "sql")
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("words", [["past"], ["sql", "SELECT 1 FROM exits"]])
def test_who_may_not_read_is_refused_in_words(
    store: Path, capfd: pytest.CaptureFixture[str], words: list[str]
) -> None:
    record(store, exits(range(3)))

    def refused() -> None:
        assert cli.main([*words, "--store", str(store)]) == 77

    without_rights(refused)
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err == (
        f"exitsnoop: may not read {store}: only root and the group adm may "
        "(sudo, or usermod -aG adm USER)\n"
    )


@pytest.mark.usefixtures("as_root")
def test_tracing_needs_what_is_missing(elsewhere: Path) -> None:
    """So that the tests above show something."""
    result = answer(elsewhere)
    assert result.returncode == 70
    assert "_native" in result.stderr
