"""`exitsnoop ship --journal` with a real journald; tests/systemd has it with all of systemd."""

import contextlib
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.command import UNPRIVILEGED
from support.journald import Journald, journald
from support.recorded import START_NS, exits, record, writer
from support.waiting import until

from exitsnoop.model.batch import Exits
from exitsnoop.model.cause import KINDS, Cause, Sender
from exitsnoop.model.cgroup import Container
from exitsnoop.ship import entries
from exitsnoop.ship.journal import MOST_OF_UNIT, WINDOW_S, Journal, Limit
from exitsnoop.store.following import Missing

ROOT = Path(__file__).parents[2]
CATALOG = ROOT / "packaging" / "exitsnoop.catalog"
UNIT = "/system.slice/api.service"


@pytest.fixture(scope="module")
def daemon() -> Iterator[Journald]:
    with journald() as started:
        yield started


@contextlib.contextmanager
def shipping(daemon: Journald, exitsnoop: str, store: Path, *user: str) -> Iterator[str]:
    """Write to the journal while the block runs, from the first entry on that is recorded in it."""
    record(store, made(range(1, 2)))
    state = store.with_name("state")
    words = [*daemon.inside, *user, exitsnoop, "ship", "--store", str(store), "--state", str(state)]
    process = subprocess.Popen([*words, "--journal"], stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: bool(list(state.glob("journal-*.json"))))
        yield (Path(f"/proc/{process.pid}") / "status").read_text()
        process.terminate()
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        print(process.communicate()[1])  # noqa: T201 - for whoever reads why a test failed


def made(numbers: range, **columns: Any) -> Exits:
    """Return exits that ended just now; by default all failed."""
    columns = {"cgroup": UNIT, "status": 256, **columns}
    return exits(numbers, time.time_ns() - START_NS, **columns)


def found(daemon: Journald, count: int, *words: str) -> list[dict[str, Any]]:
    """Wait for so many entries; return them."""
    until(lambda: len(daemon.entries(*words)) >= count)
    return daemon.entries(*words)


SENDER = Sender(9, 1, "kill", 0, container=Container("docker", "ab" * 32), container_name="web-1")


def test_failures_are_under_their_unit(daemon: Journald, exitsnoop: str, store: Path) -> None:
    killer = Cause("killed", "killed by kill[9] (SIGKILL)", SENDER, "kill")
    fault = Cause("fault", "segfault at 0x8", si_code="SEGV_MAPERR", address=8)
    with shipping(daemon, exitsnoop, store) as status:
        record(store, made(range(2, 3), status=0))
        record(store, made(range(3, 4), cause=killer, status=9))
        record(store, made(range(4, 5), cause=fault, status=11))
        record(store, made(range(5, 6), cgroup="/system.slice/other.service"))
        first, second = found(daemon, 2, "--unit", "api.service")
        assert re.search(r"^CapEff:\t0+$", status, re.M)
        assert re.search(r"^CapPrm:\t0+$", status, re.M)
    assert first["MESSAGE"] == "job3[3] was killed by kill[9] from container web-1 with SIGKILL"
    assert first["EXITSNOOP_SENDER_CONTAINER"] == "web-1"
    assert first["PRIORITY"] == "4"
    assert first["MESSAGE_ID"] == entries.MESSAGE_IDS["killed"]
    assert (first["EXITSNOOP_PID"], first["EXITSNOOP_SENDER_COMM"]) == ("3", "kill")
    assert second["MESSAGE"] == "job4[4] crashed with SIGSEGV: segfault at 0x8"
    assert (second["PRIORITY"], second["EXITSNOOP_CAUSE"]) == ("3", "fault")
    assert second["SYSLOG_IDENTIFIER"] == "exitsnoop"
    assert "job3[3] was killed" in daemon.shown("--unit", "api.service", "--priority", "warning")


def test_no_text_of_a_process_breaks_an_entry(
    daemon: Journald, exitsnoop: str, store: Path
) -> None:
    evil = b"\x1b[2J\nMESSAGE=x"[:15].ljust(16, b"\0")
    cause = Cause("fault", "a\nPRIORITY=0\nb" + "c" * 300_000)
    with shipping(daemon, exitsnoop, store):
        record(store, made(range(2, 3), raw_comm=evil, cause=cause, status=11, cgroup="/"))
        (entry,) = found(daemon, 1, "--all", "EXITSNOOP_PID=2", "EXITSNOOP_CAUSE=fault")
    assert "\x1b" not in entry["MESSAGE"]
    assert "\n" not in entry["MESSAGE"]
    assert entry["MESSAGE"].startswith(
        r"\033[2J\nMESSAGE=x[2] crashed with SIGSEGV: a\nPRIORITY=0\nb"
    )
    assert len(entry["MESSAGE"]) > 300_000  # it takes a file of its own to hand that over
    assert entry["PRIORITY"] == "3"


def test_answers_are_no_failures_and_containers_have_names(
    daemon: Journald, exitsnoop: str, store: Path
) -> None:
    """Grep answers a shell, but cron does not ask it. Containers are found as docker has them."""
    asked = {"raw_comm": b"grep".ljust(16, b"\0"), "cgroup": "/x.slice/a.service"}
    container = {"cgroup": f"/system.slice/docker-{'c' * 64}.scope", "container_name": "shop"}
    with shipping(daemon, exitsnoop, store):
        record(store, made(range(2, 3), parent_comm="bash", **asked))
        record(store, made(range(3, 4), parent_comm="cron", **asked))
        record(store, made(range(4, 5), **container))
        (entry,) = found(daemon, 1, "CONTAINER_NAME=shop")
    assert (entry["CONTAINER_ID"], entry["CONTAINER_ID_FULL"]) == ("c" * 12, "c" * 64)
    (entry,) = daemon.entries("--unit", "a.service")
    assert entry["MESSAGE"] == "grep[3] exited with code 1"


def test_without_root_it_says_what_is_missing(
    daemon: Journald, exitsnoop: str, store: Path
) -> None:
    record(store, made(range(1, 2)))
    words = [*daemon.inside, *UNPRIVILEGED, exitsnoop, "ship", "--store", str(store), "--journal"]
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "journald believes only root what unit an entry is about" in run.stderr


def test_what_is_missing_is_written_too(daemon: Journald, exitsnoop: str, store: Path) -> None:
    with shipping(daemon, exitsnoop, store):
        recorder = writer(store)
        recorder.add(made(range(2, 3)), 12)
        recorder.close()
        (entry,) = found(daemon, 1, "EXITSNOOP_COUNT=12", f"MESSAGE_ID={entries.MISSING_ID}")
    assert re.fullmatch(
        r"12 exits .* are missing \(they came too fast to be read\)", entry["MESSAGE"]
    )


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        (Missing("k", "dropped", 7, None, None), "7 exits are missing here (the recording had no"),
        (Missing("k", "damaged", None, None, None), "exits are missing here (the recording is dam"),
        (Missing("k", "given up", 1, 5, 9), "1 exit is missing here (they could not be written in"),
    ],
)
def test_words_for_what_is_missing(missing: Missing, expected: str) -> None:
    assert entries.of_missing(missing, 10)["MESSAGE"].startswith(expected)


def test_it_goes_on_when_journald_is_started_again(exitsnoop: str, store: Path) -> None:
    with journald() as own, shipping(own, exitsnoop, store):
        record(store, made(range(2, 3)))
        found(own, 1, "EXITSNOOP_PID=2")
        own.stop()
        record(store, made(range(3, 4)))
        own.start()
        assert len(found(own, 1, "EXITSNOOP_PID=3")) == 1


def test_a_storm_is_cut_short_and_counted(daemon: Journald, exitsnoop: str, store: Path) -> None:
    """Journald would drop what is beyond its own limit; here the unit is named."""
    storm = made(range(2, 3002), cgroup="/x.slice/storm.service")
    with shipping(daemon, exitsnoop, store):
        record(store, storm)
        record(store, made(range(3002, 3003), cgroup="/x.slice/calm.service"))
        assert len(found(daemon, 1, "--unit", "calm.service")) == 1
    *written, last = daemon.entries("--unit", "storm.service")
    assert len(written) == MOST_OF_UNIT
    assert last["MESSAGE_ID"] == entries.MORE_ID
    assert int(last["EXITSNOOP_COUNT"]) == 3000 - MOST_OF_UNIT
    assert last["MESSAGE"].startswith("2,800 more failures of storm.service within 30 s are not")


def test_the_limit_begins_anew_with_each_window() -> None:
    now = 0.0
    limit = Limit(lambda: now)
    assert limit.is_over()
    limit.begin()
    allowed = [limit.allows("a") for _ in range(MOST_OF_UNIT + 5)]
    assert allowed == [True] * MOST_OF_UNIT + [False] * 5
    assert limit.unwritten == {"a": 5}
    now = WINDOW_S - 0.001
    assert not limit.is_over()
    now = WINDOW_S
    assert limit.is_over()
    limit.begin()
    assert limit.allows("a")
    assert not limit.unwritten


def test_without_journald_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Journal(str(tmp_path / "socket"))


def test_the_catalog_explains_each_kind(tmp_path: Path) -> None:
    """Journalctl itself reads it; what it cannot read, it leaves out."""
    place = tmp_path / "usr" / "lib" / "systemd" / "catalog"
    place.mkdir(parents=True)
    (place / "exitsnoop.catalog").write_bytes(CATALOG.read_bytes())
    (tmp_path / "var" / "lib" / "systemd" / "catalog").mkdir(parents=True)
    for words in (["--update-catalog"], ["--list-catalog"]):
        run = subprocess.run(
            ["journalctl", f"--root={tmp_path}", *words], capture_output=True, text=True, check=True
        )
        assert not run.stderr
    listed = dict(re.findall(r"^(\w{32}) (.*)$", run.stdout, re.M))
    ids = {*entries.MESSAGE_IDS.values(), entries.MORE_ID, entries.MISSING_ID}
    assert listed.keys() == ids
    assert all(subject.startswith("exitsnoop: ") for subject in listed.values())
    assert entries.MESSAGE_IDS.keys() == set(KINDS)
    used = set(re.findall(r"@(EXITSNOOP_\w+)@", CATALOG.read_text()))
    assert used <= set(re.findall(r'"(EXITSNOOP_\w+)"', Path(entries.__file__).read_text()))
