"""How a recording stands, in words and for programs."""

import errno
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.recorded import START_NS, exits, record, recorder_command, writer

from exitsnoop import cli
from exitsnoop.reports.standing import Standing
from exitsnoop.store import trouble
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


def test_it_fits_where_characters_are_escaped(store: Path) -> None:
    """In the locale C, with the filters that a recorder had."""
    record(store, exits(range(10)), filters="-n " + ",".join(["ä" * 7] * 12))
    place = "/srv/" + "ö" * 12
    for line in Standing(Recording(store), NOW_NS).lines(place, ascii_only=True):
        assert line.isascii()
        assert len(line) <= 80 or " " not in line[15:].strip(), line


def test_a_recorder_that_is_suspended(store: Path) -> None:
    """Nothing that ends then is on disk, so no answer may look as if nothing had ended."""
    with subprocess.Popen(recorder_command(store), stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        rows, found = standing(store)
        (*_, gap) = Recording(store).gaps(0, time.time_ns())
        process.send_signal(signal.SIGCONT)
        os.waitid(os.P_PID, process.pid, os.WCONTINUED)
        (*_, after) = Recording(store).gaps(0, time.time_ns())
        process.kill()
        process.stdout.read()
    assert gap.why == "suspended"
    said = "the recorder is stopped, and writes when it is continued (SIGCONT)"
    assert rows["recording"].endswith(f", PID {process.pid}; but {said}")
    assert found.record(str(store))["stuck"] == "suspended"
    assert after.why != "suspended"


@pytest.mark.parametrize(
    ("error", "is_full", "why"),
    [
        (sqlite3.OperationalError("database or disk is full"), True, ": disk full"),
        (sqlite3.OperationalError("disk I/O error"), False, ": disk I/O error"),
        (OSError(errno.EROFS, "x", "/store/lock"), False, ": Read-only file system"),
        (sqlite3.OperationalError("no such table: rows"), False, ""),
    ],
)
def test_why_it_cannot_write(store: Path, error: Exception, is_full: bool, why: str) -> None:
    """The recorder shows it to readers, also where not a byte can be written."""
    recorder = writer(store)
    recorder._directory.show_trouble(trouble.number(error, is_full=is_full))
    rows, found = standing(store)
    assert found.record(str(store))["stuck"] == f"not on disk{why}"
    reason = ": the disk was full" if is_full else why
    told = f"the recorder cannot write, and goes on trying{reason}"
    assert rows["recording"].endswith(f"; but {told}")
    recorder._directory.show_trouble(None)
    rows, found = standing(store)
    assert found.record(str(store))["stuck"] is None
    assert "cannot write" not in " ".join(rows.values())
    recorder.close()


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
