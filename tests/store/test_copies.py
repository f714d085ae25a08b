"""Copies of a recording say where they end, and what may be missing from them."""

import os
import shutil
import time
from pathlib import Path

import pytest
from support.recorded import Clock, exits, pids, record, writer

from exitsnoop import cli
from exitsnoop.store.directory import not_readable
from exitsnoop.store.recording import Recording

KILLED = "(the recorder was killed)"
COPIED = "(the recorder was killed, or this copy was made then)"


def said(store: Path, capfd: pytest.CaptureFixture[str], *words: str) -> str:
    cli.main([*words, "--store", str(store)])
    out, err = capfd.readouterr()
    return " ".join((out + err).split())


def test_a_copy_of_a_recording_that_goes_on(
    store: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    recorder = writer(store, clock=Clock())
    recorder.add(exits(range(10)))
    recorder.commit()
    copied, exported = tmp_path / "copied", tmp_path / "exported"
    shutil.copytree(store, copied)
    Recording(store).copy(exported)
    for copy in (copied, exported):
        assert pids(copy) == list(range(10))
        (*_, gap) = Recording(copy).gaps(0, time.time_ns())
        assert gap.why == "copied"
        assert COPIED in said(copy, capfd, "why")
        assert COPIED in said(copy, capfd, "record", "--status")
    recorder.close()
    assert COPIED not in said(store, capfd, "why")
    shutil.copytree(store, tmp_path / "later")
    assert "(the recorder was stopped)" in said(tmp_path / "later", capfd, "why")


def test_where_it_was_recorded_nothing_is_a_copy(
    store: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    recorder = writer(store, clock=Clock())
    recorder.add(exits(range(10)))
    recorder.commit()
    shutil.copytree(store, tmp_path / "killed")
    recorder.close()
    killed = tmp_path / "killed"
    lock = killed / "lock"
    lock.write_text(str(lock.stat().st_ino))  # as if it had recorded there
    assert KILLED in said(killed, capfd, "record", "--status")
    lock.write_text("")  # as older versions leave it
    assert KILLED in said(killed, capfd, "record", "--status")


def test_a_copy_without_the_log_does_not_keep_silent(
    store: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    recorder = writer(store, clock=Clock())
    recorder.add(exits(range(10)))
    recorder.commit()
    copy = tmp_path / "copy"
    shutil.copytree(store, copy, ignore=shutil.ignore_patterns("*-wal", "*-shm"))
    recorder.close()
    told = "exits-000000000000001.db has no log (exits-000000000000001.db-wal): if this is a copy "
    for words in (("why",), ("record", "--status"), ("past",), ("why",)):
        assert told in said(copy, capfd, *words), words
        assert told not in said(store, capfd, *words), words


@pytest.mark.usefixtures("as_root")
def test_whose_copy_it_is(tmp_path: Path) -> None:
    record(tmp_path / "copy", exits(range(10)))
    os.chown(tmp_path / "copy", 0, 4711)
    os.chmod(tmp_path / "copy", 0o750)
    told = str(not_readable(tmp_path / "copy"))
    assert told.endswith("only its owner (uid 0), its group (gid 4711) and root may")
