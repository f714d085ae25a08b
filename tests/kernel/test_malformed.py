"""A malformed record in the ring of a real tracer: it is reported, after what came before it."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.bpf import assert_gone, held, ring_of
from support.command import parse_row, running, tracing
from support.programs import compiled

from exitsnoop import MalformedRecord, Tracer
from exitsnoop.layout import NOTE, SIGNAL_EVIDENCE

NO_KIND = 99
# Too short for an exit; a note that is shorter than its kind; a note of an unknown kind.
GARBAGE = {"exit": [0], "note": [NOTE, SIGNAL_EVIDENCE], "kind": [NOTE, NO_KIND]}


@pytest.fixture(scope="module")
def garbage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield from compiled(Path(__file__).with_name("garbage.c"), tmp_path_factory.mktemp("garbage"))


def put(garbage: Path, pid: int, what: str) -> None:
    words = [f"{word:x}" for word in GARBAGE[what]]
    subprocess.run([garbage, str(ring_of(pid)), *words], check=True)


def end() -> int:
    with subprocess.Popen(["/bin/true"]) as process:
        return process.pid


@pytest.mark.parametrize("what", GARBAGE)
def test_it_is_an_error_that_ends_the_iteration(garbage: Path, what: str) -> None:
    with Tracer(why=True) as tracer:
        before = end()
        assert before in {record.pid for record in tracer.read()}
        put(garbage, os.getpid(), what)
        with pytest.raises(MalformedRecord, match="this is a bug in exitsnoop"):
            for _ in tracer:
                pass
        assert tracer.ended
        assert list(tracer) == []


@pytest.mark.parametrize("what", GARBAGE)
def test_the_command_says_so_and_ends(exitsnoop: str, garbage: Path, what: str) -> None:
    with tracing(exitsnoop, "-w", "-n", "true") as traced:
        objects = held(traced.process.pid)
        before = end()
        while parse_row(traced.stdout.readline()).pid != before:
            pass
        put(garbage, traced.process.pid, what)
        traced.rest()
        assert traced.process.returncode == os.EX_SOFTWARE
        message = "exitsnoop: cannot decode a record .*; this is a bug .*; tracing has stopped\n"
        assert re.fullmatch(message, traced.errors())
    assert_gone(objects)


def test_without_fields_notes_are_ignored(exitsnoop: str, garbage: Path) -> None:
    """The plain trace has no use for it, and goes on."""
    with tracing(exitsnoop) as traced:
        put(garbage, traced.process.pid, "note")
        after = end()
        while parse_row(traced.stdout.readline()).pid != after:
            pass
        traced.stop()
        assert traced.process.returncode == 0


def test_command_goes_on(exitsnoop: str, garbage: Path) -> None:
    script = "/bin/true; read line; exit 5"
    with running(exitsnoop, "-w", "--", "/bin/sh", "-c", script) as traced:
        assert traced.process.stdin
        assert traced.process.stderr
        while "true" not in traced.stdout.readline():
            pass
        put(garbage, traced.process.pid, "exit")
        assert "cannot decode a record" in traced.process.stderr.readline()
        traced.process.stdin.write("\n")
        traced.process.stdin.flush()
        traced.rest()
        assert traced.process.returncode == 5
