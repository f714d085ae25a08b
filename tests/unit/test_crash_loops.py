"""What is a crash loop, and what is not: over made exits."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.recorded import FUZZ

from exitsnoop import Exit
from exitsnoop.model.cause import Cause
from exitsnoop.reports import loops as reports
from exitsnoop.reports.history import group
from exitsnoop.reports.loops import Loop, ended
from exitsnoop.reports.verdicts import mostly
from exitsnoop.testing import make_exit

SECOND_NS = 1_000_000_000
START_S = 10_000
WALL_NS = 1_700_000_000 * SECOND_NS
POD = "/kubepods.slice/kubepods-pod0f4ce0a4_c939_4d1e_9b8e_54ae37403a20.slice/cri-containerd-"


def death(at_s: float, age_s: float = 1, *, code: int = 3) -> Exit:
    at_ns = round(at_s * SECOND_NS)
    return make_exit(
        pid=1000 + round(at_s * 10),
        age=age_s,
        exit_code=code,
        boot_ns=START_S * SECOND_NS + at_ns,
        wall_ns=WALL_NS + at_ns,
        cause=Cause("exited", f"exit {code}"),
    )


def loops(deaths: Sequence[Exit]) -> list[Loop]:
    return reports.loops([ended(one) for one in deaths])


def found(deaths: Sequence[Exit]) -> list[tuple[float, float, int]]:
    """Each loop: when it began and ended, in seconds, and how many deaths."""
    return [
        ((one.from_ns - WALL_NS) / SECOND_NS, (one.to_ns - WALL_NS) / SECOND_NS, one.deaths)
        for one in loops(deaths)
    ]


def test_one_death_after_another() -> None:
    deaths = [death(at) for at in (0, 70, 140, 210, 280, 350)]
    (loop,) = loops(deaths)
    assert found(deaths) == [(0, 350, 6)]
    assert (loop.every_s, loop.cause, loop.status) == (70, "exited", 3 << 8)


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        ([3, 3, 3], "most: code 3"),
        ([3, 1, 3, 2, 3], "most: code 3"),
        ([3, 1, 3, 2], "most often: code 3"),
        ([1, 2, 4, 3, 3], "most often: code 3"),
    ],
)
def test_most_is_more_than_half(codes: list[int], words: str) -> None:
    (loop,) = loops([death(70 * nth, code=code) for nth, code in enumerate(codes)])
    assert mostly(loop) == words


def test_a_supervisor_that_backs_off() -> None:
    """As Kubernetes does: 10, 20, 40 s and so on, up to 5 minutes."""
    times, pause = [0.0], 10.0
    for _ in range(12):
        times.append(times[-1] + 2 + pause)
        pause = min(300, pause * 2)
    assert found([death(at, 2) for at in times]) == [(0, times[-1], 13)]


@pytest.mark.parametrize(
    "deaths",
    [
        [],
        [death(0), death(10)],
        [death(at, age_s=100) for at in (0, 1, 2, 3, 4)],  # they ran beside each other
        [death(at, age_s=2000) for at in (0, 3000, 6000)],  # they lived long
        [death(at) for at in (0, 3600, 7200, 10800)],  # a job of every hour
    ],
)
def test_what_is_no_loop(deaths: list[Exit]) -> None:
    assert loops(deaths) == []


def test_a_pool_of_workers_that_crash_again_and_again() -> None:
    """Four at a time, which their parent starts again."""
    deaths = [death(at + nth / 10, 5) for at in range(0, 60, 6) for nth in range(4)]
    assert found(deaths) == [(0, 54.3, 40)]


def test_two_loops_with_a_pause_or_a_good_run_between() -> None:
    first = [death(at) for at in range(0, 50, 10)]
    assert found([*first, *[death(at) for at in range(700, 750, 10)]]) == [
        (0, 40, 5),
        (700, 740, 5),
    ]
    lasted = death(800, 750)
    assert found([*first, lasted, *[death(at) for at in range(810, 850, 10)]]) == [
        (0, 40, 5),
        (810, 840, 4),
    ]


@FUZZ
@given(st.lists(st.tuples(st.integers(0, 4000), st.integers(1, 1200)), max_size=30))
def test_a_loop_is_at_least_three_short_lives_in_a_row(lives: list[tuple[int, int]]) -> None:
    deaths = sorted([death(*life) for life in lives], key=lambda one: one.boot_ns)
    counted = 0
    last_ns = 0
    for loop in loops(deaths):
        assert loop.from_ns >= last_ns
        last_ns = loop.to_ns
        short = [
            one for one in deaths if loop.from_ns <= one.wall_ns <= loop.to_ns and one.age <= 600
        ]
        assert 3 <= loop.deaths <= len(short)
        assert loop.every_s * (loop.deaths - 1) == pytest.approx(
            (loop.to_ns - loop.from_ns) / SECOND_NS, abs=0.1
        )
        counted += loop.deaths
    assert counted <= len(deaths)


def test_what_belongs_to_one_group() -> None:
    def of(**more: Any) -> tuple[object, ...]:
        return group(make_exit(comm="app", exe="/usr/bin/app", parent_comm="sh", **more))

    unit = of(cgroup="/system.slice/web.service")
    assert unit == ("/usr/bin/app", "", "web.service", None, None, None)
    assert of(cgroup="/system.slice/docker-" + "a" * 64 + ".scope")[3] == "a" * 64
    first, second = (of(cgroup=f"{POD}{digit * 64}.scope") for digit in "ab")
    assert first == second, "each start of a container of a pod has another id"
    assert first[4] == "0f4ce0a4-c939-4d1e-9b8e-54ae37403a20"
    for cgroup in ("/", "/user.slice/user-1000.slice/session-3.scope", "/init.scope"):
        assert of(cgroup=cgroup) == ("/usr/bin/app", "app", None, None, None, "sh")
