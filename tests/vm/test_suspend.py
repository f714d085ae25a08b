"""A machine that is suspended while a recorder is at work, in a guest."""

import re
import shutil
import subprocess
import sys
import sysconfig
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from support.guests import VM, told_in_guest

import exitsnoop

pytestmark = pytest.mark.timeout(1800)  # a kernel may have to be downloaded
LEFT_OUT = ("test", "site-packages", "config-*", "idlelib", "lib2to3", "ensurepip", "__pycache__")
MOST_OFF_S = 0.05


def linked(files: list[Path]) -> set[Path]:
    """Return the libraries that files need."""
    told = subprocess.run(["ldd", *files], stdout=subprocess.PIPE, text=True, check=False).stdout
    return {Path(path) for path in re.findall(r"(/\S+) \(0x", told)}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory with Python and exitsnoop, at the paths that they have here."""
    top = tmp_path / "root"
    interpreter = Path(sys.executable).resolve()
    library = Path(sysconfig.get_path("stdlib"))
    package = Path(exitsnoop.__file__).parent
    for folder in (library, package):
        shutil.copytree(
            folder, top / folder.relative_to("/"), ignore=shutil.ignore_patterns(*LEFT_OUT)
        )
    programs = [interpreter, *package.glob("*.so"), *(library / "lib-dynload").glob("*.so")]
    script = VM / "provoke_suspend.py"
    for path in {interpreter, script, *linked(programs)}:
        copied = top / path.relative_to("/")
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copied)
    return top


@pytest.fixture
def told(root: Path) -> dict[str, Any]:
    return told_in_guest("provoke_suspend.py", root, memory_mib=1024)


def test_what_is_recorded_over_it(told: dict[str, Any]) -> None:
    """Times and ages are those of clocks that go on while the machine is suspended."""
    assert told["slept"] > 2, "the machine was not suspended"
    rows = {row["pid"]: row for row in told["rows"]}
    for when, ended in told["exits"].items():
        row = rows[ended["pid"]]
        least, most = ended["lived"]
        assert least <= row["age"] <= most, when
        at = datetime.fromisoformat(row["time"].replace("Z", "+00:00")).timestamp()
        least, most = (ns / 1e9 for ns in ended["ended_ns"])
        assert least - MOST_OFF_S <= at <= most + MOST_OFF_S, when
    assert [gap["why"] for gap in told["why"]["gaps"]] == ["stopped"]
    assert told["why"]["exit"]["age"] > told["slept"]
