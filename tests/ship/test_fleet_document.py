"""docs/fleet.md: what it says of `ship` can be typed, and all that it says to type is tested."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import run
from support.otlp import receiving
from support.recorded import record
from support.services import free_port
from support.shipping import made

DOCUMENT = Path(__file__).parents[2] / "docs" / "fleet.md"


def test_its_commands_deliver(exitsnoop: str, store: Path, tmp_path: Path) -> None:
    record(store, made(range(1, 11)))
    token = tmp_path / "token"
    token.write_text("Authorization: Bearer secret\n")
    lines = re.findall(r"^exitsnoop (ship .*--otlp.*)$", DOCUMENT.read_text(), re.M)
    assert lines
    for nth, line in enumerate(lines):
        with receiving() as receiver:
            here = line.replace("https://collector.example:4318", receiver.url)
            here = here.replace("/etc/exitsnoop/token", str(token))
            state = str(tmp_path / f"state{nth}")
            words = [*shlex.split(here), "--once", "--store", str(store), "--state", state]
            found = run(exitsnoop, *words)
        assert found.returncode == 0, found.stderr
        assert len(receiver.records) == 2


def test_its_counters_can_be_asked_for(exitsnoop: str, store: Path, tmp_path: Path) -> None:
    record(store, made(range(1, 11)))
    (line,) = re.findall(r"^exitsnoop (ship --metrics 127.*)$", DOCUMENT.read_text(), re.M)
    words = shlex.split(line.replace(":9787", f":{free_port()}"))
    state = str(tmp_path / "state")
    found = run(exitsnoop, *words, "--once", "--store", str(store), "--state", state)
    assert found.returncode == 0, found.stderr


EXTRAS = re.findall(r"pip install '(exitsnoop\[\w+\])'", DOCUMENT.read_text())


@pytest.mark.parametrize("extra", sorted(set(EXTRAS)))
def test_pip_finds_what_it_needs(extra: str) -> None:
    """The tests have these libraries: nothing is left to install. pip warns of an unknown extra."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install"]
    words = [*pip, "--no-index", "--dry-run", "--root-user-action=ignore", extra]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_command_is_run_by_a_test() -> None:
    """Here, in test_walk.py, tests/systemd/test_ship_service.py or engines/test_clickhouse.py."""
    before, title, _ = DOCUMENT.read_text().partition("## To Parquet")
    assert title
    start, _, walk = before.partition("## A dashboard in a quarter of an hour\n")
    assert "```" not in start
    rest = walk.partition("\n## ")[2]
    here = ("pip install 'exitsnoop[", "sudo exitsnoop record --install", "exitsnoop ship --")
    for block in re.findall(r"^```sh\n(.*?)^```$", rest, re.M | re.S):
        if not block.startswith("install -D"):
            assert all(line.startswith(here) for line in block.splitlines()), block


def test_it_names_each_variable() -> None:
    text = DOCUMENT.read_text()
    source = Path(__file__).parents[2] / "src" / "exitsnoop" / "ship" / "otlp" / "settings.py"
    names = re.findall(r'given\("(\w+)"\)', source.read_text())
    assert len(names) > 6
    for name in names:
        assert f"OTEL_EXPORTER_OTLP_{name}`" in text or f"_{name}`" in text, name
