"""The tracer is killed, or is not alone."""

import os
import subprocess
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP

import pytest
from support.accounts import count, traced
from support.bpf import assert_gone, held, there_are
from support.command import tracing
from support.machine import times

PLAIN: list[str] = []
EVERYTHING = ["-wa", "-o", "+exe,user,ancestors,cgroup,max_rss", "--tree", str(os.getpid())]


@pytest.mark.timeout(300 + 5 * times(3))
@pytest.mark.parametrize("options", [PLAIN, EVERYTHING], ids=["plain", "everything"])
def test_nothing_stays_behind_after_a_kill(exitsnoop: str, loads: Path, options: list[str]) -> None:
    """While exits come."""
    for _ in range(times(3)):
        with tracing(exitsnoop, *options) as tracer:
            ours = held(tracer.process.pid)
            assert {kind for kind, _ in ours} == {"prog", "link", "map"}
            assert ours <= there_are()
            with subprocess.Popen([loads, "forks", "3000"], stdout=subprocess.DEVNULL) as load:
                tracer.process.send_signal(SIGKILL)
                assert tracer.process.wait() == -SIGKILL
                assert_gone(ours)
                assert load.wait() == 0


def test_one_does_not_disturb_the_other(exitsnoop: str, loads: Path, tmp_path: Path) -> None:
    """One is complete, while another of the same exits is stopped, and a third is killed."""
    one, two, three = (tmp_path / name for name in ("one", "two", "three"))
    with (
        traced(exitsnoop, one, loads.name) as whole,
        traced(exitsnoop, two, loads.name, "-w", "-o", "+args") as stopped,
    ):
        stopped.suspend(SIGSTOP)
        with (
            traced(exitsnoop, three, loads.name) as killed,
            subprocess.Popen([loads, "forks", "20000"], stdout=subprocess.DEVNULL) as load,
        ):
            killed.process.kill()
            assert load.wait() == 0
        truth = 20_001 + count(loads, "forks", 20_000)
        whole.stop().assert_adds_up(truth, lost=False)
        stopped.suspend(SIGCONT)
        stopped.stop().assert_adds_up(truth)
