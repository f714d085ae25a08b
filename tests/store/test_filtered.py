"""What a recorder with filters leaves out is not silence: every answer says so."""

import json
import os
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.flight import Answers
from support.machine import need_to_trace
from support.recorded import (
    OFFSET_NS,
    SECOND_NS,
    START_NS,
    death,
    exits,
    json_lines,
    read,
    record,
    record_deaths,
    writer,
)

from exitsnoop.cli import main
from exitsnoop.store.coverage import Covered, Filtered, filtered
from exitsnoop.store.limits import Limits
from exitsnoop.store.recording import Recording

ONLY = "only some exits were recorded "
FILTERS = "-n '!web*,db' --min-age 1.5s -x"


def stretch(
    from_ns: int, to_ns: int, filters: str | None, ended: str | None = "stopped"
) -> Covered:
    return Covered("boot", from_ns, to_ns, ended, filters)


@pytest.mark.parametrize(
    ("stretches", "live", "expected"),
    [
        ([stretch(0, 50, None)], False, []),
        ([stretch(0, 50, "-x")], False, [(10, 50, "-x")]),
        ([stretch(0, 5, "-x"), stretch(95, 99, "-x")], False, []),
        ([stretch(0, 20, "-x"), stretch(30, 50, "-x")], False, [(10, 50, "-x")]),
        ([stretch(0, 20, "-x"), stretch(30, 50, "-w")], False, [(10, 20, "-x"), (30, 50, "-w")]),
        (
            [stretch(0, 20, "-x"), stretch(30, 40, None), stretch(50, 60, "-x")],
            False,
            [(10, 20, "-x"), (50, 60, "-x")],
        ),
        ([stretch(0, 50, "-x", None)], True, [(10, 90, "-x")]),
        ([stretch(0, 50, "-x", None)], False, [(10, 50, "-x")]),
    ],
)
def test_when_only_some_exits_were_recorded(
    stretches: list[Covered], live: bool, expected: list[tuple[int, int, str]]
) -> None:
    assert filtered(stretches, 10, 90, live=live) == [Filtered(*one) for one in expected]


def test_every_answer_says_so(answers: Answers, capfd: pytest.CaptureFixture[str]) -> None:
    deaths = exits(range(5))
    record(answers.store, deaths, filters=FILTERS)
    told = " ".join(answers.ask("nobody", status=1).split())
    assert f"{ONLY}at " in told
    assert f"(the recorder had the filters {FILTERS})" in told
    (one,) = answers.record("nobody", status=1)["filtered"]
    assert one["filters"] == FILTERS
    assert ONLY in " ".join(answers.ask(0).split())
    for words in (["past"], ["past", "--json"], ["sql", "SELECT count(*) FROM exits"]):
        assert main([words[0], "--store", str(answers.store), *words[1:]]) == 0
        assert f"filters {FILTERS})" in capfd.readouterr().err
    at = str((START_NS + OFFSET_NS) // SECOND_NS - 60)
    assert main(["report", "--store", str(answers.store), "--since", f"@{at}"]) == 0
    assert FILTERS in " ".join(capfd.readouterr().out.split())


def test_a_time_before_or_after_has_nothing_of_it(answers: Answers) -> None:
    record_deaths(answers.store, [death(1, 7), death(10, 8)])
    recorder = writer(answers.store, since_ns=START_NS + 20 * SECOND_NS, filters="-x")
    recorder.add(exits([30_000_000]))  # 30 s later
    assert recorder.close() == 0
    at = (START_NS + OFFSET_NS) // SECOND_NS
    assert answers.record(7, "--until", f"@{at + 15}")["filtered"] == []
    assert [one["filters"] for one in answers.record(7)["filtered"]] == ["-x"]


def test_it_is_kept_when_segments_are_dropped(store: Path) -> None:
    """Also from segments that an older version wrote, which had no place for it."""
    recorder = writer(store, limits=Limits(16 << 20, 0, 1e9), filters="-x")
    for first in range(0, 120_000, 1000):
        recorder.add(exits(range(first, first + 1000)))
        recorder.commit()
    assert recorder.close() == 0
    recording = Recording(store)
    assert recording.complete_since() is not None, "a segment was dropped"
    (one,) = recording.filtered(0, OFFSET_NS * 2)
    assert one.from_ns == START_NS + OFFSET_NS
    assert one.filters == "-x"


def test_an_older_recording_had_none(store: Path) -> None:
    record(store, exits(range(5)))
    (segment,) = store.glob("exits-*.db")
    connection = sqlite3.connect(segment, isolation_level=None)
    cells = "segment, id, era, from_ns, to_ns, offset_ns, ended"
    connection.execute(f"CREATE TABLE old AS SELECT {cells} FROM coverage")
    connection.execute("DROP TABLE coverage")
    connection.execute("ALTER TABLE old RENAME TO coverage")
    connection.execute("PRAGMA user_version=4")
    connection.close()
    recording = Recording(store)
    assert recording.filtered(0, OFFSET_NS * 2) == []
    assert [one.filters for one in recording.recorded()] == [None]
    recorder = writer(store, since_ns=START_NS + SECOND_NS, filters="-x")
    recorder.close()
    assert [one.filters for one in Recording(store).recorded()] == [None, "-x"]
    assert json_lines(read(store)) == json_lines(exits(range(5)))


def recorded_with(exitsnoop: str, store: Path, *words: str) -> tuple[str, dict[str, Any]]:
    """What --status says while a recorder runs with these options, in words and in JSON."""
    command = [exitsnoop, "record", "--store", str(store)]
    with subprocess.Popen([*command, *words], stderr=subprocess.PIPE) as recorder:
        try:
            assert recorder.stderr
            recorder.stderr.readline()
            told, line = (
                subprocess.run(
                    [*command, "--status", *more], capture_output=True, text=True, check=True
                ).stdout
                for more in ([], ["--json"])
            )
        finally:
            recorder.terminate()
    return " ".join(told.split()), json.loads(line)


def test_a_recorder_notes_what_it_was_told(exitsnoop: str, store: Path) -> None:
    need_to_trace("a recorder with filters")
    me = str(os.getpid())
    given = ("-x", "-P", me, "-n", "!web *,db", "--min-age", "1ms", "--signal", "!KILL")
    text, record_ = recorded_with(exitsnoop, store, "--per-thread", *given)
    noted = f"-P {me} -n '!web *,db' --min-age 0.001s -x --signal '!9'"
    assert f"{ONLY}since " in text
    assert f"(the recorder had the filters {noted})" in text
    assert [one["filters"] for one in record_["filtered"]] == [noted]


def test_a_recorder_without_filters_notes_none(exitsnoop: str, store: Path) -> None:
    need_to_trace("a recorder without filters")
    text, record_ = recorded_with(exitsnoop, store, "--per-thread", "--no-args")
    assert (ONLY in text, record_["filtered"]) == (False, [])
