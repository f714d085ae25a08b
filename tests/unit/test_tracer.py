"""Tracer on a fake kernel: every way to read, to end, and to fail."""

import asyncio
import contextlib
import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from operator import methodcaller

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exitsnoop import (
    Exit,
    Filters,
    KernelRefused,
    MalformedRecord,
    NoSuchProcess,
    Source,
    TraceError,
    Tracer,
)
from exitsnoop.filters.keywords import FilterOptions
from exitsnoop.kernel.session import extension
from exitsnoop.testing import FakeKernel, fake_kernel, make_exit


@pytest.fixture
def kernel() -> Iterator[FakeKernel]:
    with fake_kernel() as kernel:
        yield kernel


def report(kernel: FakeKernel, *pids: int) -> None:
    kernel.report(*(make_exit(pid=pid) for pid in pids))


async def _listed(tracer: Tracer) -> list[Exit]:
    return [ended async for ended in tracer]


async def _awaited(tracer: Tracer) -> Exit:
    return await tracer.__anext__()


# Ways to read some; each waits if nothing is there.
SOME: dict[str, Callable[[Tracer], list[Exit]]] = {
    "next": lambda tracer: [next(tracer)],
    "for": lambda tracer: [next(iter(tracer))],
    "read": lambda tracer: tracer.read(),
    "batches": lambda tracer: list(next(tracer.batches())),
    "async": lambda tracer: [asyncio.run(_awaited(tracer))],
}
# Ways to read all until the end.
ALL: dict[str, Callable[[Tracer], list[Exit]]] = {
    "list": list,
    "read": lambda tracer: tracer.read(),
    "batches": lambda tracer: [ended for batch in tracer.batches() for ended in batch],
    "async": lambda tracer: asyncio.run(_listed(tracer)),
}


@pytest.mark.parametrize("rest", ALL)
@pytest.mark.parametrize("first", SOME)
def test_all_ways_to_read_share_one_queue(kernel: FakeKernel, first: str, rest: str) -> None:
    with Tracer() as tracer:
        report(kernel, 1, 2, 3, 4, 5)
        begun = SOME[first](tracer)
        tracer.stop()
        assert tracer.ended == (len(begun) == 5 and tracer.ended)
        assert [ended.pid for ended in begun + ALL[rest](tracer)] == [1, 2, 3, 4, 5]
        assert tracer.ended
        for way in ALL.values():
            assert way(tracer) == []


@given(
    steps=st.lists(st.one_of(st.integers(1, 4), st.sampled_from(sorted(SOME)))),
    end=st.sampled_from(sorted(ALL)),
)
def test_any_mixture_gives_each_exit_once(steps: list[int | str], end: str) -> None:
    """A number: so many exits happen. A name: that way reads some."""
    with fake_kernel() as kernel, Tracer() as tracer:
        happened, got = 0, list[int]()
        for step in steps:
            if isinstance(step, int):
                report(kernel, *range(happened, happened + step))
                happened += step
            elif len(got) < happened:
                got += [ended.pid for ended in SOME[step](tracer)]
            assert not tracer.ended
        tracer.stop()
        got += [ended.pid for ended in ALL[end](tracer)]
        assert got == list(range(happened))
        assert tracer.ended


def test_it_has_not_ended_while_something_can_be_read(kernel: FakeKernel) -> None:
    with Tracer() as tracer:
        report(kernel, 1, 2, 3)
        tracer.stop()
        left = []
        while not tracer.ended:
            left.append(next(tracer).pid)
        assert left == [1, 2, 3]


def test_a_loop_that_is_left_can_be_taken_up_again(kernel: FakeKernel) -> None:
    with Tracer() as tracer:
        report(kernel, 1, 2, 3, 4)
        batches = tracer.batches()
        assert len(next(batches)) == 4
        report(kernel, 5)
        assert next(tracer).pid == 5
        report(kernel, 6)
        tracer.stop()
        assert [ended.pid for batch in batches for ended in batch] == [6]


@pytest.mark.usefixtures("kernel")
def test_it_is_a_source() -> None:
    with Tracer() as tracer:
        source: Source = tracer
        assert isinstance(source, Source)


@pytest.mark.timeout(20)
def test_a_signal_just_before_the_wait_is_not_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """No instruction of Python stands between the signal and the system call that waits."""

    class Late:
        """An epoll before whose wait a signal comes, the first time."""

        def __init__(self) -> None:
            self.real = epoll()
            self.calls = [partial(ctypes.CDLL(None)["raise"], signal.SIGUSR1)]

        def __getattr__(self, name: str) -> object:
            return getattr(self.real, name)

        def poll(self, timeout: float | None) -> object:
            calls = [*self.calls, partial(self.real.poll, timeout)]
            self.calls.clear()
            return list(map(methodcaller("__call__"), calls))[-1]

    epoll = select.epoll
    monkeypatch.setattr(select, "epoll", Late)
    others, theirs = socket.socketpair()
    with fake_kernel(), Tracer() as tracer, others, theirs:
        theirs.setblocking(False)
        fd_before = signal.set_wakeup_fd(theirs.fileno())
        before = signal.signal(signal.SIGUSR1, lambda *_: tracer.stop())
        try:
            assert list(tracer) == []
            assert signal.set_wakeup_fd(fd_before) == theirs.fileno()
        finally:
            signal.signal(signal.SIGUSR1, before)
            signal.set_wakeup_fd(fd_before)
        assert others.recv(9) == bytes([signal.SIGUSR1])


WAITING = [way for name, way in ALL.items() if name != "read"]


@pytest.mark.parametrize("way", WAITING)
def test_stop_from_another_thread_ends_it(
    kernel: FakeKernel, way: Callable[[Tracer], list[Exit]]
) -> None:
    with Tracer() as tracer:
        report(kernel, 1)
        threading.Timer(0.01, tracer.stop).start()
        assert [ended.pid for ended in way(tracer)] == [1]


@pytest.mark.parametrize("way", WAITING)
def test_close_from_another_thread_ends_it(
    kernel: FakeKernel, way: Callable[[Tracer], list[Exit]]
) -> None:
    for _ in range(20):
        tracer = Tracer()
        closing = threading.Thread(target=tracer.close)
        closing.start()
        assert way(tracer) == []
        closing.join()
        assert tracer.ended
    assert all(opened.closed for opened in kernel.sessions)


def test_close_drops_what_was_not_read(kernel: FakeKernel) -> None:
    tracer = Tracer()
    report(kernel, 1, 2, 3)
    next(tracer)
    kernel.lose(2)
    tracer.close()
    tracer.close()
    tracer.stop()
    assert tracer.ended
    assert [way(tracer) for way in ALL.values()] == [[]] * len(ALL)
    assert tracer.lost == 2
    assert list(tracer.batches(reader=1)) == []


def test_async_with(kernel: FakeKernel) -> None:
    async def pids() -> list[int]:
        async with Tracer() as tracer:
            report(kernel, 1, 2)
            asyncio.get_running_loop().call_later(0.01, report, kernel, 3)
            asyncio.get_running_loop().call_later(0.02, tracer.stop)
            return [ended.pid async for ended in tracer]

    assert asyncio.run(pids()) == [1, 2, 3]
    assert kernel.sessions[0].closed


def test_batches_end_when_the_reader_leaves(kernel: FakeKernel) -> None:
    """What is there then can still be read."""
    for _ in range(2):
        reading, writing = os.pipe()
        with Tracer() as tracer:
            batches = tracer.batches(reader=writing)
            report(kernel, 1)
            assert len(next(batches)) == 1
            os.close(reading)
            report(kernel, 2)
            assert list(batches) == []
            assert not tracer.ended
            assert [ended.pid for ended in tracer.read()] == [2]
        os.close(writing)


def test_a_reader_may_be_watched_again_or_be_a_file(kernel: FakeKernel) -> None:
    reading, writing = os.pipe()
    with Tracer() as tracer, open(os.devnull, "wb") as file:
        for pid in range(3):
            report(kernel, pid)
            assert next(tracer.batches(reader=writing))[0].pid == pid
        report(kernel, 4)
        assert next(tracer.batches(reader=file.fileno()))[0].pid == 4
        report(kernel, 5)
        batches = tracer.batches(reader=writing)
        assert next(batches)[0].pid == 5
        os.close(writing)
        batches.close()  # type: ignore[attr-defined]
    os.close(reading)


# --- errors ---


@pytest.mark.parametrize("first", ["next", "read", "batches", "async"])
def test_a_malformed_record_is_reported_after_what_came_before(
    kernel: FakeKernel, first: str
) -> None:
    with Tracer() as tracer:
        report(kernel, 1)
        got = SOME[first](tracer)
        report(kernel, 2)
        kernel.corrupt()
        got += tracer.read()
        assert [ended.pid for ended in got] == [1, 2]
        assert not tracer.ended
        with pytest.raises(MalformedRecord, match="bug in exitsnoop"):
            SOME[first](tracer)
        assert tracer.ended
        assert [way(tracer) for way in ALL.values()] == [[]] * len(ALL)


def test_a_note_of_no_kind_is_malformed(kernel: FakeKernel) -> None:
    with Tracer(why=True) as tracer:
        kernel.report(make_exit(), notes=[bytes(16)])
        with pytest.raises(MalformedRecord):
            tracer.read()


def test_a_refusal_is_explained_and_leaves_nothing_open(kernel: FakeKernel) -> None:
    before = os.listdir("/proc/self/fd")
    kernel.refuse(extension().SessionError("load", 95, "the verifier's log"))
    with pytest.raises(KernelRefused, match="refused the BPF program") as refused:
        Tracer(pids=[os.getpid()])
    assert refused.value.log == "the verifier's log"
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(24, "Too many open files"), "ulimit -n"),
        (OSError(23, "Too many open files in system"), "fs.file-max"),
        (OSError(5, "Input/output error", "/proc"), "cannot trace: /proc: Input/output error"),
        (ImportError("x.so: cannot open: Too many open files"), "ulimit -n"),
        (ImportError("x.so: undefined symbol"), r"loaded \(x.so: undefined symbol\): install"),
        (
            ImportError("module exitsnoop._native does not support loading in subinterpreters"),
            "use it in the main interpreter",
        ),
    ],
)
def test_no_other_error_leaves_a_start(kernel: FakeKernel, error: Exception, words: str) -> None:
    kernel.refuse(error)
    with pytest.raises(TraceError, match=words) as refused:
        Tracer()
    assert "\n" not in str(refused.value)


def test_a_free_threaded_python_is_refused_in_words(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not find an extension that is built for the stable ABI."""
    monkeypatch.setattr("sysconfig.get_config_var", {"Py_GIL_DISABLED": 1}.get)
    kernel.refuse(ImportError("No module named 'exitsnoop._native'"))
    with pytest.raises(TraceError, match="does not work in a free-threaded Python"):
        Tracer()


@pytest.mark.parametrize("number", [23, 24])
def test_the_extension_may_find_no_descriptor(kernel: FakeKernel, number: int) -> None:
    kernel.refuse(extension().SessionError("map", number, ""))
    with pytest.raises(TraceError, match="open"):
        Tracer()


def test_a_process_that_has_ended(kernel: FakeKernel) -> None:
    with subprocess.Popen(["true"]) as child:
        pass
    for named in ("pids", "tree", "ppids"):
        wanted: FilterOptions = {named: [child.pid]}  # type: ignore[misc]
        with pytest.raises(NoSuchProcess) as raised:
            Tracer(**wanted)
        assert raised.value.pid == child.pid
    assert kernel.sessions == []


def test_filters_go_in_as_they_are(kernel: FakeKernel) -> None:
    with Tracer(Filters(failed=True)), Tracer(failed=True):
        one, other = kernel.sessions
        assert one.tunables == other.tunables != {}
    with pytest.raises(TypeError, match="not both"):
        Tracer(Filters(failed=True), why=True)


def test_a_start_without_the_extension_says_so() -> None:
    script = (
        "import sys; sys.modules['exitsnoop._native'] = None\n"
        "import exitsnoop\n"
        "try: exitsnoop.Tracer()\n"
        "except exitsnoop.TraceError as error: print(error)"
    )
    told = subprocess.check_output([sys.executable, "-c", script], text=True)
    assert "a part of exitsnoop cannot be loaded" in told
    assert "install it again" in told
    assert told.count("\n") == 1


@pytest.mark.usefixtures("kernel")
def test_leaving_nothing_behind() -> None:
    before = os.listdir("/proc/self/fd")
    for _ in range(3):
        with contextlib.suppress(ZeroDivisionError), Tracer(pids=[os.getpid()]):
            raise ZeroDivisionError
    tracer = Tracer()
    del tracer
    assert os.listdir("/proc/self/fd") == before
