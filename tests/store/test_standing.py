"""How a recording stands, in words and for programs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.recorded import START_NS, exits, record, recorder_command, writer

from exitsnoop import cli
from exitsnoop.reports.standing import Standing
from exitsnoop.store.recording import Recording

OFFSET_NS = 1_790_000_000_000_000_000
NOW_NS = START_NS + OFFSET_NS + 60_000_000_000


def standing(store: Path) -> tuple[dict[str, str], Standing]:
    """Return the lines by title, and what they were made of."""
    found = Standing(Recording(store), NOW_NS)
    rows: dict[str, str] = {}
    title = ""
    for line in found.lines(str(store)):
        assert len(line) <= max(80, 13 + len(str(store)))
        title = line[:12].strip() or title
        rows[title] = f"{rows.get(title, '')} {line[13:].strip()}".strip()
    return rows, found


def test_a_recorder_at_work(store: Path) -> None:
    recorder = writer(store)
    recorder.add(exits(range(1000, 2000)))
    recorder.commit()
    rows, found = standing(store)
    recorder.close()
    assert found.is_recording
    assert rows["recording"].startswith("yes since ")
    assert rows["recording"].endswith(f", PID {os.getpid()}")
    assert rows["in"] == str(store)
    assert rows["on disk"].startswith("up to ")
    assert rows["on disk"].endswith(", 59 s ago")
    assert rows["exits"].startswith("1,000 since ")
    assert rows["size"].endswith(" of at most 1.0G")
    assert rows["boots"] == "1"
    assert "damaged" not in rows
    assert "reader" not in rows
    told = found.record(str(store))
    assert (told["recording"], told["pid"]) == (True, os.getpid())
    assert told["on_disk"].endswith("Z")
    assert told["exits"] == 1000
    assert json.loads(json.dumps(told)) == told


def test_one_that_was_stopped_and_one_that_was_killed(store: Path) -> None:
    record(store, exits(range(10)))
    rows, found = standing(store)
    assert not found.is_recording
    assert rows["recording"].endswith("(the recorder was stopped)")
    later = recorder_command(store, "--first", "5000000")
    with subprocess.Popen(later, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        process.kill()
        process.stdout.read()
    rows, found = standing(store)
    assert rows["recording"].startswith("no, since ")
    assert rows["recording"].endswith("(the recorder was killed)")
    assert "the recorder was stopped" in rows["last 24 h"]


def test_losses_damage_and_readers_are_named(store: Path) -> None:
    recorder = writer(store)
    recorder.add(exits(range(10)), lost=7)
    recorder.commit()
    (segment,) = store.glob("exits-*.db")
    (store / "exits-000000000000000.db.0.damaged").write_bytes(b"")
    reading = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); "
        "c.execute('BEGIN'); c.execute('SELECT count(*) FROM rows').fetchone(); "
        "print(flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", reading, segment], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as reader:
        assert reader.stdout
        reader.stdout.readline()
        rows, found = standing(store)
        reader.communicate(b"\n")
    recorder.close()
    assert "7 exits" in rows["last 24 h"]
    assert rows["damaged"].endswith(".damaged")
    assert rows["reader"].endswith(f"[{reader.pid}] is in a transaction on {segment.name}")
    told = found.record(str(store))
    assert [gap["lost"] for gap in told["gaps"] if gap["why"] == "overflow"] == [7]
    assert [one["pid"] for one in told["readers"]] == [reader.pid]


def test_the_exit_status_says_whether_a_recorder_is_at_work(
    store: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["record", "--status", "--store", str(store)]
    assert cli.main(words) == 3
    assert "there is no recording in" in capfd.readouterr().err
    recorder = writer(store)
    assert cli.main(words) == 0
    assert cli.main([*words, "--json"]) == 0
    recorder.close()
    assert cli.main(words) == 3
    assert capfd.readouterr().out.count("\nexits        0\n") == 2


def test_json_is_for_the_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["record", "--json"])
    assert ended.value.code == 2
    assert "--json is for --status" in capsys.readouterr().err
