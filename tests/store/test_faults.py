"""The disk fails, at each call that changes it.

What was committed stays; what was not is written as soon as it can be, or counted.
"""

import contextlib
import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.disks import fill, small_disk
from support.machine import times
from support.recorded import exits, pids, read, recorder_command, shimmed, writer

from exitsnoop.store.limits import Limits
from exitsnoop.store.recording import Recording

POINTS = times(3)
# One process tries many points: each in a directory of its own, made before anything can fail.
SCRIPT = """
import ctypes, json, random, shutil, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from support.recorded import Clock, exits, pids, writer
from exitsnoop.store.limits import Limits
from exitsnoop.store.recording import Recording

shim = ctypes.CDLL(None)
base, points, count, error = Path({base!r}), {points}, {count}, {error}
limits = Limits(3 << 20, 0, 1e9)

def run(at):
    store = base / "store"
    clock = Clock()
    writer(store, clock=clock, limits=limits).close()
    recorder = writer(store, clock=clock, limits=limits)
    shim.shim_fail(ctypes.c_long(at), ctypes.c_long(count), error)
    safe = 0
    for first in range(1, 22001, 1100):
        lost = recorder.lost
        recorder.add(exits(range(first, first + 1100)))
        clock.now += 1.0
        recorder.tick()
        if recorder.due is None and recorder.lost == lost:
            safe = first + 1099
            (newest,) = pids(store, newest_first=True, limit=1)
            assert newest == safe, (at, newest, safe)
    calls = shim.shim_calls()
    shim.shim_fail(0, 0, 0)
    clock.now += 10
    recorder.tick()
    recorder.commit()
    assert recorder.trouble is None, recorder.trouble
    recording = Recording(store)
    assert sum(gap.lost or 0 for gap in recording.gaps(0, 2**62)) == recorder.lost, at
    newest = pids(store)[-1000:]
    assert newest == list(range(newest[0], newest[0] + 1000)), at
    assert recorder.lost or newest[-1] == 22000
    assert not recorder.damaged, at
    recorder.close()
    shutil.rmtree(store)
    return calls

calls = run(0)
points = random.Random(error).sample(range(1, calls + 1), min(points, calls))
for at in points:
    run(at)
print(json.dumps([calls, len(points)]))
"""


@pytest.mark.timeout(120 + 20 * POINTS)
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("count", [1, 3, 40])
def test_a_call_fails(tmp_path: Path, shim: Path, error: int, count: int) -> None:
    (tmp_path / "base").mkdir()
    tests = str(Path(__file__).parents[1])
    script = SCRIPT.format(
        tests=tests, base=str(tmp_path / "base"), points=POINTS, count=count, error=error
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", script],
        env=shimmed(shim, tmp_path / "base" / "store"),
        stdout=subprocess.PIPE,
        check=True,
    )
    calls, points = json.loads(done.stdout)
    assert calls > 100
    assert points == min(POINTS, calls)


@pytest.mark.usefixtures("as_root")
def test_a_disk_that_is_full_for_a_while(tmp_path: Path) -> None:
    """On a real file system, of 24 MiB, that somebody else fills up."""
    with small_disk(tmp_path / "disk", 24) as place, contextlib.ExitStack() as opened:
        store = place / "store"
        recorder = writer(store, limits=Limits(16 << 20, 0, 1e9))
        opened.callback(recorder.close)
        recorder.add(exits(range(1000)))
        recorder.commit()
        fill(place / "hog")
        first = 1000
        while not recorder.lost:  # the ballast goes first, then memory is all there is
            recorder.add(exits(range(first, first + 1000)))
            recorder.commit()
            first += 1000
            assert first < 100_000
        assert recorder.trouble == "disk full"
        assert not (store / "ballast").exists()
        *_, stuck = Recording(store).gaps(0, 2**62)
        last_ns = Recording(store).recorded()[-1].to_ns
        assert (stuck.from_ns, stuck.why) == (last_ns, "not on disk: disk full")
        asked = [sys.executable, "-m", "exitsnoop", "record", "--status", "--store", str(store)]
        told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        reason = "the recorder cannot write, and goes on trying: the disk was full"
        assert " ".join(told.split()).count(reason) == 2
        (place / "hog").unlink()
        recorder.commit()
        assert recorder.trouble is None
        assert not [gap for gap in Recording(store).gaps(0, 2**62) if "on disk" in gap.why]
        recorder.add(exits(range(first, first + 10)))
        recorder.commit()
        recording = Recording(store)
        gaps = recording.gaps(0, 2**62)
        assert sum(gap.lost for gap in gaps if gap.lost) == recorder.lost
        assert {gap.why for gap in gaps if gap.lost} == {"disk full"}
        assert pids(store)[-10:] == list(range(first, first + 10))


def test_what_cannot_be_written_at_the_end_is_counted(store: Path, shim: Path) -> None:
    script = (
        "import ctypes, sys; sys.path.insert(0, sys.argv[1]); "
        "from pathlib import Path; from support.recorded import exits, writer; "
        "recorder = writer(Path(sys.argv[2])); "
        "ctypes.CDLL(None).shim_fail(ctypes.c_long(1), ctypes.c_long(10**6), 28); "
        "recorder.add(exits(range(10), status=0)); print(recorder.close())"
    )
    out = subprocess.check_output(
        [sys.executable, "-B", "-c", script, str(Path(__file__).parents[1]), str(store)],
        env=shimmed(shim, store),
    )
    assert out == b"10\n"
    assert len(read(store)) == 0
    subprocess.run(recorder_command(store, "--count", "20"), check=True, stdout=subprocess.DEVNULL)
    assert pids(store) == list(range(1, 21))
