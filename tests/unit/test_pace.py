"""When a tracer reads next."""

import time

import pytest

from exitsnoop import Tracer
from exitsnoop.testing import fake_kernel, make_exit
from exitsnoop.tracing.wait import PAUSE_S, Pace


def noted(pace: Pace, exits: int, *, complete: bool = True) -> float:
    pace.note(exits, anything=bool(exits), complete=complete)
    return pace.pause_s()


@pytest.mark.parametrize("longest", [PAUSE_S, 0.1, 0.001])
def test_a_pause_comes_after_exits_in_numbers(longest: float) -> None:
    pace = Pace(longest)
    assert pace.pause_s() == 0
    assert noted(pace, 5) == longest
    assert Pace(longest).pause_s() == 0


def test_an_exit_that_comes_alone_is_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    pace = Pace(0.1)
    assert noted(pace, 1) == 0
    now += 0.03
    assert noted(pace, 1) == 0
    now += 0.01
    assert noted(pace, 1) == 0.1


def test_where_the_buffer_could_fill_up_the_pause_is_short() -> None:
    pace = Pace(0.1)
    assert noted(pace, 256, complete=False) == 0
    assert pace.behind
    assert noted(pace, 256, complete=False) == 0
    assert noted(pace, 10) == PAUSE_S
    assert noted(pace, 10) == 0.1


def test_a_batch_can_be_waited_for_until_a_time() -> None:
    with fake_kernel() as kernel, Tracer() as tracer:
        begun = time.monotonic()
        assert len(tracer.next_batch(0.05)) == 0
        assert time.monotonic() - begun >= 0.05
        assert not tracer.ended
        kernel.report(make_exit(pid=7), make_exit(pid=8))
        assert [ended.pid for ended in tracer.next_batch(60)] == [7, 8]
        tracer.stop()
        assert len(tracer.next_batch()) == 0
        assert tracer.ended


@pytest.mark.parametrize("pause_s", [-0.1, 1.5])
def test_a_pause_has_its_bounds(pause_s: float) -> None:
    with fake_kernel(), pytest.raises(ValueError, match="pause_s"):
        Tracer(pause_s=pause_s)
