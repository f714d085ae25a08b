"""The tracer and the recorder open no network connection: strace sees each socket that is made."""

import re
import subprocess
from pathlib import Path

from support.recorder import exits
from support.waiting import until

from exitsnoop.store.errors import NoStore


def families(log: Path) -> set[str]:
    """Return the families of the sockets that were made."""
    return set(re.findall(r"\bsocket(?:pair)?\((\w+)", log.read_text()))


def traced(log: Path, *command: str) -> "subprocess.Popen[str]":
    """Start a command under strace."""
    strace = ["strace", "--follow-forks", "--trace=network", "--output", str(log)]
    return subprocess.Popen([*strace, *command], stdout=subprocess.PIPE, text=True)


def end(process: "subprocess.Popen[str]", log: Path) -> None:
    """End what strace runs, and then strace."""
    (pid,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    subprocess.run(["kill", "-TERM", pid], check=True)
    process.communicate(timeout=60)
    assert log.exists()


def test_a_trace(exitsnoop: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    everything = ["-w", "-a", "-o", "+user,container,unit,hostname,exe,ancestors,max_rss"]
    process = traced(log, exitsnoop, *everything)
    assert process.stdout
    process.stdout.readline()
    subprocess.run(["sh", "-c", "kill -SEGV $$"], check=False)
    assert any("SEGV" in line for line in process.stdout)
    end(process, log)
    assert families(log) <= {"AF_UNIX"}


def test_a_recording(exitsnoop: str, tmp_path: Path) -> None:
    log, store = tmp_path / "log", tmp_path / "store"
    process = traced(log, exitsnoop, "record", "--store", str(store))

    def is_recorded() -> bool:
        subprocess.run(["sh", "-c", "exit 77"], check=False)
        try:
            return any(one.exit_code == 77 for one in exits(store))
        except NoStore:
            return False

    until(is_recorded)
    end(process, log)
    assert families(log) <= {"AF_UNIX"}


def test_strace_would_see_one(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = "import socket; socket.socket(socket.AF_INET); socket.socketpair()"
    process = traced(log, "/usr/bin/env", "python3", "-c", script)
    process.communicate(timeout=60)
    assert families(log) == {"AF_INET", "AF_UNIX"}
