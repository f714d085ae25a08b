"""Crash loops below supervisors: a shell, and runit."""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

from support.flight import Answers, Flight
from support.machine import need
from support.recorder import exits
from support.supervisor import children_of
from support.waiting import until

STARTS = 5


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def comm(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def test_a_shell_that_starts_it_again(flight: Flight, answers: Answers, tmp_path: Path) -> None:
    """The answer is there while it goes on, too."""
    crasher = script(tmp_path / "crasher", "kill -SEGV $$")
    begun, goal = tmp_path / "begun", tmp_path / "goal"
    loop = f"until [ -e {goal} ]; do {crasher}; echo >> {begun}; sleep 0.05; done"
    with flight() as recorder:
        with subprocess.Popen(["/bin/sh", "-c", loop], stderr=subprocess.DEVNULL) as shell:
            until(lambda: begun.exists() and begun.read_text().count("\n") >= STARTS)
            until(lambda: bool(exits(answers.store, names=["crasher"])))
            assert answers.record("crasher", "--boot", 0)["exit"]["cause"]["kind"] == "self"
            assert "the recorder was stopped" not in answers.ask("crasher")
            goal.touch()
            shell.wait()
        recorder.stop()
    deaths = begun.read_text().count("\n")
    told = answers.record("crasher")
    assert told["exit"]["signal_name"] == "SIGSEGV"
    (found,) = told["history"]["loops"]
    assert (found["deaths"], found["cause"]) == (deaths, "self")
    assert 0.05 <= found["every_s"] < 5
    assert found["to"] == told["exit"]["time"]
    assert found["from"] < found["to"]
    assert told["history"]["count"] == deaths
    assert told["history"]["by_cause"] == {"self": deaths}
    assert "(the recorder was stopped)" in " ".join(answers.ask("crasher").split())


def test_runit_starts_it_again(flight: Flight, answers: Answers, tmp_path: Path) -> None:
    """The service crashes below a script, which runsv starts: both levels are loops."""
    need(shutil.which("runsv") is not None, "needs runit: tools/system-packages test python3")
    service = tmp_path / "web"
    service.mkdir()
    worker = script(tmp_path / "webworker", "exit 3")
    count = tmp_path / "count"
    count.touch()
    lines = f"[ $(wc -l < {count}) -lt {STARTS} ] || exec sleep 1000\necho >> {count}"
    script(service / "run", f"{lines}\n{worker}\nexit 1")
    with flight(), subprocess.Popen(["runsv", service]) as runsv:
        until(lambda: [comm(pid) for pid in children_of(runsv.pid)] == ["sleep"])
        runsv.terminate()
    for name in ("webworker", "run"):
        told = answers.record(name)
        (found,) = told["history"]["loops"]
        assert found["deaths"] == STARTS
        assert found["cause"] == "exited"
        assert 0 < found["every_s"] < 10, "runsv waits for a second, if it lived for less"
    assert told["exit"]["parent_comm"] == "runsv"
    text = answers.ask("webworker")
    assert "A crash loop: " in text
    assert "] exited with code 3." in text


def test_jobs_beside_each_other_are_no_loop(
    flight: Flight, answers: Answers, tmp_path: Path
) -> None:
    failing = script(tmp_path / "failing-job", "exit 2")
    with flight():
        words = ["xargs", "-P8", "-n1", str(failing)]
        subprocess.run(words, input=" ".join("abcdefgh"), text=True, check=False)
    told = answers.record("failing-job")
    assert told["history"]["loops"] == []
    assert told["history"]["count"] == 8
    assert os.path.basename(told["exit"]["args"][1]) == "failing-job"
