"""The counts by the hour add up, whatever is dropped, and say from when on they do."""

import contextlib
import sqlite3
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.flight import run_command
from support.recorded import OFFSET_NS, SECOND_NS, SMALL, START_NS, ask, exits, record, writer

from exitsnoop.model.batch import Exits
from exitsnoop.reports.gaps import missing
from exitsnoop.reports.history import history
from exitsnoop.reports.standing import Standing
from exitsnoop.reports.when import local
from exitsnoop.store import retention, rollups
from exitsnoop.store.directory import Directory
from exitsnoop.store.query import Query
from exitsnoop.store.recording import Recording

HOUR_NS = 3600 * SECOND_NS


def counted(store: Path, **query: Any) -> int:
    return sum(part.exits for part in Recording(store).counts(Query(**query)))


def named(numbers: Iterable[int], names: Sequence[str]) -> Exits:
    """Exits with names of their own, whose programs lie in deep directories."""
    return exits(
        numbers,
        raw_comm=[name.encode()[:15].ljust(16, b"\0") for name in names],
        exe=[f"/srv/builds/of/somebody/{'x' * 60}/{name}" for name in names],
    )


def test_a_storm_of_names_loses_no_count(store: Path) -> None:
    """Every exit has a name of its own; the segments of an hour are dropped many times over."""
    recorder = writer(store, limits=SMALL)
    for first in range(0, 150_000, 1000):
        numbers = range(first, first + 1000)
        names = ["steady" if number % 10 == 0 else f"once{number}" for number in numbers]
        recorder.add(named(numbers, names))
    assert (recorder.close(), recorder.lost) == (0, 0)
    assert min(Directory(store).segments()) > 75_000
    assert counted(store) == 150_000
    assert counted(store, failed=True) == 30_000
    assert counted(store, names=["steady"]) == 15_000
    assert ask(store, "SELECT sum(exits) FROM hours") == [(150_000,)]
    assert ask(store, "SELECT sum(exits) FROM hours WHERE comm = 'steady'") == [(15_000,)]
    recording = Recording(store)
    assert recording.counted_since() is None
    (steady,) = recording.select(Query(names=["steady"], newest_first=True, limit=1)).batches()
    known = history(recording, steady[0], recording.newest_id(), steady[0].wall_ns)
    assert known.total == 15_000
    assert 75_000 < known.nameless < 135_000
    assert (store / "kept.db").stat().st_size <= 0.12 * SMALL.max_bytes
    status, said, messages = run_command(
        [str(Path(sys.executable).with_name("exitsnoop")), "why", "--store", str(store), "steady"]
    )
    assert (status, messages) == (0, "")
    assert f"{known.nameless:,} exits are counted without a name" in " ".join(said.split())
    status, said, messages = run_command(
        [
            str(Path(sys.executable).with_name("exitsnoop")),
            "why",
            "--store",
            str(store),
            "once149995",
        ]
    )
    assert (status, messages) == (0, "")
    assert f"{known.nameless:,} exits are counted without a name" in " ".join(said.split())


def test_counts_of_an_hour_are_one_row(store: Path) -> None:
    recorder = writer(store, limits=SMALL)
    for first in range(0, 220_000, 1000):
        recorder.add(exits(range(first, first + 1000)))
    recorder.close()
    with contextlib.closing(sqlite3.connect(store / "kept.db")) as kept:
        each = kept.execute(
            "SELECT segment, count(*), sum(count) FROM hours GROUP BY segment"
        ).fetchall()
        ways = kept.execute(
            "SELECT count(*) FROM ("
            "SELECT 1 FROM hours GROUP BY hour, name, exe, place, cause, status)"
        ).fetchone()
        stretches = kept.execute(
            "SELECT count(*), count(DISTINCT from_ns) FROM coverage"
        ).fetchone()
    assert each[0][0] == 0
    assert each[0][1:] == (ways[0], each[0][2])
    assert len(each) <= 2 + 8
    assert counted(store) == 220_000
    assert stretches == (2, 1)  # all segments were written to in one stretch
    (covered,) = Recording(store).recorded()
    assert covered.from_ns == OFFSET_NS + START_NS


def hours_of(store: Path, count: int, statuses: Sequence[int]) -> None:
    """Write so many hours, the last of them now, with exits of every status."""
    begin_ns = time.time_ns() - count * HOUR_NS
    recorder = writer(store, limits=SMALL)
    number = 0
    for nth in range(count):
        numbers = range(number, number + len(statuses))
        boot_ns = [START_NS + nth * HOUR_NS + at for at in range(len(statuses))]
        recorder.add(
            exits(
                numbers,
                begin_ns - START_NS,
                boot_ns=boot_ns,
                start_boot_ns=[at - 1000 for at in boot_ns],
                status=list(statuses),
                args=[("x" * 100, str(one)) for one in numbers],
            )
        )
        recorder.commit()
        number += len(statuses)
    assert recorder.close() == 0


def test_when_even_totals_do_not_fit_the_oldest_go_and_it_is_said(store: Path) -> None:
    """A program with every exit code, for months: more than the least recording has room for."""
    hours_of(store, 3000, [code << 8 for code in range(60)])
    recording = Recording(store)
    since_ns = recording.counted_since()
    assert since_ns is not None
    first, last = ask(store, "SELECT min(hour), max(hour) FROM hours")[0]
    of_hour = dict(ask(store, "SELECT hour, sum(exits) FROM hours GROUP BY 1"))
    whole = [hour for hour in of_hour if hour not in (first, last)]
    assert len(whole) > 20
    complete = [part.exits for part in recording.counts(Query(since_ns=since_ns + HOUR_NS))]
    assert sum(complete) >= 60 * 20
    assert {of_hour[hour] for hour in whole if hour >= _utc(since_ns)} == {60}
    assert (store / "kept.db").stat().st_size <= 0.12 * SMALL.max_bytes
    shown = " ".join(" ".join(Standing(recording, time.time_ns()).lines("x")).split())
    assert f"counted all since {local(since_ns, time.time_ns())}" in shown
    lines = missing(recording, [], [], since_ns - HOUR_NS, time.time_ns())
    assert any("are counted any more" in line for line in lines)
    assert not any(
        "are counted any more" in line
        for line in missing(recording, [], [], since_ns, time.time_ns())
    )


def test_the_older_half_of_the_hours_can_go(store: Path) -> None:
    """As a last resort, if kept.db has no room even for that."""
    record(store, exits(range(3)))
    with contextlib.closing(sqlite3.connect(Directory(store).create_kept())) as kept:
        hours = [(nth, nth * nth) for nth in range(100, 110)]
        kept.executemany("INSERT INTO hours VALUES (0, ?, 0, 0, 0, 'exited', 0, ?)", hours)
        rollups.halve(kept)
        assert kept.execute("SELECT hour, count FROM hours").fetchall() == hours[5:]
        assert rollups.counted_from(kept) == 105
        rollups.halve(kept)
        assert kept.execute("SELECT min(hour), max(hour) FROM hours").fetchone() == (108, 109)
        assert rollups.counted_from(kept) == 108


def _utc(wall_ns: int) -> str:
    return time.strftime("%Y-%m-%dT%H:00:00Z", time.gmtime(wall_ns // SECOND_NS))


def test_what_could_not_be_counted_is_said(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full for a while: segments go, and nothing of them can be kept."""
    recorder = writer(store, limits=SMALL)
    for first in range(0, 100_000, 1000):
        recorder.add(exits(range(first, first + 1000)))
    assert Recording(store).counted_since() is None
    with monkeypatch.context() as full:

        def refuse(*_: object, **__: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        full.setattr(retention.Retention, "drop", refuse)
        for first in range(100_000, 160_000, 1000):
            recorder.add(exits(range(first, first + 1000)))
    for first in range(160_000, 220_000, 1000):
        recorder.add(exits(range(first, first + 1000)))
    recorder.close()
    recording = Recording(store)
    assert counted(store) < 220_000
    assert recording.counted_since() is not None
    assert recording.counted_since() <= OFFSET_NS + START_NS + HOUR_NS  # type: ignore[operator]


def test_losses_of_an_hour_become_one(store: Path) -> None:
    """One a second, for longer than kept.db has room for."""
    recorder = writer(store, limits=SMALL)
    recorder.add(exits(range(10)), lost=7)
    recorder.commit()
    (segment,) = store.glob("exits-*.db")
    recorder.close()
    with contextlib.closing(sqlite3.connect(segment)) as connection:
        first = connection.execute("SELECT * FROM losses").fetchone()
        connection.executemany(
            "INSERT INTO losses VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (first[0], nth, first[2], nth * SECOND_NS, (nth + 1) * SECOND_NS, first[5], 2, "x")
                for nth in range(2, 7202)
            ],
        )
        connection.commit()
    Directory(store).create(11)
    retention.Retention(Directory(store)).drop(segment, SMALL.max_bytes)
    with contextlib.closing(sqlite3.connect(store / "kept.db")) as kept:
        query = "SELECT sum(count), count(*), max(to_ns) FROM losses WHERE why = 'x'"
        assert kept.execute(query).fetchone() == (14_400, 3, 7202 * SECOND_NS)
        assert kept.execute("SELECT * FROM losses WHERE why <> 'x'").fetchall() == [first]
