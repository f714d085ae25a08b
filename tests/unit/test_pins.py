"""The tools that make the wheel are pinned: exact versions, with the hashes of their files."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("group", ["build", "wheel"])
def test_each_tool_has_a_version_and_hashes(group: str) -> None:
    text = (ROOT / "tools" / "requirements" / f"{group}.txt").read_text()
    pins = text.replace("\\\n", "").splitlines()
    assert pins
    for pin in pins:
        assert re.fullmatch(r"[\w.-]+==[\w.]+(?: +--hash=sha256:[0-9a-f]{64})+", pin), pin
    listed = subprocess.run(
        [sys.executable, ROOT / "tools" / "dependencies", group],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    asked = {re.split(r"[<>=~]", line)[0] for line in listed.split()}
    assert asked <= {pin.partition("==")[0] for pin in pins}, "run `make pins`"
