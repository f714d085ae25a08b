"""Whose hand it was: a cron job that runs pkill on the wrong thing; gunicorn's worker timeout."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from support.flight import Answers, Flight
from support.machine import need
from support.waiting import until


@contextlib.contextmanager
def running(words: list[str], cwd: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A service with children, all of which are gone afterwards."""
    service = subprocess.Popen(words, cwd=cwd, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        yield service
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(service.pid, signal.SIGKILL)
        service.wait()


QUIET = """\
mount -t tmpfs none /etc/cron.d && mount -t tmpfs none /var/spool/cron && mount -t tmpfs none /run
mount --bind /dev/null /etc/crontab
cp "$1" /etc/cron.d/backup
exec cron -f
"""


def test_a_cron_job_that_kills_the_wrong_thing(
    flight: Flight, answers: Answers, tmp_path: Path
) -> None:
    """The answer names cron, the script, and pkill, though only cron is left."""
    need(shutil.which("cron") is not None, "needs cron: tools/system-packages test python3")
    worker = Path(shutil.copy("/bin/sleep", tmp_path / "mailworker"))
    job = tmp_path / "backup.sh"
    job.write_text(f"#!/bin/sh\npkill -KILL -f {worker}\ntrue\n")
    job.chmod(0o755)
    table = tmp_path / "table"
    table.write_text(f"@reboot root {job}\n")
    with flight():
        others = [subprocess.Popen([worker, "1000"]) for _ in range(3)]
        cron = subprocess.Popen(["unshare", "--mount", "sh", "-ec", QUIET, "sh", str(table)])
        for other in others:
            assert other.wait(timeout=60) == -9
        cron.terminate()
        cron.wait()
    told = answers.record("mailworker")
    assert told["exit"]["cause"]["kind"] == "killed"
    killer = told["killer"]
    assert killer["comm"] == "pkill"
    assert killer["args"] == ["pkill", "-KILL", "-f", str(worker)]
    above = [one["comm"] for one in killer["ancestors"]]
    assert above[0] == "backup.sh"
    assert above.index("cron") > 0
    assert killer["exit"]["exit_code"] == 0
    assert {one["pid"] for one in told["cascade"]} == {other.pid for other in others}
    assert [one["relation"] for one in told["cascade"]] == ["first", "same_sender", "same_sender"]
    assert told["exit"]["pid"] == told["cascade"][0]["pid"], "the first is what is asked about"
    text = answers.ask(others[1].pid)
    words = " ".join(text.split())
    assert (
        f"mailworker[{others[1].pid}] was killed by pkill[{killer['pid']}] with SIGKILL." in words
    )
    assert f"backup.sh[{killer['ppid']}] -> pkill[{killer['pid']}]" in words
    assert f"The same pkill[{killer['pid']}] killed them." in words


APP = """\
import itertools, os, signal

signal.signal(signal.SIGABRT, signal.SIG_IGN)  # the timeout sends it before SIGKILL

def app(environ, start_response):
    with open("stuck", "w") as file:
        file.write(str(os.getpid()))
    sum(itertools.repeat(0))
"""


def test_the_timeout_of_a_worker_of_gunicorn(
    flight: Flight, answers: Answers, tmp_path: Path
) -> None:
    (tmp_path / "slow.py").write_text(APP)
    path = tmp_path / "socket"
    words = ["-m", "gunicorn", "--timeout", "1", "--bind", f"unix:{path}", "slow:app"]
    with (
        flight(),
        running([sys.executable, *words], cwd=tmp_path) as gunicorn,
    ):
        until(path.exists)
        with socket.socket(socket.AF_UNIX) as client:
            until(lambda: client.connect_ex(str(path)) == 0)  # it is there before it listens
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            client.settimeout(60)
            assert client.recv(1) == b"", "the worker is killed"
        worker = int((tmp_path / "stuck").read_text())
        gunicorn.terminate()
        assert gunicorn.wait(timeout=60) == 0
    told = answers.record(worker)
    assert told["exit"]["signal_name"] == "SIGKILL"
    assert told["exit"]["ppid"] == told["killer"]["pid"] == gunicorn.pid
    assert told["killer"]["ancestors"][0]["pid"] == os.getpid()
    assert "was killed by its parent " in answers.ask(worker)
