"""Standard input, output or error closed at the start: no other file takes their place."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.command import COLUMNS

CLOSED = ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"]


@pytest.mark.parametrize("closed", CLOSED)
def test_a_file_gets_rows_and_nothing_else(exitsnoop: str, closed: str, tmp_path: Path) -> None:
    rows = tmp_path / "rows"
    script = f"{exitsnoop} --output {rows} -- sh -c 'exit 3' {closed}"
    result = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=60)
    assert result.returncode == 3
    header, row = rows.read_text().splitlines()
    assert header.startswith(COLUMNS)
    assert row.endswith("code 3")
    assert result.stdout == ""
    assert ("1 exit" in result.stderr) == ("2" not in closed)


@pytest.mark.parametrize("closed", CLOSED)
def test_a_command_inherits_them_closed(exitsnoop: str, closed: str, tmp_path: Path) -> None:
    listing = tmp_path / "listing"
    command = f"sh -c 'ls /proc/$$/fd 2>/dev/null >{listing}; :'"
    found = []
    for prefix in ("", f"{exitsnoop} --output /dev/null -- "):
        subprocess.run(["sh", "-c", f"{prefix}{command} {closed}"], check=True, timeout=60)
        found.append(listing.read_text())
    assert found[0] == found[1]


@pytest.mark.parametrize("words", ["--no-such-option", "-p 1 -- true", "--output /no/such/file"])
def test_without_standard_error_the_status_is_the_same(exitsnoop: str, words: str) -> None:
    codes = [
        subprocess.run(["sh", "-c", f"{exitsnoop} {words} {closed}"], timeout=60).returncode
        for closed in ("", "2>&-")
    ]
    assert codes[0] == codes[1] != 0


def test_the_library_leaves_no_descriptor_open_if_it_gets_0() -> None:
    script = (
        "import os, exitsnoop; exitsnoop.Tracer().close(); os.close(0)\n"
        "before = os.listdir('/proc/self/fd'); exitsnoop.Tracer().close()\n"
        "assert os.listdir('/proc/self/fd') == before, before"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
