"""The arithmetic of missed events, under AddressSanitizer: a look costs nothing and never waits."""

import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from support.programs import sanitized

Look = tuple[bool, int]
Looks = Callable[..., list[Look]]


@pytest.fixture(scope="module")
def looks(tmp_path_factory: pytest.TempPathFactory) -> Looks:
    source = Path(__file__).with_name("misses.c")
    program = sanitized(source, tmp_path_factory.mktemp("native"), ["misses.c"])

    def take(*found: tuple[int, int], before: int = 0) -> list[Look]:
        """Return (settled, how many) after each look, which is (milliseconds, missed)."""
        text = "".join(f"{at} {missed}\n" for at, missed in found)
        output = subprocess.check_output([program, str(before)], input=text, text=True)
        lines = [line.split() for line in output.splitlines()]
        return [(settled == "1", int(count)) for settled, count in lines]

    return take


def every(milliseconds: int, missed: Iterable[int]) -> list[tuple[int, int]]:
    return [(7 + number * milliseconds, count) for number, count in enumerate(missed)]


def test_nothing_missed_is_settled_at_once(looks: Looks) -> None:
    assert looks((7, 0), (8, 0)) == [(True, 0)] * 2


def test_what_was_missed_before_all_were_attached_does_not_count(looks: Looks) -> None:
    assert looks((7, 5), (8, 5), before=5) == [(True, 0)] * 2
    assert looks((7, 4), before=5) == [(True, 0)]


def test_an_event_on_its_way_is_not_counted(looks: Looks) -> None:
    """Also if each look finds another one, as long as one look finds none."""
    found = looks(*every(1, [1] * 90 + [0] + [1] * 50))
    assert {count for _, count in found} == {0}
    assert [settled for settled, _ in found] == [False] * 90 + [True] + [False] * 50


def test_a_missed_event_counts_after_a_while(looks: Looks) -> None:
    found = looks(*every(1, [1] * 102))
    assert found[:100] == [(False, 0)] * 100
    assert found[100:] == [(True, 1)] * 2


def test_the_least_counts(looks: Looks) -> None:
    """Two were missed; others were on their way at each look except one."""
    found = looks(*every(10, [5, 4, 3, 7, 2, 3, 9, 3, 4, 5, 8]))
    assert found[-2:] == [(False, 0), (True, 2)]


def test_few_looks_settle_nothing_however_long_they_take(looks: Looks) -> None:
    """Each of them may have found another event on its way."""
    found = looks(*every(60_000, [1] * 10))
    assert found == [(False, 0)] * 9 + [(True, 1)]


def test_what_is_settled_never_falls(looks: Looks) -> None:
    found = looks(*every(20, [3] * 10), (10_000, 2), (10_001, 4), (10_002, 3))
    assert found[9:] == [(True, 3), (True, 3), (False, 3), (True, 3)]


def test_more_is_missed_later(looks: Looks) -> None:
    found = looks(*every(20, [3] * 10 + [5] * 10))
    assert [count for _, count in found] == [0] * 9 + [3] * 10 + [5]
