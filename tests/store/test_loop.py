"""The loop of the recorder, on a fake kernel and a real disk."""

import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from support.recorded import pids
from support.recorder import counters, is_asleep
from support.waiting import until

from exitsnoop import Exit, MalformedRecord, Tracer
from exitsnoop.recorder.loop import record
from exitsnoop.recorder.notices import Notices, standing
from exitsnoop.recorder.notify import Service
from exitsnoop.store.recording import Recording
from exitsnoop.store.writer import Writer
from exitsnoop.testing import fake_kernel, make_exit

IDLE_S = 4
SCRIPT = """
import os, sys
from pathlib import Path
from exitsnoop import Tracer
from exitsnoop.cli.stop import stop_on_signals
from exitsnoop.recorder.loop import Ending, record
from exitsnoop.recorder.notices import Notices
from exitsnoop.recorder.notify import Service
from exitsnoop.store.writer import Writer
from exitsnoop.testing import fake_kernel, make_exit

with fake_kernel() as kernel, Tracer(pause_s=0.1) as tracer:
    ending = Ending(tracer)
    stop_on_signals(ending)
    writer = Writer(Path(sys.argv[1]))
    kernel.report(make_exit(pid=7), make_exit(pid=8, exit_code=3))
    notices = Notices(writer, sys.argv[1], print)
    record(tracer, writer, notices, Service(lambda: "fine"), lambda: None, ending)
"""


def test_when_nothing_ends_nothing_is_done(store: Path) -> None:
    """After the last commit it does not run: no wake-up, no system call, no write."""
    with subprocess.Popen([sys.executable, "-B", "-c", SCRIPT, str(store)]) as recorder:
        try:
            until(lambda: bool(list(store.glob("exits-*.db"))) and pids(store) == [7, 8])
            until(lambda: is_asleep(recorder.pid))
            before = counters(recorder.pid)
            files = {path.name: path.stat() for path in store.iterdir()}
            time.sleep(IDLE_S)
            assert counters(recorder.pid) == before
            assert {path.name: path.stat() for path in store.iterdir()} == files
        finally:
            stopped_ns = time.time_ns()
            recorder.send_signal(signal.SIGTERM)
        assert recorder.wait() == 0
    assert Recording(store).recorded()[-1].to_ns >= stopped_ns  # until then it had seen all


class Stage:
    """A tracer of a fake kernel, and a writer, for one run of the loop."""

    def __init__(self, tracer: Tracer, store: Path) -> None:
        self.tracer = tracer
        self.writer = Writer(store)
        self.said: list[str] = []
        self.heard: list[str] = []
        self.batches = 0

    def run(self) -> None:
        notices = Notices(self.writer, "/store", self.said.append)
        record(self.tracer, self.writer, notices, Service(lambda: "", {}), self._count)

    def _count(self) -> None:
        self.batches += 1


def test_all_that_was_traced_is_written_and_losses_with_it(store: Path) -> None:
    with fake_kernel() as kernel, Tracer() as tracer:
        stage = Stage(tracer, store)
        kernel.report(*(make_exit(pid=pid) for pid in range(1, 1001)))
        kernel.lose(5)
        tracer.stop()
        stage.run()
    assert pids(store) == list(range(1, 1001))
    gaps = Recording(store).gaps(0, time.time_ns())
    assert [gap.lost for gap in gaps if gap.lost] == [5]
    assert stage.said == [
        "5 exits were lost: they came too fast to be read",
        "5 exits were lost in all; the recording says when",
    ]
    assert stage.batches > 0
    assert [stretch.ended for stretch in Recording(store).recorded()] == ["stopped"]


def test_what_ends_the_tracer_is_written_down(store: Path) -> None:
    """What came before a malformed record is kept; the gap that begins then has its reason."""
    with fake_kernel() as kernel, Tracer() as tracer:
        stage = Stage(tracer, store)
        kernel.report(make_exit(pid=7))
        kernel.corrupt()
        with pytest.raises(MalformedRecord):
            stage.run()
    assert pids(store) == [7]
    assert [stretch.ended for stretch in Recording(store).recorded()] == ["failed"]


def on_disk_after_batches(store: Path, *following: Exit) -> list[list[int]]:
    """Report a plain exit of process 7, then these; return the PIDs on disk after each batch."""
    with fake_kernel() as kernel, Tracer() as tracer:
        stage = Stage(tracer, store)
        on_disk: list[list[int]] = []

        def look() -> None:
            on_disk.append(pids(store))
            if len(on_disk) == 1:
                kernel.report(*following)
            else:
                tracer.stop()

        stage._count = look  # type: ignore[method-assign]
        kernel.report(make_exit(pid=7))
        stage.run()
    return on_disk


def test_an_end_by_a_signal_is_committed_before_the_next_batch(store: Path) -> None:
    """A plain exit waits for its second; both are on disk once a process was killed."""
    on_disk = on_disk_after_batches(store, make_exit(pid=8, signal=9))
    assert on_disk[:2] == [[], [7, 8]]


def test_plain_exits_are_read_in_time_for_the_commit(store: Path) -> None:
    """And not before, as little at a time costs more."""
    following = make_exit(pid=8), make_exit(pid=9, exit_code=1)
    assert on_disk_after_batches(store, *following)[:2] == [[], [7, 8, 9]]


def test_a_commit_is_not_late_where_nothing_more_comes(store: Path) -> None:
    with fake_kernel() as kernel, Tracer() as tracer:
        stage = Stage(tracer, store)
        done: list[float] = []

        def look() -> None:
            done.append(time.monotonic())
            if len(done) == 1:
                stage.writer.due = done[0] + IDLE_S
            else:
                tracer.stop()

        stage._count = look  # type: ignore[method-assign]
        kernel.report(make_exit(pid=7))
        stage.run()
    assert IDLE_S <= done[1] - done[0] < 1.5 * IDLE_S


def test_a_manager_is_answered_while_nothing_ends(store: Path, tmp_path: Path) -> None:
    """As often as it wants, and no more often: that is all that wakes an idle recorder."""
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
        fake_kernel(),
        Tracer() as tracer,
    ):
        manager.bind(str(tmp_path / "n"))
        manager.settimeout(60)
        environment = {"NOTIFY_SOCKET": str(tmp_path / "n"), "WATCHDOG_USEC": "100000"}
        writer = Writer(store)
        service = Service(lambda: standing(writer), environment)
        woken: list[None] = []
        recorder = threading.Thread(
            target=record,
            args=(tracer, writer, Notices(writer, "", print), service),
            kwargs={"after_batch": lambda: woken.append(None)},
        )
        began = time.monotonic()
        recorder.start()
        heard = [manager.recv(4096).decode().splitlines()[0] for _ in range(12)]
        tracer.stop()
        recorder.join()
        took = time.monotonic() - began
    assert heard == ["READY=1", *["WATCHDOG=1"] * 11]
    assert len(woken) <= took / 0.05 + 2  # the last finds that the tracer has ended
