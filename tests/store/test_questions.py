"""What a query finds: the same as looking at every exit."""

import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.recorded import OFFSET_NS, SMALL, START_NS, exits, pids, read, writer

from exitsnoop.model.cause import Cause
from exitsnoop.store import schema
from exitsnoop.store.query import Query
from exitsnoop.store.recording import Recording
from exitsnoop.store.selection import PAGE

WALL_NS = START_NS + OFFSET_NS
ID = "0123456789abcdef" * 4
NUMBERS = range(4000)


def of(number: int) -> dict[str, Any]:
    """What differs from exit to exit."""
    unit = ("nginx.service", "db@1.service", "db@2.service", None)[number % 4]
    return {
        "exe": (None, "/usr/sbin/nginx", "/usr/bin/job")[number % 3],
        "cgroup": f"/system.slice/{unit}" if unit else f"/docker/{ID}",
        "pid": number % 700 + 1,
    }


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("questions") / "store"
    recorder = writer(store)
    for first in range(0, len(NUMBERS), 100):
        numbers = range(first, first + 100)
        known = [of(number) for number in numbers]
        columns: dict[str, Any] = {name: [one[name] for one in known] for name in known[0]}
        recorder.add(exits(numbers, **columns))
    recorder.close()
    return store


def numbers_of(store: Path, **query: object) -> list[int]:
    return [int(words[1]) for words in read(store, **query).column("args")]


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ({}, lambda _: True),
        ({"pids": [5]}, lambda n: of(n)["pid"] == 5),
        ({"hostnames": ["web?"]}, lambda n: n % 4 == 3),
        ({"hostnames": ["web2"]}, lambda _: False),
        ({"pids": [5, 6, 5000]}, lambda n: of(n)["pid"] in (5, 6)),
        ({"names": ["job3"]}, lambda n: n % 9 == 3),
        ({"names": ["job[34]", "x*"]}, lambda n: n % 9 in (3, 4)),
        ({"names": ["JOB3"]}, lambda _: False),
        ({"names": ["%"]}, lambda _: False),
        ({"exes": ["/usr/sbin/*"]}, lambda n: n % 3 == 1),
        ({"units": ["db@*"]}, lambda n: n % 4 in (1, 2)),
        ({"units": ["nginx.service"], "failed": True}, lambda n: n % 4 == 0 and n % 5 == 0),
        ({"containers": [ID]}, lambda n: n % 4 == 3),
        ({"containers": [ID[:12]]}, lambda n: n % 4 == 3),
        ({"containers": [ID[:11]]}, lambda _: False),
        ({"failed": True}, lambda n: n % 5 == 0),
        ({"names": ["job*"], "pids": [7], "failed": True}, lambda n: n % 700 == 6 and n % 5 == 0),
        ({"since_ns": WALL_NS + 1_000_000}, lambda n: n >= 1000),
        ({"until_ns": WALL_NS + 1_000_000}, lambda n: n <= 1000),
        ({"since_ns": WALL_NS + 1, "until_ns": WALL_NS + 9000, "failed": True}, lambda n: n == 5),
        ({"since_ns": WALL_NS + 4_000_000}, lambda _: False),
        ({"after_id": 10, "before_id": 20}, lambda n: 10 <= n < 19),
        ({"boot_id": "another"}, lambda _: False),
    ],
)
def test_what_is_asked_for_is_found(
    recorded: Path, query: dict[str, Any], holds: Callable[[int], bool]
) -> None:
    expected = [number for number in NUMBERS if holds(number)]
    assert numbers_of(recorded, **query) == expected
    assert numbers_of(recorded, newest_first=True, **query) == expected[::-1]
    assert numbers_of(recorded, limit=3, **query) == expected[:3]
    assert numbers_of(recorded, limit=3, newest_first=True, **query) == expected[::-1][:3]
    more = PAGE + 100
    assert numbers_of(recorded, limit=more, **query) == expected[:more]
    assert numbers_of(recorded, limit=more, newest_first=True, **query) == expected[::-1][:more]


PARENTS = 150  # more than are asked one by one, and fewer than a page has


@pytest.fixture(scope="module", params=["one number", "apart"])
def of_many_parents(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Exits of programs that many started; also as versions before the eighth wrote them."""
    store = tmp_path_factory.mktemp("many")
    recorder = writer(store)
    if request.param == "apart":
        recorder.close()
        (segment,) = store.glob("exits-*.db")
        segment.unlink()
        with contextlib.closing(sqlite3.connect(segment, isolation_level=None)) as connection:
            schema.create(connection, 1, apart=True)
        recorder = writer(store)
    for first in range(0, 3000, 100):
        numbers = range(first, first + 100)
        parents = [f"parent{number * number % PARENTS}" for number in numbers]
        recorder.add(exits(numbers, parent_comm=parents))
    recorder.close()
    return store


@pytest.mark.parametrize("asked", [{}, {"failed": True}, {"pids": [*range(5, 2000, 7)]}])
@pytest.mark.parametrize("limit", [None, 1, 400])
@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("names", [["job3"], ["job[3-6]"]])
def test_programs_that_many_started(
    of_many_parents: Path,
    asked: dict[str, Any],
    limit: int | None,
    newest_first: bool,
    names: list[str],
) -> None:
    wanted = {3} if names == ["job3"] else {3, 4, 5, 6}
    expected = [
        number
        for number in range(3000)
        if number % 9 in wanted
        and (number % 5 == 0 or "failed" not in asked)
        and number in asked.get("pids", [number])
    ]
    if newest_first:
        expected.reverse()
    found = pids(of_many_parents, names=names, newest_first=newest_first, limit=limit, **asked)
    assert found == expected[:limit]


def test_a_selection_is_a_source(recorded: Path) -> None:
    selection = Recording(recorded).select(Query(failed=True))
    assert (selection.ended, selection.lost, selection.unexplained) == (False, 0, 0)
    sizes = [len(batch) for batch in selection.batches()]
    assert sum(sizes) == 800
    assert max(sizes) <= PAGE
    assert selection.ended
    assert selection.last_id == 3996
    assert selection.unreadable == []


def test_what_is_unexplained_is_counted(store: Path) -> None:
    recorder = writer(store)
    recorder.add(exits(range(5), status=9, cause=Cause("unknown", "unknown")))
    recorder.close()
    selection = Recording(store).select(Query())
    assert len(list(selection.batches())) == 1
    assert selection.unexplained == 5


def test_a_selection_ends_when_nobody_reads(recorded: Path) -> None:
    reading, writing = os.pipe()
    batches = Recording(recorded).select(Query()).batches(writing)
    assert len(next(batches)) == PAGE
    os.close(reading)
    assert list(batches) == []
    os.close(writing)


def test_it_can_be_followed(store: Path) -> None:
    """What came after the last id is what is new."""
    recorder = writer(store)
    recording = Recording(store)
    last = 0
    for first in range(0, 30, 10):
        recorder.add(exits(range(first, first + 10)))
        recorder.commit()
        selection = recording.select(Query(after_id=last))
        found = [pid for batch in selection.batches() for pid in batch.column("pid")]
        assert found == list(range(first, first + 10))
        last = selection.last_id
    recorder.close()


def test_segments_that_come_and_go_meanwhile(store: Path) -> None:
    """Each exit comes once; of what was dropped before its turn, the failures that were kept."""
    recorder = writer(store, limits=SMALL)
    first = 0
    for first in range(0, 70_000, 1000):
        recorder.add(exits(range(first, first + 1000)))
    batches = Recording(store).select(Query()).batches()
    found = list(next(batches).column("pid"))
    for later in range(first + 1000, first + 90_000, 1000):
        recorder.add(exits(range(later, later + 1000)))
    recorder.commit()
    for batch in batches:
        found += batch.column("pid")
    recorder.close()
    assert found == sorted(set(found))
    assert found[-1] == later + 999
    assert found[-30_000:] == list(range(later + 999 - 29_999, later + 1000))
    assert pids(store, limit=5) != found[:5]
