"""Timers of a process that nothing handles: which one it was, and how often it goes off."""

import time
from signal import SIGALRM, SIGKILL, SIGPROF, SIGTERM, SIGUSR1, SIGVTALRM

import pytest
from support.causes import assert_only, cause_of
from support.stage import Stage
from support.truth import recorded

from exitsnoop.model.cause import Timer


@pytest.mark.parametrize(
    ("timer", "number"),
    [
        ("alarm", SIGALRM),
        ("real", SIGALRM),
        ("virtual", SIGVTALRM),
        ("prof", SIGPROF),
        ("posix", SIGTERM),
        ("posix", SIGUSR1),
        ("posix", SIGALRM),
        ("posix", SIGKILL),
    ],
)
def test_timers(stage: Stage, timer: str, number: int) -> None:
    """It is no one's signal, though the interrupt comes while another process has the CPU.

    deaths.c sees to it which one: this machine may have processes that no BPF program runs in.
    """
    with recorded(why=True) as exits:
        victim = stage.puppet()
        victim.die("time_out", timer, int(number))
        assert victim.wait() == -number
    assert_only(cause_of(exits, victim), "timer", "timer")


@pytest.mark.parametrize(
    ("timer", "number", "options", "text", "known"),
    [
        *[
            (timer, SIGALRM, (), "alarm (alarm or setitimer, SIGALRM)", Timer("ITIMER_REAL", 0))
            for timer in ("alarm", "real")
        ],
        (
            *("real", SIGALRM, (2500,)),
            "interval timer, every 2.5 s (SIGALRM)",
            Timer("ITIMER_REAL", 2.5),
        ),
        (
            *("virtual", SIGVTALRM, (40,)),
            "interval timer of user CPU time, every 40 ms (SIGVTALRM)",
            Timer("ITIMER_VIRTUAL", 0.04),
        ),
        (
            *("prof", SIGPROF, (8,)),
            "interval timer of CPU time, every 8 ms (SIGPROF)",
            Timer("ITIMER_PROF", 0.008),
        ),
        (
            *("prof", SIGPROF, ()),
            "interval timer of CPU time (SIGPROF)",
            Timer("ITIMER_PROF", 0),
        ),
        (
            *("posix", SIGTERM, ()),
            "timer of CLOCK_MONOTONIC (timer_create, SIGTERM)",
            Timer("CLOCK_MONOTONIC", 0),
        ),
        (
            *("posix", SIGUSR1, (60_000, time.CLOCK_REALTIME)),
            "timer of CLOCK_REALTIME, every 60 s (timer_create, SIGUSR1)",
            Timer("CLOCK_REALTIME", 60),
        ),
        (
            *("posix", SIGALRM, (0, time.CLOCK_MONOTONIC, 20)),
            "timer of CLOCK_MONOTONIC (timer_create, SIGALRM)",
            Timer("CLOCK_MONOTONIC", 0),
        ),
        (
            *("posix", SIGALRM, (0, time.CLOCK_PROCESS_CPUTIME_ID)),
            "timer of CPU time (timer_create, SIGALRM)",
            Timer("CLOCK_PROCESS_CPUTIME_ID", 0),
        ),
        (
            *("posix", SIGALRM, (0, time.CLOCK_THREAD_CPUTIME_ID)),
            "timer of CPU time of a thread (timer_create, SIGALRM)",
            Timer("CLOCK_THREAD_CPUTIME_ID", 0),
        ),
    ],
)
def test_which_timer(
    stage: Stage, timer: str, number: int, options: tuple[int, ...], text: str, known: Timer
) -> None:
    with recorded(why=True) as exits:
        victim = stage.puppet()
        victim.die("time_out", timer, int(number), *options)
        assert victim.wait() == -number
    cause = cause_of(exits, victim)
    assert (cause.text, cause.timer) == (text, known)


def test_one_of_many_timers(stage: Stage) -> None:
    """Before v6.13 a timer is searched for, among so many."""
    options = (0, time.CLOCK_MONOTONIC, 40)
    with recorded(why=True) as exits:
        victim = stage.puppet()
        victim.die("time_out", "posix", int(SIGTERM), *options)
        assert victim.wait() == -SIGTERM
    cause = cause_of(exits, victim)
    assert (cause.text, cause.timer) in {
        ("timer of CLOCK_MONOTONIC (timer_create, SIGTERM)", Timer("CLOCK_MONOTONIC", 0)),
        ("timer (timer_create, SIGTERM)", None),
    }
