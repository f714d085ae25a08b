"""docs/fleet.md: what it says of OTLP can be typed."""

import re
import shlex
from pathlib import Path

from support.command import run
from support.otlp import receiving
from support.recorded import record
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


def test_it_names_each_variable() -> None:
    text = DOCUMENT.read_text()
    source = Path(__file__).parents[2] / "src" / "exitsnoop" / "ship" / "otlp" / "settings.py"
    names = re.findall(r'given\("(\w+)"\)', source.read_text())
    assert len(names) > 6
    for name in names:
        assert f"OTEL_EXPORTER_OTLP_{name}`" in text or f"_{name}`" in text, name
