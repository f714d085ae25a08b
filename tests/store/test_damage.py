"""Damage, a second recorder, a directory that is taken away: said in words, and got over."""

import random
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from support.machine import times
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

from exitsnoop.store.directory import Directory
from exitsnoop.store.errors import StoreBusy, StoreError
from exitsnoop.store.query import Query
from exitsnoop.store.recording import Recording

FLIPS = times(20)


def several(store: Path) -> list[Path]:
    """Make a recording of several segments, and return them."""
    recorder = writer(store, limits=SMALL)
    for first in range(0, 40_000, 1000):
        recorder.add(exits(range(first, first + 1000)))
    recorder.close()
    return list(Directory(store).segments().values())


def spoil(path: Path, chance: random.Random, bits: int = 2000) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(bits):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def test_a_second_recorder_is_kept_out(store: Path) -> None:
    first = writer(store)
    with pytest.raises(StoreBusy, match="another recorder writes to"):
        writer(store)
    first.add(exits(range(10)))
    first.close()
    second = writer(store)
    second.add(exits(range(10, 20)))
    second.close()
    assert pids(store) == list(range(20))


def test_a_recorder_of_another_process_is_kept_out(store: Path) -> None:
    with subprocess.Popen(recorder_command(store), stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        with pytest.raises(StoreBusy):
            writer(store)
        assert Recording(store).status().recorder == process.pid
        process.kill()
        process.stdout.read()
    writer(store).close()  # a lock does not outlive its holder


@pytest.mark.usefixtures("as_root")
def test_a_directory_that_may_not_be_written_to(store: Path) -> None:
    record(store, exits(range(10)))
    store.chmod(0o755)

    def try_it() -> None:
        with pytest.raises(StoreError, match=r"cannot write to .*: Permission denied"):
            writer(store)
        with pytest.raises(StoreError, match=r"cannot make .*: Permission denied"):
            writer(store / "below")

    without_rights(try_it)


@pytest.mark.usefixtures("as_root")
def test_a_file_system_that_is_read_only(store: Path) -> None:
    record(store, exits(range(10)))
    script = (
        "import sys; sys.path[:0] = sys.argv[2:]; from pathlib import Path\n"
        "from support.recorded import pids, writer\n"
        "from exitsnoop.store.errors import StoreError\n"
        "assert pids(Path(sys.argv[1])) == list(range(10))\n"
        "try: writer(Path(sys.argv[1]))\n"
        "except StoreError as error: print(error)\n"
    )
    places = [place for place in sys.path if place]
    mounts = f'mount --bind {store} {store} && mount -o remount,bind,ro {store} && exec "$@"'
    out = subprocess.check_output(
        [
            "unshare",
            "--mount",
            "sh",
            "-c",
            mounts,
            "sh",
            sys.executable,
            "-B",
            "-c",
            script,
            store,
            *places,
        ],
        text=True,
    )
    assert "Read-only file system" in out


def test_the_store_is_removed_while_it_records(store: Path) -> None:
    recorder = writer(store)
    recorder.add(exits(range(10)))
    recorder.commit()
    shutil.rmtree(store)
    recorder.add(exits(range(10, 20)))
    recorder.commit()
    assert recorder.trouble is None
    assert pids(store) == list(range(10, 20))
    with pytest.raises(StoreBusy):
        writer(store)
    recorder.close()
    record(store, exits(range(20, 30)))
    assert pids(store) == list(range(10, 30))


def test_only_the_segment_is_removed(store: Path) -> None:
    recorder = writer(store)
    recorder.add(exits(range(10)))
    recorder.commit()
    for path in store.glob("exits-*"):
        path.unlink()
    recorder.add(exits(range(10, 20)))
    recorder.commit()
    recorder.close()
    assert pids(store) == list(range(10, 20))


def test_a_damaged_newest_segment_is_set_aside(store: Path) -> None:
    segments = several(store)
    before = pids(store)
    segments[-1].write_bytes(b"\0" * 4096 + segments[-1].read_bytes()[4096:])
    recorder = writer(store, limits=SMALL)
    assert [path.name for path in recorder.damaged] == [f"{segments[-1].name}.0.damaged"]
    recorder.add(exits(range(50_000, 50_010)))
    recorder.close()
    first_lost = int(segments[-1].stem.partition("-")[2]) - 1
    assert pids(store) == [*before[:first_lost], *range(50_000, 50_010)]
    assert Recording(store).status().damaged == recorder.damaged
    assert pids(store, pids=[50_000]) == [50_000]


def test_damage_is_found_after_a_kill(store: Path) -> None:
    with subprocess.Popen(
        recorder_command(store, "--batch", "2000"), stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        while int(process.stdout.readline()) < 20_000:
            pass
        process.kill()
        process.stdout.read()
    (segment,) = store.glob("exits-*.db")
    spoil(segment, random.Random(5))
    recorder = writer(store)
    assert len(recorder.damaged) == 1
    recorder.add(exits(range(5)))
    recorder.close()
    assert pids(store) == list(range(5))


def test_a_damaged_older_segment_does_not_silence_the_others(store: Path) -> None:
    segments = several(store)
    segments[1].write_bytes(b"x" * 100_000)
    recording = Recording(store)
    selection = recording.select(Query())
    found = [pid for batch in selection.batches() for pid in batch.column("pid")]
    second, third = (int(path.stem.partition("-")[2]) - 1 for path in segments[1:3])
    assert found == [*range(second), *range(third, 40_000)]
    assert selection.unreadable == [segments[1]]
    assert recording.status().damaged == [segments[1]]
    connection = recording.connect()
    assert connection.execute("SELECT count(*) FROM exits").fetchone() == (len(found),)
    connection.close()
    recorder = writer(store, limits=SMALL)  # it is dropped in its turn
    for first in range(40_000, 160_000, 1000):
        recorder.add(exits(range(first, first + 1000)))
    recorder.close()
    assert not segments[1].exists()
    assert recorder.lost == 0


def test_a_damaged_file_of_kept_failures_is_set_aside(store: Path) -> None:
    recorder = writer(store, limits=SMALL)
    for first in range(0, 120_000, 1000):
        recorder.add(exits(range(first, first + 1000)))
    recorder.close()
    (store / "kept.db").write_bytes(b"x" * 100_000)
    assert pids(store)[-1] == 119_999
    recorder = writer(store, limits=SMALL)
    for first in range(120_000, 240_000, 1000):
        recorder.add(exits(range(first, first + 1000)))
    recorder.close()
    connection = sqlite3.connect(store / "kept.db")
    assert connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
    connection.close()
    assert sum(path.stat().st_size for path in store.iterdir()) <= SMALL.max_bytes


@pytest.mark.timeout(300 + 10 * FLIPS)
def test_whatever_bits_flip_the_rest_answers(store: Path) -> None:
    """No exit is made up in the others; what cannot be read is named; nothing hangs."""
    segments = several(store)
    chance = random.Random(3)
    second, third = (int(path.stem.partition("-")[2]) - 1 for path in segments[1:3])
    others = {
        *json_lines(read(store, before_id=second + 1)),
        *json_lines(read(store, after_id=third)),
    }
    good = segments[1].read_bytes()
    for _ in range(FLIPS):
        segments[1].write_bytes(good)
        spoil(segments[1], chance, bits=chance.choice([1, 20, 500]))
        selection = Recording(store).select(Query())
        found = [line for batch in selection.batches() for line in json_lines(batch)]
        assert others <= set(found)
