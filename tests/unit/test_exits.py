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
