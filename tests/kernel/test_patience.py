"""A patient reader: plain exits wait until its time is up, others do not."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.cgroups import make_cgroup, mounts, new_name
from support.machine import need

from exitsnoop import Tracer

LONG_S = 120.0
SHORT_S = 0.5


@pytest.fixture
def tracer() -> Iterator[Tracer]:
    """Of our children; it knows our cgroup by now."""
    fields = {"cgroup", "args", "user"}
    with Tracer(ppids=[os.getpid()], why=True, fields=fields, pause_s=0.01) as tracer:
        with at_once():
            ended = run("true")
            assert [one.pid for one in tracer.next_batch(LONG_S, patient=True)] == [ended]
        yield tracer


@contextmanager
def at_once() -> Iterator[None]:
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < LONG_S / 2


def run(*words: str) -> int:
    """Return the PID of a child that has ended."""
    with subprocess.Popen(words) as child:
        child.wait()
    return child.pid


def test_plain_exits_wait(tracer: Tracer) -> None:
    """Also those that come while it waits. It may be in a hurry after a batch, but not for ever."""
    took = 0.0
    while took < SHORT_S:
        pids = [run("true"), run("sh", "-c", "exit 3")]
        begun = time.monotonic()
        later = threading.Timer(SHORT_S / 5, lambda pids=pids: pids.append(run("true")))
        later.start()
        batch = [*tracer.next_batch(SHORT_S, patient=True)]
        took = time.monotonic() - begun
        later.join()
        while len(batch) < len(pids):
            batch += tracer.next_batch(LONG_S)
        assert [one.pid for one in batch] == pids


def test_an_end_by_a_signal_does_not(tracer: Tracer) -> None:
    pids = [run("true"), run("sh", "-c", "kill -9 $$")]
    with at_once():
        assert [one.pid for one in tracer.next_batch(LONG_S, patient=True)] == pids


def test_the_first_of_a_cgroup_does_not(tracer: Tracer) -> None:
    """Its container may be removed at once, and with it what says its name."""
    top = next((path for path, kind, _ in mounts() if kind == "cgroup2"), None)
    need(top is not None, "a cgroup file system of version 2")
    group = Path(str(top)) / new_name()
    make_cgroup(group)
    try:
        moves = f"echo $$ > {group}/cgroup.procs; exit 0"
        pids = [run("true"), run("sh", "-c", moves)]
        with at_once():
            assert [one.pid for one in tracer.next_batch(LONG_S, patient=True)] == pids
    finally:
        group.rmdir()


def test_many_do_not(tracer: Tracer) -> None:
    """Each says 16 KB of arguments."""
    words = "x" * 100_000
    with at_once():
        for _ in range(100):
            run("true", words)
        got = 0
        while got < 100:
            found = len(tracer.next_batch(LONG_S, patient=True))
            got += found
            if got > 60:  # what is left is not much
                break
    assert got > 60


def test_stop_ends_it(tracer: Tracer) -> None:
    run("true")
    threading.Timer(SHORT_S, tracer.stop).start()
    with at_once():
        assert len(tracer.next_batch(LONG_S, patient=True)) == 1
