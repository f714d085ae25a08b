"""Loads that go on until they are stopped, or whoever started them is gone."""

import contextlib
import os
import subprocess
from collections.abc import Iterator


@contextlib.contextmanager
def looping(body: str) -> Iterator[subprocess.Popen[bytes]]:
    """A shell that does this over and over: at most as long as the thread that entered lives."""
    alone = f"[ $PPID = {os.getpid()} ] || exit"  # the parent was gone before it asked to be told
    words = ["setpriv", "--pdeathsig", "KILL", "/bin/sh", "-c"]
    loop = subprocess.Popen([*words, f"{alone}; while :; do {body}; done"])
    try:
        yield loop
    finally:
        loop.kill()
        loop.wait()
