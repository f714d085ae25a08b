"""`exitsnoop past` shows what live tracing shows: real exits, recorded meanwhile."""

import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support import truth
from support.cgroups import mounts
from support.fakes import HOSTILE, ID
from support.machine import SLOW, need
from support.recorder import exits, recording
from support.stage import Stage
from support.waiting import PATIENCE_S, until

from exitsnoop import Exit, Tracer
from exitsnoop.cli.choice import DEFAULT, DEFAULT_JSON
from exitsnoop.model.batch import Exits
from exitsnoop.model.fields import COLLECTED, COLUMNS
from exitsnoop.sinks.csv import Csv
from exitsnoop.sinks.json_lines import JsonLines
from exitsnoop.sinks.table import Table
from exitsnoop.store.writer import Writer

if TYPE_CHECKING:
    from exitsnoop.sinks import Sink

ALL = ",".join(COLUMNS)
FIELDS = [name for name in COLLECTED if name != "cause"]


def ends_of_all_kinds(endings: Path, stage: Stage) -> None:
    """Every ending; killers, users, a container, an OOM kill, arguments that hurt."""
    truth.run(endings, "storm", 210, 7)
    truth.run(endings, "burst", 4, 4)
    for text in HOSTILE:
        if "\0" not in text:
            subprocess.run(["/bin/sh", "-c", "exit 3", text, text], check=False)
    subprocess.run(["setpriv", "--reuid=54321", "--clear-groups", "true"], check=True)
    with subprocess.Popen(["sleep", "1000"]) as victim:
        subprocess.run(["/bin/kill", "-TERM", str(victim.pid)], check=True)
    if tops := [path for path, kind, _ in mounts() if kind == "cgroup2"]:
        container = stage.cgroup(tops[0], f"docker-{ID}.scope")
        script = 'echo $$ >"$1/cgroup.procs"; kill -SEGV $$'
        subprocess.run(["/bin/sh", "-c", script, "sh", container], check=False)


class Live:
    """What was seen live, and recorded meanwhile.

    Attributes:
        store: the recording.
        batches: the exits.
    """

    def __init__(self, store: Path) -> None:
        self.store = store
        self.batches: list[Exits] = []

    def written(self, form: "Sink") -> str:
        """What the live trace would have written in a format."""
        return form.header() + "".join(map(form.rows, self.batches))

    def __iter__(self) -> Iterator[Exit]:
        return (one for batch in self.batches for one in batch)


@pytest.fixture(scope="module")
def live(endings: Path, lives: Path, tmp_path_factory: pytest.TempPathFactory) -> Live:
    """What this process started, and all that came of it."""
    seen = Live(tmp_path_factory.mktemp("past") / "store")
    mine = [os.getpid()]
    with Tracer(tree=mine, why=True, fields=FIELDS) as tracer, Stage(lives) as stage:
        writer = Writer(seen.store)
        ends_of_all_kinds(endings, stage)
        tracer.stop()
        for batch in tracer.batches():
            seen.batches.append(batch)
            writer.add(batch)
        assert not tracer.lost
        writer.close()
    kinds = {one.cause.kind for one in seen if one.cause}
    assert kinds >= {"exited", "killed", "fault", "self", "abort"}
    return seen


def past(exitsnoop: str, seen: Live, *words: str) -> str:
    """What `exitsnoop past` writes, byte by byte."""
    result = subprocess.run(
        [exitsnoop, "past", "--store", seen.store, *words],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.decode()


@pytest.mark.parametrize(
    ("words", "form"),
    [
        (["--json"], JsonLines(DEFAULT_JSON)),
        (["--json", "-o", ALL], JsonLines(list(COLUMNS))),
        (["--json", "-wa", "--label"], JsonLines([*DEFAULT_JSON, "cause", "args"], label="exit")),
        (["--csv", "-o", ALL], Csv(list(COLUMNS))),
        ([], Table(DEFAULT)),
        (["-o", ALL, "--utc", "--label", "x"], Table(list(COLUMNS), utc=True, label="x")),
        (["-tw"], Table(["time", *DEFAULT, "cause"])),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_past_is_what_was_live(
    exitsnoop: str, live: Live, words: list[str], form: "Sink"
) -> None:
    assert past(exitsnoop, live, *words) == live.written(form)


@pytest.mark.parametrize(
    ("words", "passes"),
    [
        ("-x", lambda one: one.exit_code != 0),
        ("--signal SEGV,KILL", lambda one: one.signal in (9, 11)),
        ("--code 3", lambda one: one.exit_code == 3),
        ("-u 54321", lambda one: one.uid == 54321),
        ("-u !root", lambda one: one.uid not in (0, None)),
        ("-n sh,en*s", lambda one: one.comm in ("sh", "endings")),
        ("--cause killed", lambda one: one.cause and one.cause.kind == "killed"),
        (f"--container {ID[:12]}", lambda one: one.container and one.container.id == ID),
    ],
)
def test_filters(exitsnoop: str, live: Live, words: str, passes: Any) -> None:
    wanted = [one for one in live if passes(one)]
    if "--container" in words:
        need(bool([kind for _, kind, _ in mounts() if kind == "cgroup2"]), "cgroup2")
    assert wanted
    shown = past(exitsnoop, live, "--json", "-w", *words.split())
    assert shown == JsonLines([*DEFAULT_JSON, "cause"]).rows(wanted)


def test_two_commands_see_the_same(exitsnoop: str, endings: Path, tmp_path: Path) -> None:
    """One records while the other traces. What each of them measures for itself is left out."""
    store, rows = tmp_path / "store", tmp_path / "rows"
    script = f"cd {endings.parent}; exec {endings} storm 60 3"
    trace = [exitsnoop, "--json", "-w", "-o", ALL, "--output", str(rows), "--", "sh", "-c", script]
    with recording(exitsnoop, store) as recorder:
        subprocess.run(trace, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        assert recorder.stop() == 0
    shown = past(exitsnoop, Live(store), "--json", "-w", "-o", ALL)
    recorded = {who(one): one for one in map(json.loads, shown.splitlines())}
    traced = [json.loads(line) for line in rows.read_text().splitlines()]
    assert len(traced) > 60
    for one in traced:
        same = recorded[who(one)]
        assert abs(same.pop("wall_ns") - one.pop("wall_ns")) < 50_000_000
        for measured in ("time", "boot_ns", "age", "cpu_user", "cpu_system"):
            del same[measured], one[measured]
        for count in ("voluntary_switches", "involuntary_switches"):
            del same[count], one[count]
        if SLOW and names_functions(same) != names_functions(one):
            # The files of a crash are read within a time limit: one of the two gave that up.
            drop_functions(same["cause"])
            drop_functions(one["cause"])
        assert same == one


def names_functions(record: dict[str, Any]) -> bool:
    """Whether the place of a crash, or one of its callers, has the name of a function."""
    cause = record["cause"]
    places = [cause.get("at"), *(cause.get("stack") or ())]
    return any(place and place["function"] for place in places)


def drop_functions(cause: dict[str, Any]) -> None:
    """Leave out what is known only from the files of a crash. The module is from the kernel."""
    for known in ("text", "stack", "stack_complete"):
        cause.pop(known)
    if cause["at"]:
        del cause["at"]["function"], cause["at"]["function_offset"]


def who(record: dict[str, Any]) -> tuple[int, int]:
    """What identifies a process until the next boot."""
    return record["pid"], record["start_boot_ns"]


def end_one() -> int:
    """Start a process, and wait for it; return its PID."""
    with subprocess.Popen(["true"]) as child:
        child.wait()
    return child.pid


@contextlib.contextmanager
def following(exitsnoop: str, store: Path, *words: str) -> Iterator["subprocess.Popen[str]"]:
    """Follow a recording: children of this process."""
    command = [exitsnoop, "past", "--follow", "--json", "-P", str(os.getpid())]
    with subprocess.Popen(
        [*command, "--store", str(store), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_what_is_recorded_is_followed(exitsnoop: str, tmp_path: Path) -> None:
    store = tmp_path / "store"
    with contextlib.ExitStack() as stack:
        recorder = stack.enter_context(recording(exitsnoop, store))
        there = [end_one(), end_one()]
        until(lambda: there[-1] in {one.pid for one in exits(store)})
        follower = stack.enter_context(following(exitsnoop, store, "--last", "1"))
        assert follower.stdout
        assert follower.stderr

        def next_pid() -> int:
            assert follower.stdout
            return int(json.loads(follower.stdout.readline())["pid"])

        assert next_pid() == there[-1]
        assert end_one() == next_pid()
        assert recorder.stop() == 0
        assert follower.stderr.readline() == (
            "exitsnoop: nothing is recorded now, as no recorder runs: waiting for one\n"
        )
        again = stack.enter_context(recording(exitsnoop, store))
        assert follower.stderr.readline() == "exitsnoop: the recorder runs again\n"
        assert end_one() == next_pid()
        follower.send_signal(signal.SIGTERM)
        rest, said = follower.communicate(timeout=PATIENCE_S)
        assert (follower.returncode, rest) == (0, "")
        assert re.search(r"nothing was recorded from .* \(the recorder was stopped\)", said), said
        assert again.stop() == 0


def test_following_ends_with_its_reader(exitsnoop: str, tmp_path: Path) -> None:
    """Also while nothing is recorded."""
    store = tmp_path / "store"
    with recording(exitsnoop, store) as recorder:
        last = end_one()
        assert recorder.stop() == 0
    with following(exitsnoop, store) as follower:
        assert follower.stdout
        assert json.loads(follower.stdout.readline())["pid"] == last
        follower.stdout.close()
        assert follower.wait(timeout=PATIENCE_S) == 0


def test_following_ends_with_ctrl_c(exitsnoop: str, tmp_path: Path) -> None:
    store = tmp_path / "store"
    with recording(exitsnoop, store), following(exitsnoop, store) as follower:
        last = end_one()
        assert follower.stdout
        assert json.loads(follower.stdout.readline())["pid"] == last
        follower.send_signal(signal.SIGINT)
        assert follower.wait(timeout=PATIENCE_S) == 0
