"""What tests start does not outlive them."""

import os
import select
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
PATIENCE_S = 20
STARTS_ONE = """
import sys
from support.programs import looping
with looping("echo on"):
    sys.stdin.read()
"""


def test_a_loop_ends_with_who_started_it() -> None:
    """Also if that is killed, and so cannot see to it."""
    with subprocess.Popen(
        [sys.executable, "-c", STARTS_ONE],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as starter:
        assert starter.stdout
        starter.stdout.readline()  # the loop's; soon it waits for more to be read
        children = Path(f"/proc/{starter.pid}/task/{starter.pid}/children").read_text()
        loop = os.pidfd_open(int(children))
        try:
            starter.kill()
            assert select.select([loop], [], [], PATIENCE_S)[0]
        finally:
            os.close(loop)
