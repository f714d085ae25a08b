"""What must not happen to this machine: few PIDs, used again and again; a clock that is stepped."""

from typing import Any

import pytest
from support.guests import TESTS, told_in_guest
from support.programs import compile_static

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
