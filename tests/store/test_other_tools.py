"""What the document says about other tools: they open a segment while it records."""

import re
import shlex
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest
from support.command import NOBODY
from support.machine import need
from support.recorded import exits, writer

from exitsnoop.store.writer import Writer

DOCUMENT = (Path(__file__).parents[2] / "docs" / "recorder.md").read_text()
USUAL = "/var/lib/exitsnoop"


@pytest.fixture
def recorder(store: Path) -> Writer:
    """A recorder with exits in its log, and others that are not committed."""
    found = writer(store)
    found.add(exits(range(100)))
    found.commit()
    found.add(exits(range(100, 105)))
    store.chmod(0o755)
    for path in store.iterdir():
        path.chmod(0o644)
    return found


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("prefix", [[], ["setpriv", *NOBODY]], ids=["root", "nobody"])
def test_the_shell_of_sqlite(store: Path, recorder: Writer, prefix: list[str]) -> None:
    need(shutil.which("sqlite3") is not None, "the sqlite3 shell")
    (command,) = re.findall(r"^sqlite3 .*", DOCUMENT, re.MULTILINE)
    words = shlex.split(command.replace(USUAL, str(store)))
    shown = subprocess.check_output([*prefix, *words], text=True).splitlines()
    assert [line.split("|")[1:] for line in shown] == [
        [f"job{number % 9}", "code 1"] for number in range(0, 100, 5)
    ]
    recorder.close()
    assert len(subprocess.check_output([*prefix, *words]).splitlines()) == 21


def test_python(store: Path, recorder: Writer) -> None:
    """What pandas is given: a connection, and a query."""
    (uri,) = re.findall(r'^segment = sqlite3.connect\("(.*)", uri=True\)', DOCUMENT, re.MULTILINE)
    (query,) = re.findall(r'^    "(SELECT .*)", segment', DOCUMENT, re.MULTILINE)
    segment = sqlite3.connect(uri.replace(USUAL, str(store)), uri=True)
    rows = segment.execute(query).fetchall()
    assert [row[1:] for row in rows] == [
        (f"job{number % 9}", "job.service", "killed" if number % 50 == 0 else "exited", 4096)
        for number in range(0, 100, 5)
    ]
    recorder.add(exits(range(105, 200)))
    recorder.commit()
    assert len(segment.execute(query).fetchall()) == 40
    segment.close()
    recorder.close()
