"""What must not happen to this machine: few PIDs, used again and again; a clock that is stepped."""

import re
from datetime import datetime
from typing import Any

import pytest
from support.guests import TESTS, told_in_guest
from support.programs import compile_static

MOST_OFF_S = 0.05
pytestmark = pytest.mark.timeout(1800)  # a kernel may have to be downloaded


def test_no_record_mixes_two_processes_of_the_same_pid(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Each has a name, arguments, a status and a cause of its own."""
    program = compile_static(TESTS / "faults" / "loads.c", tmp_path_factory.mktemp("vm"))
    told = told_in_guest("provoke_reuse.py", program)
    for way, result in told.items():
        assert result["mixed"] == [], way
        assert result["lost"] == 0, way
        assert result["ends"] == 1500
        assert result["times"] >= 4, "PIDs were hardly used again"


@pytest.fixture(scope="module")
def clock() -> dict[str, Any]:
    return told_in_guest("provoke_clock.py")


def test_times_follow_a_clock_that_is_stepped(clock: dict[str, Any]) -> None:
    """Each exit has the time of the clock as it was when the exit was read."""
    assert clock["status"] == 0
    assert len(clock["exits"]) == 5
    for when, ended in clock["exits"].items():
        assert abs(ended["off_ms"]) < 50, when


def test_ages_do_not(clock: dict[str, Any]) -> None:
    for when, ended in clock["exits"].items():
        least, most = ended["lived"]
        assert least - 1e-5 <= ended["age"] <= most + 1e-5, when


def seconds(time: str) -> float:
    return datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp()


STEPS = ("forward", "back", "years")
STEPPED = ("before", *STEPS)


@pytest.mark.parametrize("when", STEPPED)
def test_a_recording_has_the_times_of_the_clock_as_it_is_now(
    clock: dict[str, Any], when: str
) -> None:
    told = clock["recorded"][when]
    assert max(told["off_s"]) < MOST_OFF_S
    assert all(age >= 0 for age in told["ages"])
    assert told["since"] == told["pids"][-1:]
    assert told["until"] == told["pids"][:-1]


@pytest.mark.parametrize("when", STEPPED)
def test_a_step_is_no_gap_in_a_recording(clock: dict[str, Any], when: str) -> None:
    """Nothing seems to be in the future, or before the recording began."""
    check_no_gap(clock["recorded"][when])


@pytest.mark.parametrize("when", STEPS)
def test_a_recording_follows_a_step_while_nothing_ends(clock: dict[str, Any], when: str) -> None:
    told = clock["recorded"][when]["idle"]
    assert abs(told["off_s"]) < MOST_OFF_S
    check_no_gap(told)


def check_no_gap(told: dict[str, Any]) -> None:
    why, status = told["why"], told["status"]
    begun, until = why["recorded"]["from"], why["recorded"]["to"]
    assert begun <= why["history"]["first_seen"] <= why["exit"]["time"] <= until <= told["now"]
    assert why["gaps"] == []
    assert status["recording"]
    (gap,) = status["gaps"]
    assert gap["why"] == "not recording"
    assert abs(seconds(gap["to"]) - seconds(begun)) < MOST_OFF_S
    assert not re.search(r"\bin \d+ (min|h|s)\b|-\d+(\.\d+)? m?s\b", told["text"]), told["text"]


def test_the_time_after_a_recording_is_the_only_gap(clock: dict[str, Any]) -> None:
    """The clock was stepped when the recorder had stopped."""
    told = clock["recorded"]["stopped"]
    (gap,) = told["why"]["gaps"]
    assert gap["why"] == "stopped"
    assert gap["from"] == told["why"]["recorded"]["to"]
    assert gap["from"] < told["now"] <= gap["to"]


def test_what_was_recorded_by_a_clock_that_was_ahead_is_not_to_come(clock: dict[str, Any]) -> None:
    """The clock was set back by 2 hours when the recorder had stopped."""
    text = " ".join(clock["recorded"]["stopped ahead"]["text"].split())
    for what in ("That was at", "recording no, since", "on disk up to"):
        assert re.search(what + r" [-:\w ]+, by a clock \d+ min ahead of this one", text), text
    assert not re.search(r"\bin \d+ (min|h)\b", text)
