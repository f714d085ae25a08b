"""What is recorded comes back as it was: the same exits, the same JSON, the same in SQL."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.any_exits import made_up
from support.fakes import HOSTILE
from support.recorded import BOOT, FUZZ, SECOND_NS, START_NS, ask, exits, json_lines, read, record

from exitsnoop.model.batch import Exits
from exitsnoop.model.cause import (
    After,
    At,
    Cause,
    Mapped,
    Oom,
    Sender,
    Thread,
    Timer,
)
from exitsnoop.model.context import Ancestor
from exitsnoop.model.exit import Exit
from exitsnoop.model.fields import FIELDS
from exitsnoop.store.recording import Recording

SENDER = Sender(712, 1, "b\u202eob", 1000, ("bob", ""), args_truncated=True)
OOM = Oom(62 << 20, 1, 0, None, None, SENDER)
PLAIN: dict[str, Any] = {
    "boot_ns": START_NS,
    "start_boot_ns": START_NS - 1,
    "pid": 7,
    "ppid": 1,
    "tid": 7,
    "status": 0,
    "wall_ns": 1_790_000_000 * SECOND_NS + 123_456_789,
    "raw_comm": b"job".ljust(16, b"\0"),
}


def back(store: Path, *made: Exit) -> list[Exit]:
    record(store, Exits.of(made))
    found = read(store)
    assert json_lines(found) == json_lines(Exits.of(made))
    return list(found)


@pytest.mark.parametrize(
    "known",
    [
        {},
        {"args": (), "args_truncated": False, "ancestors": (), "ancestors_truncated": False},
        {"args": ("", 'a"b', "c\n\0d"), "args_truncated": True},
        {"ancestors": (Ancestor(9, "a"), Ancestor(1, "")), "ancestors_truncated": True},
        {"raw_comm": b"gr\xc3\xb6\xff\0left over!!!"},
        {"raw_comm": b"\xf0\x9f\x92\x80".ljust(16, b"\0")},
        {"raw_comm": bytes(16)},
        {"tid": 9, "last_thread": False, "status": 0x8B, "nspid": 0},
        {"nspid": 7},
        {"cause": Cause("killed", "killed", SENDER, "kill", "SI_USER")},
        {"cause": Cause("oom", "out of memory", oom=OOM)},
        {
            "cause": Cause(
                "oom", "x", oom=OOM._replace(cgroup="/a\n", limit=1, trigger=Sender(*SENDER[:4]))
            )
        },
        {"cause": Cause("fault", "at 0", si_code="SEGV_MAPERR", address=0)},
        {"cause": Cause("fault", "high", address=2**64 - 1)},
        {"cause": Cause("fault", "x", at=At("/a", "ab", 1, "f", 2), mapping=Mapped("none"))},
        {"cause": Cause("abort", "x", stack=(At("/é\n", None, 2**40), At(None)))},
        {"cause": Cause("abort", "x", stack=(At("/a"),), stack_complete=False)},
        {"cause": Cause("fault", "x", mapping=Mapped("file", "/a (deleted)", 0))},
        {"cause": Cause("seccomp", "x", syscall=-1)},
        {"cause": Cause("file_limit", "x", limit=2**63, path="/é\n")},
        {"cause": Cause("timer", "x", timer=Timer("ITIMER_REAL", 0.0))},
        {"cause": Cause("timer", "x", timer=Timer("CLOCK_TAI"))},
        {
            "cause": Cause(
                "killed",
                "x",
                after=After(
                    15, "SIGTERM", 1.5, "killed", "ignored", SENDER, earlier=("SIGHUP", "é")
                ),
            )
        },
        {"cause": Cause("self", "x", meant_for="process group")},
        {
            "cause": Cause(
                "exited",
                "x",
                after=After(
                    *(31, "SIGSYS", 0.5, "seccomp", "handled"),
                    text="system call 41 é",
                    syscall=-1,
                    thread=Thread(7, "é"),
                    access="write",
                    at=At("/é", "ab" * 20, 2**40, "main", 0),
                    timer=Timer("CLOCK_TAI"),
                    path="/é",
                ),
            )
        },
        {"cause": Cause("terminal", "x", tty="pts/3")},
        {"cause": Cause("timer", "no args", SENDER._replace(args=None, args_truncated=False))},
        {"cgroup": f"/system.slice/docker-{'0123456789abcdef' * 4}.scope", "uid": 0},
        {"cgroup": "/", "hostname": "", "user": None, "uid": 2**32 - 2},
        {"exe": "", "parent_comm": ""},
        {"cpu_user": 0.0, "cpu_system": 0.000000001, "max_rss": 0, "read_bytes": 2**40},
        {"cpu_user": 123456789.123456789, "minor_faults": 2**31, "voluntary_switches": 0},
        {"wall_ns": -1},
    ],
)
def test_every_value_comes_back(store: Path, known: dict[str, Any]) -> None:
    made = Exit(**{**PLAIN, **known})
    assert back(store, made) == [made]


def test_any_text_comes_back(store: Path) -> None:
    made = [
        Exit(
            **PLAIN,
            exe=text,
            user=text,
            hostname=text,
            cgroup=text,
            parent_comm=text,
            args=(text, text),
            args_truncated=False,
            ancestors=(Ancestor(1, text),),
            cause=Cause("killed", text, SENDER._replace(comm=text, args=(text,))),
        )
        for text in HOSTILE
    ]
    assert back(store, *made) == made


def test_text_that_has_no_utf8_is_kept_as_far_as_it_has(store: Path) -> None:
    record(store, Exits.of([Exit(**PLAIN, exe="a\udcff", args=("\udcff",), args_truncated=False)]))
    (found,) = read(store)
    assert (found.exe, found.args) == ("a?", ("?",))


def test_a_counter_that_makes_no_sense_does_not_stop_the_rest(store: Path) -> None:
    record(store, exits(range(3), max_rss=[1, 2**64, 3]))
    assert list(read(store).column("max_rss")) == [1, 2**63 - 1, 3]


@FUZZ
@given(st.lists(made_up, min_size=1, max_size=20))
def test_fuzz_exits_come_back(tmp_path_factory: pytest.TempPathFactory, made: list[Exit]) -> None:
    for at, one in enumerate(made):
        if one.args is None:  # then it is unknown whether there were more
            known = {name: getattr(one, name) for name in FIELDS if not FIELDS[name].of}
            made[at] = Exit(**{**known, "args_truncated": None})
    store = tmp_path_factory.mktemp("fuzz") / "store"
    assert back(store, *made) == made


def test_many_exits_in_several_segments(store: Path) -> None:
    made = [exits(range(at, at + 700)) for at in range(0, 21_000, 700)]
    record(store, *made)
    record(store, exits(range(21_000, 22_000)))
    every = [line for batch in [*made, exits(range(21_000, 22_000))] for line in json_lines(batch)]
    assert json_lines(read(store)) == every


def test_the_view_says_what_json_says(store: Path) -> None:
    made = Exits.of(
        [
            *exits(range(60)),
            Exit(**{**PLAIN, "raw_comm": b"gr\xc3\xb6\xff\0left".ljust(16, b"!"), "status": 0x8B}),
            Exit(**{**PLAIN, "status": 36, "cause": Cause("oom", "o", oom=OOM), "args": ()}),
        ]
    )
    record(store, made)
    connection = Recording(store).connect()
    connection.row_factory = sqlite3.Row
    for row, line in zip(connection.execute("SELECT * FROM exits"), json_lines(made), strict=True):
        for key, value in json.loads(line).items():
            if key == "container":
                assert (row["container"], row["container_runtime"]) == (None, None)
            elif key == "cause":
                assert row["cause"] == (value and value["kind"])
                assert row["cause_text"] == (value and value["text"])
            elif value is None or not isinstance(value, (list, dict)):
                assert row[key] == value, key
            else:
                assert json.loads(row[key]) == value
        assert row["boot_id"] == BOOT.boot_id
        assert row["failed"] == (row["status"] != 0)
    connection.close()


def test_the_view_says_who_did_it(store: Path) -> None:
    cause = Cause("fault", "t", SENDER, "kill", address=2**64 - 1, limit=5, oom=OOM)
    container = f"/system.slice/docker-{'0123456789abcdef' * 4}.scope"
    record(store, Exits.of([Exit(**PLAIN, cause=cause, cgroup=container)]))
    (row,) = ask(
        store,
        "SELECT cause_sender_pid, cause_sender_comm, cause_sender_args, cause_how, "
        "cause_address, cause_limit, cause_oom_anon, cause_oom_trigger_comm, container, "
        "container_runtime FROM exits",
    )
    assert row[:4] == (712, SENDER.comm, '["bob",""]', "kill")
    assert row[4:8] == ("0xffffffffffffffff", 5, 62 << 20, SENDER.comm)
    assert row[8:] == ("0123456789abcdef" * 4, "docker")
