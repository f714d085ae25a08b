"""Exits in columns."""

import pytest

from exitsnoop.decode.exits import EVENT, decode
from exitsnoop.model.batch import Exits
from exitsnoop.model.context import Place

BLOCK = b"".join(
    EVENT.pack(pid * 10, pid, pid, pid, 1, pid << 8, True, pid != 2, b"%d" % pid)
    for pid in (1, 2, 3)
)


def test_one_by_one_they_are_the_same() -> None:
    exits = decode(BLOCK, 1000)
    assert len(exits) == 3
    assert list(exits) == [exits[0], exits[1], exits[-1]]
    assert [(e.pid, e.exit_code, e.comm, e.wall_ns) for e in exits] == [
        (1, 1, "1", 1010),
        (2, 2, "2", 1020),
        (3, 3, "3", 1030),
    ]
    assert [e.pid for e in exits[1:]] == [2, 3]
    assert exits[1:][0].wall_ns == 1020
    with pytest.raises(IndexError):
        exits[3]


def test_what_was_not_collected_is_none() -> None:
    assert decode(BLOCK, 0).column("cause") == [None, None, None]
    assert decode(BLOCK, 0).column("unit") == [None, None, None]
    assert decode(BLOCK, 0)[0].uid is None


def test_some_of_them() -> None:
    exits = decode(BLOCK, 1000)
    wanted = exits.where(exits.column("wanted"))
    assert [(e.pid, e.wall_ns) for e in wanted] == [(1, 1010), (3, 1030)]
    assert exits.where([True] * 3) is exits
    assert len(exits.where([False] * 3)) == 0


def test_none_at_all() -> None:
    for none in (decode(b"", 0), Exits({}), Exits.of([])):
        assert not none
        assert list(none) == []
        assert list(none.column("pid")) == []


def test_collected_one_by_one() -> None:
    exits = decode(BLOCK, 0)
    again = Exits.of(list(exits))
    assert list(again) == list(exits)
    assert Exits.of(exits) is exits
    assert [e.wanted for e in exits.replace(wanted=[False] * 3)] == [False] * 3


def test_several_batches_are_one() -> None:
    """Each has its own clock, and what was not collected of one stays unknown."""
    place = Place(1, "one", "/a.slice", None, None, None, None)
    parts = [
        decode(BLOCK, 1000).replace(place=[place] * 3, cwd=["/"] * 3),
        decode(BLOCK, 2000),
        Exits.of([decode(BLOCK, 3000).replace(user=["two"] * 3)[1]]),
    ]
    together = Exits.joined(parts)
    assert list(together) == [one for part in parts for one in part]
    assert together.shared("place")[0] is place
    assert [one.wall_ns for one in together] == [1010, 1020, 1030, 2010, 2020, 2030, 3020]


def test_seconds_may_come_as_nanoseconds() -> None:
    exits = decode(BLOCK, 0).replace(cpu_user_ns=[1, None, 2_500_000_000])
    assert exits.column("cpu_user") == [1e-9, None, 2.5]
    assert exits.nanoseconds("cpu_user") == [1, None, 2_500_000_000]
    both = Exits.joined([exits[1:], decode(BLOCK, 0)])
    assert both.nanoseconds("cpu_user") == [None, 2_500_000_000, None, None, None]
    assert exits.replace(cpu_user=[0.25] * 3).nanoseconds("cpu_user") == [250_000_000] * 3


def test_the_wall_clock_is_ahead_by_the_same_time_unless_each_exit_has_its_own() -> None:
    exits = decode(BLOCK, 1000)
    assert exits.column("wall_ns") == [1010, 1020, 1030]
    assert exits.wall_offset_ns == exits[1:].wall_offset_ns == 1000
    assert exits.replace(wall_ns=[1, 2, 3]).wall_offset_ns is None
    assert Exits.joined([exits, decode(BLOCK, 7)]).wall_offset_ns is None
