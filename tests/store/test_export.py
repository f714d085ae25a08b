"""`exitsnoop export`: a copy of a recording, to carry away."""

from pathlib import Path

import pytest
from support.disks import small_disk
from support.recorded import SMALL, exits, json_lines, pids, read, record, without_rights, writer

from exitsnoop.cli import main
from exitsnoop.store.directory import Directory


def export(store: Path, to: Path) -> int:
    return main(["export", str(to), "--store", str(store)])


def test_a_copy_while_it_records(store: Path, tmp_path: Path) -> None:
    """It has what was committed, of several segments; and nothing beside its files."""
    recorder = writer(store, limits=SMALL)
    for first in range(0, 40_000, 1000):
        recorder.add(exits(range(first, first + 1000)))
        recorder.commit()
    assert export(store, tmp_path / "copy") == 0
    recorder.add(exits(range(40_000, 40_010)))
    recorder.close()
    assert len(Directory(tmp_path / "copy").segments()) > 2
    assert json_lines(read(tmp_path / "copy")) == json_lines(exits(range(40_000)))
    assert {path.suffix for path in (tmp_path / "copy").iterdir()} == {".db"}


def test_what_is_there_is_not_overwritten(
    store: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    record(store, exits(range(3)))
    with pytest.raises(SystemExit) as ended:
        export(store, tmp_path)
    assert ended.value.code == 2
    assert f"{tmp_path} exists: name a directory that is to be made" in capfd.readouterr().err


def test_there_is_no_recording(store: Path, tmp_path: Path) -> None:
    assert export(store, tmp_path / "copy") == 3
    assert not (tmp_path / "copy").exists()


def test_a_damaged_file_is_left_out(
    store: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    recorder = writer(store, limits=SMALL)
    for first in range(0, 40_000, 1000):
        recorder.add(exits(range(first, first + 1000)))
    recorder.close()
    oldest, *_ = files = list(Directory(store).segments().values())
    oldest.write_bytes(bytes(4096) + oldest.read_bytes()[4096:])
    assert export(store, tmp_path / "copy") == 74
    assert f"{oldest} is damaged or cannot be read" in capfd.readouterr().err
    copied = Directory(tmp_path / "copy").segments().values()
    assert [path.name for path in copied] == [path.name for path in files[1:]]
    assert pids(tmp_path / "copy")[-1] == 39_999


@pytest.mark.usefixtures("as_root")
def test_the_disk_is_full(store: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    record(store, exits(range(20_000)))
    with small_disk(tmp_path / "disk", 1) as disk:
        assert export(store, disk / "copy") == 74
    said = capfd.readouterr().err
    assert (
        said == f"exitsnoop: cannot write {disk}/copy: database or disk is full; it is not whole\n"
    )


@pytest.mark.usefixtures("as_root")
def test_who_may_not(store: Path, capfd: pytest.CaptureFixture[str]) -> None:
    record(store, exits(range(3)))
    copy = store.parent / "copy"
    store.chmod(0o755)
    for path in store.iterdir():
        path.chmod(0o644)

    def refused() -> None:
        assert export(store, copy) == 74

    without_rights(refused)
    assert f"cannot write {copy}: Permission denied" in capfd.readouterr().err
    store.chmod(0o750)
