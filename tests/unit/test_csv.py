"""CSV: one record an exit for whoever reads it as RFC 4180 says."""

import csv
import io
import unicodedata
from typing import TYPE_CHECKING, Any

import pytest
from support import formats
from support.fakes import AT, HOSTILE, ID, TEXTS, record, with_text

from exitsnoop.cli.choice import DEFAULT
from exitsnoop.model.cause import Cause
from exitsnoop.model.context import Ancestor
from exitsnoop.model.exit import Exit
from exitsnoop.model.fields import COLUMNS
from exitsnoop.sinks.csv import Csv
from exitsnoop.sinks.json_lines import JsonLines
from exitsnoop.sinks.rows import RowCsv
from exitsnoop.sinks.table import Table
from exitsnoop.sinks.width import cells

if TYPE_CHECKING:
    from exitsnoop.sinks import Sink


def read(text: str) -> list[list[str]]:
    assert text.endswith("\r\n")
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def cell(column: str, ended: Exit) -> str:
    (fields,) = read(Csv(("pid", column, "tid")).rows([ended]))
    assert (len(fields), fields[0], fields[2]) == (3, "1", "1")
    return fields[1]


def test_header_and_rows() -> None:
    sink = Csv(DEFAULT)
    assert sink.header() == "comm,pid,ppid,tid,age,exit\r\n"
    assert sink.rows([record(comm=b"a b", status=0x8B, age=1.65), record(comm=b'q"')]) == (
        'a b,1,1,1,1.65,"signal 11 (SEGV), core dumped"\r\n"q""",1,1,1,0.0,0\r\n'
    )
    assert sink.rows([]) == ""
    assert sink.lost(5, AT) == ""


def test_a_label_comes_first() -> None:
    sink = Csv(("time", "pid"), label="a,\n")
    assert read(sink.header() + sink.rows([record()])) == [
        ["label", "time", "pid"],
        [r"a,\n", "2019-05-27T13:20:22.997000Z", "1"],
    ]


@pytest.mark.parametrize(
    ("column", "known", "text"),
    [
        ("args", {"args": ("sh", "", "a b,\n"), "args_truncated": True}, r"sh '' a\ b,\n ..."),
        ("args", {"args": (), "args_truncated": False}, "[]"),
        (
            "ancestors",
            {"ancestors": (Ancestor(8, "bash"), Ancestor(1, "a b")), "ancestors_truncated": False},
            r"bash[8]<a\ b[1]",
        ),
        ("container", {"cgroup": f"/system.slice/docker-{ID}.scope"}, f"docker:{ID}"),
        ("cause", {"cause": Cause("killed", "by a\nb")}, r"by a\nb"),
        ("core_dumped", {"status": 0x8B}, "true"),
        ("last_thread", {"last_thread": False}, "false"),
        ("max_rss", {"max_rss": 65_117_594}, "65117594"),
        ("cpu_user", {"cpu_user": 1.23456}, "1.23456"),
        ("exit_code", {"status": 0x300}, "3"),
        ("signal", {"status": 0x300}, ""),
        ("uid", {"uid": 0}, "0"),
        ("raw_comm", {"raw_comm": b"sh".ljust(16, b"\0")}, "7368" + "0" * 28),
        ("comm", {"raw_comm": b"gr\xc3\xb6\xff\0left over\0\0\0"}, r"grö\377"),
        ("hostname", {"hostname": "a b\\"}, "a b\\\\"),
    ],
)
def test_cells(column: str, known: dict[str, Any], text: str) -> None:
    assert cell(column, record(**known)) == text


def test_what_is_unknown_is_empty() -> None:
    for name in COLUMNS:
        if getattr(record(), name) is None:
            assert cell(name, record()) == ""


@pytest.mark.parametrize("column", TEXTS)
def test_any_text_is_one_field(column: str) -> None:
    for text in HOSTILE:
        ended = with_text(column, text)
        shown = cell(column, ended)
        assert not [c for c in shown if unicodedata.category(c)[0] in "CZ" and c != " "]
        assert len(read(Csv((column,)).rows([ended]))) == 1


@pytest.mark.parametrize("text", [text for text in HOSTILE if all(map(cells, text))])
def test_what_prints_is_only_quoted(text: str) -> None:
    written = Csv(("user",), formulas=True).rows([record(user=text)])
    assert read(written)[0][:1] == ([text.replace("\\", "\\\\")] if text else [""])


@pytest.mark.parametrize("column", TEXTS)
@pytest.mark.parametrize("start", [*"=+-@\t\r", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_no_text_is_a_formula(column: str, start: str) -> None:
    """What OWASP lists as beginnings of a formula; the text reads back as it was."""
    ended = with_text(column, f"{start}SUM(1,1)")
    shown = cell(column, ended)
    assert shown[0] not in f"{start}=+-@\t\r"
    as_it_is = Csv((column,), formulas=True).rows([ended])
    if not start.isspace():
        assert read(as_it_is)[0][0][0] != "\\"
    assert formats.raw(shown) == formats.raw(read(as_it_is)[0][0])


def test_numbers_are_left_alone_and_labels_are_not() -> None:
    assert Csv(("age",), label="=1").rows([record(age=-1.0)]) == "\\0751,-1.0\r\n"
    assert RowCsv(["n", "t"]).rows([(-1, "-1"), (-2.5, "+2")]) == ("-1,\\0551\r\n-2.5,\\0532\r\n")


def test_the_sinks_are_used_alike() -> None:
    sinks: list[Sink] = [Table(DEFAULT), JsonLines(DEFAULT), Csv(DEFAULT)]
    for sink in sinks:
        assert sink.rows([record()]).count("\n") == 1
