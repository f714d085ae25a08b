"""What to trace, checked."""

import pytest

from exitsnoop.cli.lists import parse_pids
from exitsnoop.filters.filters import Filters


def test_pids_are_kept_in_order_and_once() -> None:
    assert parse_pids("3,1,3,2") == [3, 1, 2]


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "a", "1,", ",1", "1 2", "4194305", "٣", "1_0", "0x10"]
)
def test_what_cannot_be_a_pid(text: str) -> None:
    with pytest.raises(ValueError, match="PID"):
        parse_pids(text)


def test_checked_filters() -> None:
    filters = Filters.checked(pids=iter([5, 5]), failed=True, per_thread=False)
    assert vars(filters) == vars(Filters(pids=(5,), failed=True, per_thread=False))
