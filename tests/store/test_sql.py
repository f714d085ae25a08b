"""`exitsnoop sql`: queries over a recording."""

import contextlib
import csv
import io
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.recorded import (
    OFFSET_NS,
    SECOND_NS,
    SMALL,
    START_NS,
    exits,
    read,
    record,
    writer,
)

from exitsnoop import cli
from exitsnoop.store.directory import Directory
from exitsnoop.store.recording import Recording
from exitsnoop.store.schema import VIEW
from exitsnoop.store.selection import File
from exitsnoop.store.view import ALWAYS, During

Sql = Callable[..., tuple[int, str, str]]
FIRST = START_NS + OFFSET_NS
HOUR_NS = 3600 * SECOND_NS


@pytest.fixture
def sql(store: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[Sql]:
    """Run `exitsnoop sql` with these words; return the status and what it wrote."""

    def run(*words: str) -> tuple[int, str, str]:
        status = cli.main(["sql", "--store", str(store), *words])
        return status, *capfd.readouterr()

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC0")
        time.tzset()
        yield run
    time.tzset()


def test_the_columns_of_the_view_are_listed(sql: Sql) -> None:
    """No recording is needed for that."""
    status, shown, said = sql()
    assert (status, said) == (0, "")
    assert all(len(line) <= 80 for line in shown.splitlines())
    words = shown.replace(",", " ").split()
    assert set(VIEW) <= set(words)


def test_formats(store: Path, sql: Sql) -> None:
    record(store, exits(range(3), args=[("a", "b\n"), None, ()]))
    query = "SELECT pid, comm, args AS command, NULL AS nil FROM exits"
    assert sql(query)[1].splitlines() == [
        "pid  comm  command       nil",
        r'  0  job0  ["a","b\\n"]  -',
        "  1  job1  -             -",
        "  2  job2  []            -",
    ]
    assert [json.loads(line) for line in sql("--json", query)[1].splitlines()] == [
        {"pid": 0, "comm": "job0", "command": '["a","b\\n"]', "nil": None},
        {"pid": 1, "comm": "job1", "command": None, "nil": None},
        {"pid": 2, "comm": "job2", "command": "[]", "nil": None},
    ]
    rows = list(csv.reader(io.StringIO(sql("--csv", query)[1], newline="")))
    assert rows[0] == ["pid", "comm", "command", "nil"]
    assert rows[2:] == [["1", "job1", "", ""], ["2", "job2", "[]", ""]]


def test_many_rows(store: Path, sql: Sql, tmp_path: Path) -> None:
    """More than are read at once."""
    record(store, exits(range(25_000)))
    target = tmp_path / "rows"
    assert sql("--csv", "--output", str(target), "SELECT pid FROM exits")[0] == 0
    assert target.read_bytes() == b"pid\r\n" + b"".join(b"%d\r\n" % pid for pid in range(25_000))


def test_a_time(store: Path, sql: Sql) -> None:
    times = [START_NS + number * 3 * SECOND_NS for number in range(1000)]
    record(store, exits(range(1000), boot_ns=times, start_boot_ns=times))
    begin, end = (FIRST + second * SECOND_NS for second in (600, 900))
    limits = ["--since", f"@{begin // SECOND_NS}", "--until", f"@{end // SECOND_NS}"]
    assert json.loads(
        sql("--json", *limits, "SELECT min(pid), max(pid), count(*) n FROM exits")[1]
    ) == {
        "min(pid)": 200,
        "max(pid)": 300,
        "n": 101,
    }
    status, shown, said = sql("--until", f"@{FIRST // SECOND_NS - 1}", "SELECT 1 FROM exits")
    assert (status, shown) == (3, "")
    assert "nothing was recorded before" in said


def test_the_view_has_what_a_selection_has(store: Path) -> None:
    """Over several files, of two boots, with a segment that was dropped."""
    recorder = writer(store, limits=SMALL)
    for first in range(0, 90_000, 1000):
        recorder.add(exits(range(first, first + 1000)))
    recorder.close()
    recording = Recording(store)
    every = read(store)
    walls, pids = every.column("wall_ns"), every.column("pid")
    assert Directory(store).kept.exists()
    for since, until in ((0, -1), (5, 2000), (-3000, -1), (len(pids) // 2, len(pids) // 2 + 9000)):
        during = During(walls[since], walls[until])
        with recording.connect("SELECT pid FROM exits", during) as connection:
            found = [pid for (pid,) in connection.execute("SELECT pid FROM exits")]
        connection.close()
        assert found == [
            pid
            for pid, wall in zip(pids, walls, strict=True)
            if walls[since] <= wall <= walls[until]
        ]


def test_hours_count_what_was_dropped_too(store: Path) -> None:
    recorder = writer(store, limits=SMALL)
    for first in range(0, 90_000, 1000):
        numbers = range(first, first + 1000)
        times = [START_NS + number * SECOND_NS for number in numbers]  # 25 hours in all
        recorder.add(exits(numbers, boot_ns=times, start_boot_ns=times))
    recorder.close()
    recording = Recording(store)
    assert len(read(store)) < 90_000

    def ask(sql: str, during: During = ALWAYS) -> list[Any]:
        with contextlib.closing(recording.connect(sql, during)) as connection:
            return connection.execute(sql).fetchall()

    assert ask("SELECT sum(exits) FROM hours") == [(90_000,)]
    assert ask(
        "SELECT comm, exe, unit, container, cause, sum(exits) FROM hours "
        "WHERE status = 256 AND comm = 'job3' GROUP BY 1, 2, 3, 4, 5 ORDER BY 6"
    ) == [
        ("job3", "/usr/bin/job", "job.service", None, "killed", 200),
        ("job3", "/usr/bin/job", "job.service", None, "exited", 1800),
    ]
    by_hour = ask("SELECT hour, sum(exits) FROM hours GROUP BY hour ORDER BY hour")
    assert by_hour[1] == ("2026-09-21T16:00:00Z", 3600)
    during = During((FIRST // HOUR_NS + 2) * HOUR_NS, (FIRST // HOUR_NS + 4) * HOUR_NS - 1)
    assert ask("SELECT sum(exits) FROM hours", during) == [(7200,)]


def test_a_segment_that_is_dropped_meanwhile(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the list is made anew: its failures may be in another file by now."""
    record(store, exits(range(10)))
    recording = Recording(store)
    listed = recording._files()
    lists = [[*listed, File(store / "exits-000000000000900.db", 900, 1000)], listed]
    monkeypatch.setattr(recording, "_files", lambda: lists.pop(0))
    with contextlib.closing(recording.connect()) as connection:
        assert connection.execute("SELECT count(*) FROM exits").fetchone() == (10,)
    assert lists == []
    assert recording.unreadable == set()


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("SELECT com FROM exits", "SQL: no such column: com; did you mean comm?"),
        ("SELECT e.zzzz FROM exits e", "SQL: no such column: e.zzzz; `exitsnoop sql` lists them"),
        ("SELECT 1 FROM exit", "SQL: no such table: exit; the view of all exits is named exits"),
        ("SELEC 1", 'SQL: near "SELEC": syntax error'),
        ("SELECT 1; SELECT 2", "SQL: You can only execute one statement at a time"),
        ("DELETE FROM s1.rows", "SQL: only statements that read are possible"),
        ("DROP VIEW exits", "SQL: only statements that read are possible"),
        ("ATTACH 'x' AS y", "SQL: only statements that read are possible"),
        ("PRAGMA journal_mode=WAL", "SQL: only statements that read are possible"),
        ("-- nothing", "that is not a query: it has no rows"),
        ("SELECT json('{')", "SQL: malformed JSON"),
        ("SELECT abs(-9223372036854775808)", "SQL: integer overflow"),
        ("SELECT ?", "SQL: "),
    ],
)
def test_what_is_wrong_with_a_statement(
    store: Path, sql: Sql, capfd: pytest.CaptureFixture[str], statement: str, message: str
) -> None:
    record(store, exits(range(3)))
    with pytest.raises(SystemExit) as ended:
        sql(statement)
    assert ended.value.code == 2
    assert f"exitsnoop sql: error: {message}" in capfd.readouterr().err
    assert len(read(store)) == 3


def test_what_is_lost_or_damaged_is_reported(store: Path, sql: Sql) -> None:
    recorder = writer(store, limits=SMALL)
    for first in range(0, 30_000, 1000):
        recorder.add(exits(range(first, first + 1000)), lost=first // 29_000)
    recorder.close()
    counted = "SELECT count(*) AS n FROM exits"
    status, shown, said = sql("--json", counted)
    assert (status, json.loads(shown)) == (74, {"n": 30_000})
    assert "1 exit " in said
    segments = sorted(Directory(store).segments().values())
    segments[0].write_bytes(b"\0" * 100_000)
    status, shown, said = sql("--json", counted)
    assert status == 74
    assert 0 < json.loads(shown)["n"] < 30_000
    assert f"{segments[0]} is damaged or cannot be read" in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_query_can_be_interrupted(exitsnoop: str, store: Path, number: int) -> None:
    """One that would not end by itself. On a terminal, it says after a second that it goes on."""
    record(store, exits(range(3)))
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [exitsnoop, "sql", "--store", str(store), endless], stdout=subprocess.PIPE, stderr=theirs
    ) as process:
        os.close(theirs)
        said = b""
        while b"so far; Ctrl-C ends the query" not in said:
            said += os.read(ours, 4096)
        process.send_signal(number)
        assert process.stdout
        assert process.stdout.read() == b""
    os.close(ours)
    assert process.returncode == (130 if number == signal.SIGINT else -signal.SIGTERM)


def test_it_holds_nothing_while_it_writes(exitsnoop: str, store: Path) -> None:
    """Its reader may take its time: the recorder can tidy meanwhile."""
    recorder = writer(store)
    recorder.add(exits(range(8000)))
    recorder.commit()
    with subprocess.Popen(
        [exitsnoop, "sql", "--csv", "--store", str(store), "SELECT pid, args, exe FROM exits"],
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert (
            process.stdout.readline() == b"pid,args,exe\r\n"
        )  # the rest is more than a pipe has room for
        assert Recording(store).status().readers == []
        recorder.add(exits(range(8000, 8001)))
        recorder.close()  # seals the segment, which an open transaction would prevent
        assert not list(store.glob("*-wal"))
        assert process.stdout.read().count(b"\n") == 8000
