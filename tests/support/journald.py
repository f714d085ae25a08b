"""A real systemd-journald, in a mount namespace of its own, with a journal that is empty."""

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.machine import need
from support.waiting import until

_DAEMON = "/lib/systemd/systemd-journald"
_JOURNAL = "/run/log/journal"
_PREPARE = (
    f"mount -t tmpfs tmpfs /run && mkdir -p {_JOURNAL} /run/systemd/journal && echo && read go"
)


class Journald:
    """The daemon, and what it has."""

    def __init__(self, keeper: "subprocess.Popen[str]") -> None:
        self.inside = ["nsenter", "--mount", f"--target={keeper.pid}"]
        self._daemon: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it takes entries."""
        self._daemon = subprocess.Popen([*self.inside, _DAEMON], stderr=subprocess.DEVNULL)
        until(self._takes_entries)

    def _takes_entries(self) -> bool:
        words = [*self.inside, "journalctl", "--sync"]
        return not subprocess.run(words, capture_output=True, check=False).returncode

    def stop(self) -> None:
        """End it."""
        if self._daemon:
            self._daemon.terminate()
            self._daemon.wait()

    def entries(self, *words: str) -> list[dict[str, Any]]:
        """Return the entries that journalctl finds."""
        return [json.loads(line) for line in self.shown("-o", "json", *words).splitlines()]

    def shown(self, *words: str) -> str:
        """Return what journalctl prints."""
        command = ["journalctl", "--directory", _JOURNAL, "--quiet", "--no-pager", *words]
        run = subprocess.run(
            [*self.inside, *command], stdout=subprocess.PIPE, text=True, check=False
        )
        return run.stdout


@contextlib.contextmanager
def journald() -> Iterator[Journald]:
    """Run it while the block runs."""
    need(Path(_DAEMON).exists(), "it is in Debian's package systemd")
    keeper = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", _PREPARE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert keeper.stdout
    keeper.stdout.readline()
    daemon = Journald(keeper)
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.stop()
        keeper.communicate()
