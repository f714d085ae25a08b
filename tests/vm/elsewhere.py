"""A recording of this machine, read by a machine of another kind; pytest takes it by its name.

    PYTHONPATH=benchmarks python elsewhere.py DIRECTORY     records, and notes what is answered here

In the guest, RECORDED_HERE names the directory. The wheel that is installed there answers alike.
"""

import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from exitsnoop.model.fields import COLUMNS

# What is asked of the recording: all that it holds, and why the last process died.
ASKED = {
    "past": ["past", "--json", "--columns", ",".join(COLUMNS)],
    "table": ["past", "--columns", "+cause,unit,args,max_rss,cpu_user"],
    "why": ["why"],
    "sql": ["sql", "SELECT cause, count(*), sum(age) FROM exits GROUP BY 1 ORDER BY 1"],
}


def asked(store: Path, words: list[str]) -> str:
    """Return what exitsnoop answers about a recording."""
    command = Path(sys.executable).with_name("exitsnoop")
    answer = subprocess.run(
        [command, *words],
        env={"EXITSNOOP_STORE": str(store), "TZ": "UTC", "LC_ALL": "C.UTF-8", "COLUMNS": "200"},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    return re.sub(r"\d+ \w+ ago", "ago", answer)  # that differs with the clock


def main() -> None:
    """Record, and note the answers."""
    from machines import record

    directory = Path(sys.argv[1])
    directory.mkdir(parents=True)
    record(directory / "store", 0, 600, time.time_ns() - 3 * 86_400 * 10**9)
    for name, words in ASKED.items():
        (directory / name).write_text(asked(directory / "store", words))
    (directory / "machine").write_text(platform.machine())


@pytest.mark.parametrize("name", ASKED)
def test_a_recording_of_another_machine_is_read_alike(name: str) -> None:
    there = Path(os.environ["RECORDED_HERE"])
    assert (there / "machine").read_text() != platform.machine()
    answer = asked(there / "store", ASKED[name])
    assert answer
    assert answer == (there / name).read_text()


def test_the_command_says_its_version() -> None:
    command = Path(sys.executable).with_name("exitsnoop")
    said = subprocess.check_output([command, "--version"], text=True)
    assert said.startswith("exitsnoop ")


if __name__ == "__main__":
    main()
