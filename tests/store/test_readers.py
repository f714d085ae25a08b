"""Whoever may read the files can read the recording, whatever the recorder does."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from support.recorded import (
    SMALL,
    exits,
    json_lines,
    pids,
    read,
    record,
    recorder_command,
    without_rights,
    writer,
)

from exitsnoop.store.errors import NoStore, NotReadable
from exitsnoop.store.opening import Opened
from exitsnoop.store.query import Query
from exitsnoop.store.recording import Recording


def let_all_read(store: Path) -> None:
    """Let them read the files, not write them, nor make others beside them."""
    store.chmod(0o755)
    for path in store.iterdir():
        path.chmod(0o644)


def answers(store: Path, numbers: range) -> None:
    """Check that the recording answers, in every way."""
    assert json_lines(read(store)) == json_lines(exits(numbers))
    recording = Recording(store)
    assert recording.status().exits == len(numbers)
    assert recording.unreadable == set()
    connection = recording.connect()
    assert connection.execute("SELECT count(*) FROM exits").fetchone() == (len(numbers),)
    connection.close()


@pytest.mark.usefixtures("as_root")
def test_while_it_records(store: Path) -> None:
    recorder = writer(store)
    recorder.add(exits(range(100)))
    recorder.commit()
    let_all_read(store)
    without_rights(lambda: answers(store, range(100)))
    recorder.add(exits(range(100, 200)))
    recorder.commit()
    without_rights(lambda: answers(store, range(200)))
    recorder.close()


@pytest.mark.usefixtures("as_root")
def test_when_it_has_stopped(store: Path) -> None:
    record(store, exits(range(100)))
    let_all_read(store)
    without_rights(lambda: answers(store, range(100)))


def killed(store: Path) -> range:
    """Leave a recording as a kill leaves it, with a log that has rows."""
    with subprocess.Popen(recorder_command(store), stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.stdout.read()
    (log,) = store.glob("*-wal")
    assert log.stat().st_size
    return range(1, pids(store)[-1] + 1)


@pytest.mark.usefixtures("as_root")
def test_when_it_was_killed(store: Path) -> None:
    numbers = killed(store)
    let_all_read(store)
    without_rights(lambda: answers(store, numbers))


@pytest.mark.usefixtures("as_root")
def test_after_a_reboot_or_on_a_copy(store: Path) -> None:
    """The log is there, the shared memory beside it is not."""
    numbers = killed(store)
    for path in store.glob("*-shm"):
        path.unlink()
    let_all_read(store)
    without_rights(lambda: answers(store, numbers))
    copy = store.parent / "copy"
    shutil.copytree(store, copy)
    let_all_read(copy)
    without_rights(lambda: answers(copy, numbers))


@pytest.mark.usefixtures("as_root")
def test_a_log_that_is_empty(store: Path) -> None:
    record(store, exits(range(100)))
    (segment,) = store.glob("*.db")
    connection = sqlite3.connect(segment)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    segment.with_name(f"{segment.name}-wal").touch()
    let_all_read(store)
    without_rights(lambda: answers(store, range(100)))


@pytest.mark.usefixtures("as_root")
def test_a_file_that_changes_is_opened_again(store: Path) -> None:
    """One that was opened as unchanging does not answer from what it was."""
    record(store, exits(range(100)))
    let_all_read(store)
    (segment,) = store.glob("*.db")

    def without() -> None:
        opened = Opened(segment)
        assert opened.is_valid()
        os.write(to_root, b"x")
        assert os.read(from_root, 1) == b"x"
        if "immutable" in opened._how:
            assert not opened.is_valid()
        opened.close()
        assert pids(store) == list(range(200))

    connection = sqlite3.connect(segment)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    (from_root, to_reader), (from_reader, to_root) = os.pipe(), os.pipe()

    def change() -> None:
        assert os.read(from_reader, 1) == b"x"
        record(store, exits(range(100, 200)))
        let_all_read(store)
        os.write(to_reader, b"x")

    thread = threading.Thread(target=change)
    thread.start()
    without_rights(without)
    thread.join()


@pytest.mark.usefixtures("as_root")
def test_who_may_not_read_is_told_so(store: Path) -> None:
    record(store, exits(range(10)))

    def ask() -> None:
        with pytest.raises(NotReadable, match="only root and the group adm"):
            read(store)

    without_rights(ask)
    store.chmod(0o755)
    without_rights(ask)


@pytest.mark.usefixtures("as_root")
def test_a_member_of_the_group_may(store: Path) -> None:
    recorder = writer(store)
    recorder.add(exits(range(100)))
    recorder.commit()
    group = store.stat().st_gid
    without_rights(lambda: answers(store, range(100)), groups=[group])
    recorder.close()
    without_rights(lambda: answers(store, range(100)), groups=[group])


def test_there_is_no_recording(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(NoStore, match="exitsnoop record"):
            Recording(path)


def test_readers_while_segments_come_and_go(store: Path) -> None:
    """Several that read all of it again and again: no error, no hole, nothing twice."""
    script = (
        "import sys; sys.path[:0] = sys.argv[2:]; "
        "from pathlib import Path; from support.recorded import exits, pids\n"
        "import os\n"
        "rounds = 0\n"
        "print(flush=True)\n"
        "while os.path.exists(sys.argv[1] + '.go'):\n"
        "    found = pids(Path(sys.argv[1]), after_id=0)\n"
        "    assert found == sorted(set(found))\n"
        "    newest = found[-20_000:]\n"
        "    assert newest == list(range(newest[0], newest[-1] + 1)), newest[:3]\n"
        "    rounds += 1\n"
        "print(rounds)"
    )
    go = store.with_name("store.go")
    go.touch()
    recorder = writer(store, limits=SMALL)
    for first in range(0, 30_000, 500):
        recorder.add(exits(range(first, first + 500)))
    recorder.commit()
    places = [place for place in sys.path if place]
    command = [sys.executable, "-B", "-c", script, str(store), *places]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    readers = [subprocess.Popen(command, **pipes) for _ in range(2)]  # type: ignore[call-overload]
    for reader in readers:
        reader.stdout.readline()
    for first in range(30_000, 130_000, 500):
        recorder.add(exits(range(first, first + 500)))
    go.unlink()
    for reader in readers:
        out, err = reader.communicate()
        assert (reader.returncode, err) == (0, b"")
        assert int(out) >= 1
    recorder.close()
    assert recorder.lost == 0


def test_a_recording_that_is_removed_after_it_was_opened(store: Path) -> None:
    record(store, exits(range(5)))
    recording = Recording(store)
    shutil.rmtree(store)
    assert list(recording.select(Query()).batches()) == []
    assert recording.recorded() == []


@pytest.mark.parametrize("name", ["a b", "50%41?mode=rw#x", "ö", os.fsdecode(b"\xff"), "'\"\n"])
def test_whatever_the_directory_is_called(tmp_path: Path, name: str) -> None:
    store = tmp_path / name
    record(store, exits(range(3)))
    assert pids(store) == [0, 1, 2]
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]
