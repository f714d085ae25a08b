"""JSON lines: what the schema says, in ASCII, and the same text when read again."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from jsonschema import Draft202012Validator
from support.fakes import AT, CGROUP, HOSTILE, ID, NAMES, POD, TEXTS, record, with_text

from exitsnoop.cli.choice import DEFAULT_JSON
from exitsnoop.model.cause import KINDS, After, At, Cause, Mapped, Oom, Sender, Thread, Timer
from exitsnoop.model.cgroup import Container
from exitsnoop.model.context import Ancestor
from exitsnoop.model.exit import Exit
from exitsnoop.model.fields import COLUMNS
from exitsnoop.sinks.json_lines import JsonLines

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "exit.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
BOB = Sender(
    *(712, 1, "b\u202eob", 1000, ("bob", ""), True, 713, "bob", "/bin/b\n", CGROUP, "b.service"),
    *(Container("podman", ID), POD, (Ancestor(812, "ba\nsh"), Ancestor(1, "a b"))),
    *("web", "web\n5d", "shop", "process group"),
)
EVERYTHING = record(
    status=0x8B,
    raw_comm="größe".encode().ljust(16, b"\0"),
    cause=Cause("killed", "killed by bob", sender=BOB, how="kill", si_code="SI_USER"),
    args=("sh", "", "a\nb"),
    args_truncated=True,
    ancestors=(Ancestor(812, "bash"), Ancestor(1, "a b")),
    ancestors_truncated=False,
    **{**dict.fromkeys(NAMES, "text"), "cgroup": CGROUP},
    **dict.fromkeys(("cpu_user", "cpu_system"), 0.000004),
    **dict.fromkeys(("uid", "nspid", "max_rss", "read_bytes", "write_bytes"), 4096),
    **dict.fromkeys(("minor_faults", "major_faults"), 0),
    **dict.fromkeys(("voluntary_switches", "involuntary_switches"), 3),
)


def parsed(line: str) -> dict[str, Any]:
    assert line.count("\n") == 1
    assert line.endswith("\n")
    assert line.isascii()
    assert line[:-1].isprintable()
    read: dict[str, Any] = json.loads(line, parse_constant=pytest.fail)
    VALIDATOR.validate(read)
    return read


def value(column: str, ended: Exit) -> Any:
    return parsed(JsonLines((column,)).rows([ended]))[column]


def test_the_default_line() -> None:
    sink = JsonLines(DEFAULT_JSON)
    assert sink.header() == ""
    killed = record(comm=b"sleep", status=9, pid=7, tid=7, age=1.65)
    assert sink.rows([killed, record(status=0x300)]) == (
        '{"time": "2019-05-27T13:20:22.997000Z", "boot_ns": 10000000000000, "pid": 7, "tid": 7, '
        '"ppid": 1, "comm": "sleep", "age": 1.650000, "exit_code": null, "signal": 9, '
        '"signal_name": "SIGKILL", "core_dumped": false}\n'
        '{"time": "2019-05-27T13:20:22.997000Z", "boot_ns": 10000000000000, "pid": 1, "tid": 1, '
        '"ppid": 1, "comm": "bash", "age": 0.000000, "exit_code": 3, "signal": null, '
        '"signal_name": null, "core_dumped": false}\n'
    )


def test_no_exits_are_no_lines() -> None:
    assert JsonLines(DEFAULT_JSON, label="x").rows([]) == ""


@pytest.fixture
def india() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "IST-5:30")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("india")
def test_time_is_that_of_the_exit_to_the_microsecond() -> None:
    for wall_ns in (AT, AT + 123_456_789, 999, 1_000, 951_782_399_999_999_999):
        ended = record(wall_ns=wall_ns)
        expected = ended.time.isoformat(timespec="microseconds").replace("+00:00", "Z")
        assert value("time", ended) == expected


@pytest.mark.parametrize("age", [0, 0.000001, 0.1, 1.65, 123456.789012])
def test_age_is_that_of_the_exit(age: float) -> None:
    ended = record(boot_ns=10**15 + round(age * 1e9) + 999, start_boot_ns=10**15)
    assert value("age", ended) == ended.age == age


@pytest.mark.parametrize("status", [0, 0x100, 0xFF00, 2, 9, 0x8B, 36, 64])
def test_the_parts_of_a_status_are_those_of_the_exit(status: int) -> None:
    ended = record(status=status)
    for name in ("exit_code", "signal", "signal_name", "core_dumped", "status"):
        assert value(name, ended) == getattr(ended, name)


def test_every_column_at_once_in_the_order_asked_for() -> None:
    for columns in (list(COLUMNS), list(reversed(COLUMNS))):
        line = parsed(JsonLines(columns, label="x").rows([EVERYTHING]))
        assert [key for key in line if not key.endswith("_truncated")] == ["label", *columns]
        keys = list(line)
        for name in ("args", "ancestors"):
            assert keys[keys.index(name) + 1] == f"{name}_truncated"
    assert line["args"] == ["sh", "", "a\nb"]
    assert line["args_truncated"] is True
    assert line["ancestors"] == [{"pid": 812, "comm": "bash"}, {"pid": 1, "comm": "a b"}]
    assert line["ancestors_truncated"] is False
    assert line["container"] == {"runtime": "kubernetes", "id": ID}
    assert (line["pod"], line["unit"], line["user_unit"]) == (POD, "user@1000.service", "a.service")
    assert line["cpu_user"] == 0.000004
    assert line["exit"] == "signal 11 (SEGV), core dumped"
    assert line["core_dumped"] is True
    assert line["minor_faults"] == 0


def test_what_is_unknown_is_null() -> None:
    line = parsed(JsonLines(list(COLUMNS)).rows([record()]))
    for name in COLUMNS:
        if getattr(record(), name) is None:
            assert line[name] is None
    assert line["args_truncated"] is line["ancestors_truncated"] is None


@pytest.mark.parametrize("column", TEXTS)
def test_any_text_comes_back_as_it_was(column: str) -> None:
    for text in HOSTILE:
        expected: dict[str, object] = {
            "comm": text.replace("\0", ""),
            "cause": {"kind": "killed", "text": f"killed by {text}[1] uid 0 (SIGTERM)"},
            "args": ["env", text, text],
            "ancestors": [{"pid": 7, "comm": text}, {"pid": 1, "comm": text}],
            "container": {"runtime": "lxc", "id": text or "empty"},
        }
        assert value(column, with_text(column, text)) == expected.get(column, text)


def test_a_name_that_is_not_utf8() -> None:
    assert value("comm", record(comm=b"gr\xc3\xb6\xff\0left over")) == "grö\ufffd"


def test_a_cause_has_what_its_kind_brings() -> None:
    assert value("cause", EVERYTHING) == {
        "kind": "killed",
        "text": "killed by bob",
        "sender": {
            "pid": 712,
            "ppid": 1,
            "comm": "b\u202eob",
            "uid": 1000,
            "args": ["bob", ""],
            "args_truncated": True,
            "tid": 713,
            "user": "bob",
            "exe": "/bin/b\n",
            "cgroup": CGROUP,
            "unit": "b.service",
            "container": {"runtime": "podman", "id": ID},
            "pod": POD,
            "ancestors": [{"pid": 812, "comm": "ba\nsh"}, {"pid": 1, "comm": "a b"}],
            "container_name": "web",
            "pod_name": "web\n5d",
            "namespace": "shop",
            "meant_for": "process group",
        },
        "how": "kill",
        "si_code": "SI_USER",
    }
    trigger = Sender(5, 1, "hog", 0)
    for cgroup, limit in (("/app\n", 64 << 20), (None, None)):
        oom = Oom(62 << 20, 1, 0, cgroup, limit, trigger, 64 << 20, 5, None, 6, 7, None, 8)
        assert value("cause", record(status=9, cause=Cause("oom", "out of memory", oom=oom))) == {
            "kind": "oom",
            "text": "out of memory",
            "oom": {
                "anon": 62 << 20,
                "file": 1,
                "shmem": 0,
                "cgroup": cgroup,
                "limit": limit,
                "trigger": {"pid": 5, "ppid": 1, "comm": "hog", "uid": 0},
                "usage": 64 << 20,
                "cgroup_anon": 5,
                "cgroup_file": None,
                "cgroup_shmem": 6,
                "cgroup_kernel": 7,
                "cgroup_sock": None,
                "swap": 8,
            },
        }
    fault = Cause("fault", "segfault", si_code="SEGV_MAPERR", address=0)
    assert value("cause", record(cause=fault))["address"] == "0x0"


@pytest.mark.parametrize("address", [0, 2**53 + 1, 2**64 - 1])
def test_a_reader_whose_numbers_are_doubles_gets_the_address(address: int) -> None:
    after = After(11, "SIGSEGV", 0.5, "fault", "handled", address=address)
    exit_ = record(cause=Cause("fault", "", address=address, after=after))
    line = JsonLines(("cause",)).rows([exit_])
    VALIDATOR.validate(json.loads(line))
    cause = json.loads(line, parse_int=float)["cause"]
    assert int(cause["address"], 16) == int(cause["after"]["address"], 16) == address


def test_addresses_of_version_1_of_the_schema_are_read() -> None:
    exit_ = record(cause=Cause("fault", "", address=2**53 + 1))
    old = exit_.to_dict()
    old["cause"]["address"] = 2**53 + 1
    assert Exit.from_dict(old) == Exit.from_dict(exit_.to_dict()) == exit_


@pytest.mark.parametrize("label", ["exit", 'a"b%s', "\x1b[2J\n", "\u2028"])
def test_a_label_comes_first(label: str) -> None:
    sink = JsonLines(("pid",), label=label)
    for line in (sink.rows([record()]), sink.lost(1, AT)):
        assert next(iter(parsed(line).items())) == ("label", label)


def test_a_label_that_is_not_utf8() -> None:
    assert parsed(JsonLines(("pid",), label="a\udcff").lost(1, AT))["label"] == "a\ufffd"


def test_lost() -> None:
    line = JsonLines(("pid",)).lost(12, AT)
    assert line == '{"lost": 12, "time": "2019-05-27T13:20:22.997000Z"}\n'
    parsed(line)


def test_the_schema_has_every_key_and_no_other() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    keys = SCHEMA["$defs"]["exit"]["properties"]
    assert set(keys) == {"label", "args_truncated", "ancestors_truncated", *COLUMNS}
    cause = SCHEMA["$defs"]["cause"]["properties"]
    assert set(cause) == set(Cause._fields)
    assert cause["kind"]["enum"] == list(KINDS)
    assert set(SCHEMA["$defs"]["sender"]["properties"]) == set(Sender._fields)
    assert set(SCHEMA["$defs"]["oom"]["properties"]) == set(Oom._fields)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"pid": None},
        {"pid": "1"},
        {"comn": "x"},
        {"exit_code": 256},
        {"age": "1.65"},
        {"time": "2019-05-27 13:20:22"},
        {"args": "sh -c"},
        {"args": [1]},
        {"container": {"id": "x"}},
        {"cause": {"kind": "murder", "text": ""}},
        {"cause": {"kind": "killed", "text": "", "sender": {"pid": 1}}},
        {"lost": 1},
        {"lost": 0, "time": "2019-05-27T13:20:22.997000Z"},
        {"lost": 1, "time": "2019-05-27T13:20:22.997000Z", "pid": 1},
    ],
)
def test_the_schema_refuses_what_is_wrong(wrong: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid(wrong)


SENDER = Sender(7, 1, "a\n", 0, ("x", "é"), args_truncated=True, tid=8)
PARTS: dict[str, Any] = {
    "kind": "killed",
    "text": "killed by é\n",
    "sender": SENDER,
    "how": "kill",
    "si_code": "SI_USER",
    "address": 2**64 - 1,
    "syscall": -1,
    "limit": 1,
    "tty": "pts/1",
    "oom": Oom(1, 2, 3, "/a", 4, SENDER),
    "thread": Thread(9, 'a"b'),
    "access": "write",
    "trap": "general protection",
    "reraised": True,
    "after": After(
        *(15, "SIGTERM", 0.5, "killed", "handled", SENDER),
        address=2**64 - 1,
        tty="pts/1",
        limit=1,
        earlier=("SIGINT",),
        text="SIGTERM from é",
        syscall=41,
        thread=Thread(9, 'a"b'),
        access="write",
        at=At('/a"', None, 1),
        timer=Timer("CLOCK_TAI"),
        path="/é",
    ),
    "at": At('/a"', "ab" * 20, 4096, "main", 7),
    "stack": (At("/a", None, 1), At(None)),
    "stack_complete": False,
    "mapping": Mapped("file", "/é", 4096),
    "timer": Timer("CLOCK_MONOTONIC", 2.5),
    "path": "/é",
    "meant_for": "process group",
}


@pytest.mark.parametrize("part", get_type_hints(Cause))
def test_each_part_of_a_cause_is_written_as_to_dict_has_it(part: str) -> None:
    cause = Cause(**{"kind": "killed", "text": "", part: PARTS[part]})
    exit_ = record(cause=cause)
    assert json.loads(JsonLines(["cause"]).rows([exit_])) == {"cause": exit_.to_dict()["cause"]}
