"""Damage that SQLite takes for content, or quotes: the recorder goes on, the others answer."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from support.recorded import SMALL, exits, pids, record, writer

from exitsnoop import cli
from exitsnoop.store.directory import Directory
from exitsnoop.store.limits import Limits
from exitsnoop.store.recording import Recording
from exitsnoop.store.retention import Retention

LEAF = 13
"""The first byte of a page of a table that has rows."""


def change(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


def replace(path: Path, before: bytes, after: bytes) -> None:
    content = path.read_bytes()
    assert before in content  # maybe also in what SQLite has moved
    assert len(before) == len(after)
    path.write_bytes(content.replace(before, after))


def fill(store: Path, first: int, count: int) -> None:
    recorder = writer(store, limits=SMALL)
    for at in range(first, first + count, 1000):
        recorder.add(exits(range(at, at + 1000)))
    recorder.commit()
    assert recorder.trouble is None
    assert recorder.close() == 0
    assert recorder.lost == 0


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE rows SET ppid = 'x' WHERE id = (SELECT min(id) FROM rows WHERE failed = 1)",
        "UPDATE causes SET stack = NULL, text = CAST(x'ff' AS TEXT)",
        "UPDATE rows SET origin = 4711 WHERE id = (SELECT min(id) FROM rows WHERE failed = 1)",
    ],
)
def test_a_failure_that_is_damaged_is_left_out_of_what_is_kept(store: Path, damage: str) -> None:
    record(store, exits(range(1, 100)), limits=SMALL)
    failed = pids(store, failed=True)
    (segment,) = store.glob("exits-*.db")
    change(segment, damage)
    Retention(Directory(store)).drop(segment, SMALL.max_bytes)
    record(store, exits(range(1000, 1001)), limits=SMALL)
    kept = pids(store, failed=True)
    assert {*failed} - {*kept} <= {failed[0]}
    assert len(kept) >= len(failed) - 1 > 0


def test_the_recorder_outlives_a_segment_that_it_cannot_decode(store: Path) -> None:
    fill(store, 0, 20_000)
    oldest = min(store.glob("exits-*.db"))
    change(oldest, "UPDATE times SET era = 4711")
    change(oldest, "UPDATE rows SET age_ns = 'x'")
    fill(store, 20_000, 120_000)
    assert not oldest.exists()


def zero_page_of(table: str) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        connection = sqlite3.connect(path)
        query = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        (page,) = connection.execute(query, (table,)).fetchone()
        connection.close()
        content = bytearray(path.read_bytes())
        content[(page - 1) * 4096 : page * 4096] = bytes(4096)
        path.write_bytes(content)

    return damage


def spoil_schema(path: Path) -> None:
    replace(path, b"CREATE TABLE boots (", b"CREATE TABLE boots \xe5")


def spoil_column(path: Path) -> None:
    replace(path, b"oom_swap", b"oom_sw\xe5p")


def make_newer(path: Path) -> None:
    change(path, "PRAGMA user_version = 43271")


def spoil_format(path: Path) -> None:
    change(path, "PRAGMA journal_mode = DELETE")
    content = bytearray(path.read_bytes())
    content[44:48] = b"\0\0\0\x09"  # the number of SQLite's format of schemas
    path.write_bytes(content)


def spoil_first_id(path: Path) -> None:
    change(path, "UPDATE about SET value = 'x' WHERE key = 'first_id'")


def spoil_clock(path: Path) -> None:
    change(path, f"UPDATE boots SET stepped_ns = {(1 << 63) - 1}")


@pytest.mark.parametrize(
    "damage",
    [
        spoil_schema,
        spoil_column,
        make_newer,
        spoil_format,
        spoil_first_id,
        spoil_clock,
        zero_page_of("eras"),
        zero_page_of("coverage"),
    ],
)
def test_the_recorder_starts_without_the_newest_segment(
    store: Path, damage: Callable[[Path], None]
) -> None:
    fill(store, 0, 20_000)
    newest = max(store.glob("exits-*.db"))
    damage(newest)
    recorder = writer(store, limits=SMALL)
    assert [path.name for path in recorder.damaged] == [f"{newest.name}.0.damaged"]
    recorder.add(exits([50_000]))
    assert recorder.close() == 0
    assert pids(store)[-1] == 50_000


@pytest.mark.parametrize("damage", [spoil_column, spoil_first_id])
def test_the_recorder_goes_on_when_its_segment_is_damaged_meanwhile(
    store: Path, damage: Callable[[Path], None]
) -> None:
    recorder = writer(store, limits=SMALL)
    recorder.add(exits(range(10)))
    recorder.commit()
    assert recorder._files._active
    assert recorder._files._active.seal()  # so that nothing of it is in memory
    damage(store / "exits-000000000000001.db")
    recorder._files._active = None
    recorder.add(exits([50_000]))
    recorder.commit()
    assert recorder.trouble is None
    assert recorder.close() == 0
    assert pids(store) == [50_000]


def test_nothing_more_is_written_to_a_segment_that_readers_cannot_read(store: Path) -> None:
    """After a clean stop the file is checked beside the recording, which begins at once."""
    fill(store, 0, 2000)
    newest = max(store.glob("exits-*.db"))
    content = bytearray(newest.read_bytes())
    leaves = [at for at in range(0, len(content), 4096) if content[at] == LEAF]
    at = leaves[len(leaves) // 2]
    content[at : at + 4096] = bytes(4096)
    newest.write_bytes(content)
    recorder = writer(store, limits=SMALL)
    if check := recorder._files._check:  # else it has found it already
        check._thread.join()
    recorder.add(exits([50_000]))
    assert recorder.close() == 0
    assert [path.name for path in recorder.damaged] == [f"{newest.name}.0.damaged"]
    assert pids(store, pids=[50_000]) == [50_000]


def test_a_file_that_cannot_be_asked_is_named(store: Path) -> None:
    record(store, exits(range(10)))
    (segment,) = store.glob("exits-*.db")
    replace(segment, b"ended TEXT,", b"endxd TEXT,")
    recording = Recording(store)
    assert recording.coverage().stretches == []
    assert recording.unreadable == {segment}


def test_readers_answer_without_a_file_whose_schema_is_damaged(
    store: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fill(store, 0, 20_000)
    oldest, *_, newest = sorted(store.glob("exits-*.db"))
    spoil_schema(newest)
    assert len(pids(store)) == int(newest.stem.partition("-")[2]) - 1
    for words, status in (
        (["why", "job"], 0),
        (["record", "--status"], 3),
        (["past", "--last", "3", "--since", "@1"], 74),
        (["sql", "SELECT count(*) FROM exits"], 74),
    ):
        assert cli.main([words[0], "--store", str(store), *words[1:]]) == status
        out, err = capfd.readouterr()
        assert newest.name in out + err, words
        assert oldest.name not in out + err, words


def test_a_column_whose_name_is_damaged_is_made_again(store: Path) -> None:
    record(store, exits(range(10)))
    (segment,) = store.glob("exits-*.db")
    replace(segment, b"major_faults INTEGER", b"major_xaults INTEGER")
    recorder = writer(store)
    recorder.add(exits(range(10, 20)))
    recorder.commit()
    assert recorder.trouble is None
    recorder.close()
    assert pids(store) == list(range(20))


def test_a_damaged_file_that_goes_away_meanwhile(store: Path) -> None:
    record(store, exits(range(10)))
    gone = store / "exits-000000000000009.db.0.damaged"
    gone.symlink_to(store / "nowhere")  # it is listed, and cannot be found
    assert Directory(store).damaged() == []
    assert pids(store) == list(range(10))
    Recording(store).status()


def test_a_damaged_file_makes_room_with_what_lies_beside_it(store: Path) -> None:
    recorder = writer(store, limits=Limits(16 << 20, 0, 1e9))
    recorder.add(exits(range(10)))
    recorder.commit()
    path = store / "exits-000000000000000.db"
    for suffix in ("", "-wal", "-shm"):
        (store / f"{path.name}{suffix}").write_bytes(b"x")
    Directory(store).set_aside(path)
    assert len([*store.glob("*.damaged*")]) == 3
    while recorder._files.give_way():
        pass
    assert [*store.glob("*.damaged*")] == []
    recorder.close()
    assert pids(store) == list(range(10))


def test_damaged_files_never_take_the_place_of_each_other(store: Path) -> None:
    store.mkdir()
    directory = Directory(store)
    for content in (b"0", b"1"):
        (store / "exits-000000000000001.db").write_bytes(content)
        directory.set_aside(store / "exits-000000000000001.db")
    directory.remove(store / "exits-000000000000001.db.0.damaged")
    (store / "exits-000000000000001.db").write_bytes(b"2")
    directory.set_aside(store / "exits-000000000000001.db")
    assert sorted(path.read_bytes() for path in directory.damaged()) == [b"1", b"2"]
