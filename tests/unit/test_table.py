"""The table: the sample of the original tool, to the letter; any text is one cell."""

import re
import struct
import time
import unicodedata
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.fakes import AT, CGROUP, HOSTILE, ID, POD, TEXTS, record, with_text

from exitsnoop.cli.choice import DEFAULT
from exitsnoop.model.cause import Cause
from exitsnoop.model.context import Ancestor
from exitsnoop.model.exit import Exit
from exitsnoop.model.fields import COLUMNS
from exitsnoop.sinks.palette import escape_of
from exitsnoop.sinks.table import Table

TIMED = ("time", *DEFAULT)
ORIGINAL = """\
TIME-UTC     LABEL PCOMM            PID    PPID   TID    AGE(s)  EXIT_CODE
13:20:22.997 exit  bash             18300  17656  18300  1.65    code 65
13:20:31.495 exit  sleep            18318  18317  18318  1.38    signal 2 (INT)
"""
KILLED = Cause("killed", "killed by tmux: server[7] uid 0 (SIGKILL)")
CELL = re.compile(r"(?:\\.|[^ \\])+")  # up to a space that is not escaped


def cell(column: str, ended: Exit) -> str:
    """The text of a column that is not the last."""
    row = Table((column, "pid")).rows([ended])
    assert row.endswith(" 1\n")
    return row[: -len(" 1\n")].rstrip(" ")


@pytest.fixture
def zone(request: pytest.FixtureRequest) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


def test_the_original_sample() -> None:
    table = Table(TIMED, utc=True, label="exit")
    rows = [
        record(comm=b"bash", pid=18300, ppid=17656, tid=18300, age=1.65, status=65 << 8),
        record(
            comm=b"sleep",
            pid=18318,
            ppid=18317,
            tid=18318,
            age=1.38,
            status=2,
            wall_ns=AT + 8_498_000_000,
        ),
    ]
    assert table.header() + table.rows(rows) == ORIGINAL


def test_the_original_sample_without_time() -> None:
    table = Table(DEFAULT)
    ended = record(comm=b"sleep", pid=19004, ppid=19003, tid=19004, age=1.65)
    assert table.header() + table.rows([ended]) == (
        "PCOMM            PID    PPID   TID    AGE(s)  EXIT_CODE\n"
        "sleep            19004  19003  19004  1.65    0\n"
    )


@pytest.mark.usefixtures("zone")
@pytest.mark.parametrize(
    ("zone", "title", "shown"),
    [
        ("IST-5:30", "TIME-IST     PCOMM ", "18:50:22.997 bash "),
        ("<INLAND>-5:30", "TIME-INLAND  PCOMM ", "18:50:22.997 bash "),
        ("<FARINLAND>-5:30", "TIME-FARINLAND PCOMM ", "18:50:22.997   bash "),
    ],
    indirect=["zone"],
)
def test_local_time(title: str, shown: str) -> None:
    table = Table(TIMED)
    assert table.header().startswith(title)
    assert table.rows([record()]).startswith(shown)


def test_a_zone_s_name_is_escaped(tmp_path: Path) -> None:
    """It comes from a file, of which $TZ may be the path."""
    name = b"\x1b[31m\n\0"
    head = b"TZif" + bytes(16) + struct.pack(">6L", 0, 0, 0, 0, 1, len(name))
    (tmp_path / "zone").write_bytes(head + struct.pack(">lBB", 3600, 0, 0) + name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", f":{tmp_path}/zone")
        time.tzset()
        assert Table(TIMED).header().split()[0] == r"TIME-\033[31m\n"
    time.tzset()


@pytest.mark.parametrize("columns", [DEFAULT, TIMED])
@pytest.mark.parametrize("label", ["exitsnoop", "100%s", "two words", "", "\udcff"])
def test_a_label_is_one_cell_and_keeps_the_columns(columns: tuple[str, ...], label: str) -> None:
    table = Table(columns, label=label)
    header, row = table.header(), table.rows([record()])
    assert header.index("PCOMM") == row.index("bash")
    assert header.split().index("LABEL") == (columns is TIMED)
    assert len(CELL.findall(row[:-1])) == len(header.split())


def test_what_is_too_wide_stays_whole() -> None:
    ended = record(comm=b"\x1b" * 15, pid=4194304, ppid=4194303, tid=4194304, age=123456.789)
    row = Table(DEFAULT).rows([ended])
    assert row == "\\033" * 15 + " 4194304 4194303 4194304 123456.79 0\n"


def test_a_batch_is_many_rows_or_none() -> None:
    assert Table(("pid",)).rows([record(pid=1), record(pid=2)]) == "1\n2\n"
    assert Table(DEFAULT, label="x", color=True).rows([]) == ""


def test_lost_exits_leave_the_table_as_it_is() -> None:
    assert Table(DEFAULT).lost(5, AT) == ""


@pytest.mark.parametrize("name", COLUMNS)
def test_each_title_stands_over_its_cells(name: str) -> None:
    table = Table((name, "pid"), utc=True)
    header, row = table.header(), table.rows([record(pid=77)])
    assert header.index(" PID") == row.index(" 77")
    assert len(header.split()) == 2


@pytest.mark.parametrize("column", TEXTS)
def test_any_text_is_one_cell(column: str) -> None:
    for text in HOSTILE:
        ended = with_text(column, text)
        middle = Table(("pid", column, "tid")).rows([ended])
        if column != "cause":
            assert len(CELL.findall(middle[:-1])) == (5 if column == "args" else 3), text
        for row in (middle, Table((column,)).rows([ended])):
            assert row.endswith("\n")
            assert not [c for c in row[:-1] if unicodedata.category(c)[0] in "CZ" and c != " "]
        assert Table((column,), ascii_only=True).rows([ended]).isascii()


def test_the_cause_keeps_its_spaces() -> None:
    ended = record(status=9, cause=KILLED)
    assert Table((*DEFAULT, "cause")).rows([ended]) == (
        "bash             1      1      1      0.00    signal 9 (KILL)               "
        "killed by tmux: server[7] uid 0 (SIGKILL)\n"
    )
    assert Table(("cause", "pid")).rows([ended]).startswith("killed by tmux: server[7] uid 0 ")


UNKNOWN = {
    *("exit_code", "signal", "signal_name"),
    *(name for name in COLUMNS if getattr(record(), name) is None),
}


@pytest.mark.parametrize("name", sorted(UNKNOWN))
def test_what_is_unknown_is_a_dash(name: str) -> None:
    assert cell(name, record(status=9 if name == "exit_code" else 0)) == "-"


@pytest.mark.parametrize(
    ("column", "known", "shown"),
    [
        ("args", {"args": (), "args_truncated": False}, "[]"),
        ("args", {"args": ("sh", "", "a b"), "args_truncated": False}, r"sh '' a\ b"),
        ("args", {"args": ("sh", "-c"), "args_truncated": True}, "sh -c ..."),
        ("args", {"args": (), "args_truncated": True}, "..."),
        (
            "ancestors",
            {
                "ancestors": (Ancestor(812, "bash"), Ancestor(1, "a b")),
                "ancestors_truncated": False,
            },
            r"bash[812]<a\ b[1]",
        ),
        (
            "ancestors",
            {"ancestors": (Ancestor(812, "bash"),), "ancestors_truncated": True},
            "bash[812]<...",
        ),
        ("ancestors", {"ancestors": (), "ancestors_truncated": False}, "[]"),
        ("container", {"cgroup": f"/system.slice/docker-{ID}.scope"}, f"docker:{ID[:12]}"),
        ("container", {"cgroup": "/lxc/" + "web-" * 16}, "lxc:" + "web-" * 16),
        (
            "container",
            {"cgroup": "/machine.slice/systemd-nspawn@ab.service"},
            "systemd-nspawn:ab",
        ),
        ("pod", {"cgroup": CGROUP}, POD),
        ("unit", {"cgroup": CGROUP}, "user@1000.service"),
        ("user_unit", {"cgroup": CGROUP}, "a.service"),
        ("user_unit", {"cgroup": "/"}, "-"),
        ("raw_comm", {"raw_comm": b"sh".ljust(16, b"\0")}, "7368" + "0" * 28),
        ("max_rss", {"max_rss": 65_117_594}, "62.1M"),
        ("read_bytes", {"read_bytes": 0}, "0B"),
        ("cpu_user", {"cpu_user": 1.23456}, "1.235"),
        ("uid", {"uid": 0}, "0"),
        ("status", {"status": 0x8B}, "139"),
        ("exit_code", {"status": 0x100}, "1"),
        ("exit_code", {"status": 0}, "0"),
        ("signal", {"status": 9}, "9"),
        ("signal_name", {"status": 36}, "SIGRTMIN+2"),
        ("core_dumped", {"status": 0x8B}, "yes"),
        ("last_thread", {"last_thread": False}, "no"),
        ("boot_ns", {"boot_ns": 5}, "5"),
    ],
)
def test_cells(column: str, known: dict[str, Any], shown: str) -> None:
    assert cell(column, record(**known)) == shown


def visible(text: str) -> str:
    return re.sub("\x1b\\[[0-9;]*m", "", text)


ENDS = [
    record(status=0, cause=Cause("exited", "exit 0")),
    record(status=1 << 8, cause=Cause("exited", "exit 1")),
    record(status=9, cause=KILLED),
    record(status=9, cause=Cause("unknown", "SIGKILL, not seen being sent")),
    record(status=0x86, cause=Cause("abort", "abort()")),
    record(status=0),
]


@pytest.mark.parametrize(
    "columns", [DEFAULT, (*DEFAULT, "cause"), ("cause", *DEFAULT), ("exit", "cause", "pid")]
)
def test_colors_move_nothing(columns: tuple[str, ...]) -> None:
    plain, colored = Table(columns), Table(columns, color=True)
    assert "\x1b" not in plain.header() + plain.rows(ENDS)
    assert visible(colored.rows(ENDS)) == plain.rows(ENDS)
    assert colored.header() == f"\x1b[1m{plain.header()[:-1]}\x1b[0m\n"


def test_colors_mark_what_did_not_end_well() -> None:
    rows = Table(("pid", "exit", "cause"), color=True).rows(ENDS).splitlines()
    assert rows[0] == f"1      {'0':<29} exit 0"
    assert rows[1] == f"1      {escape_of('code')}code 1\x1b[0m{'':23} exit 1"
    assert rows[2].startswith("1      \x1b[1msignal 9 (KILL)\x1b[0m   ")
    assert rows[2].endswith(f" {escape_of('killed')}{KILLED.text}\x1b[0m")
    assert rows[3].endswith(" SIGKILL, not seen being sent")
    assert rows[4].endswith(f" {escape_of('crash')}abort()\x1b[0m")
    assert rows[5] == f"1      {'0':<29} -"


def test_a_row_is_cut_to_the_terminal() -> None:
    widths = iter([40, 60, 200])
    ended = record(args=("sh", "-c", "x" * 50), args_truncated=False)
    table = Table(("comm", "args"), terminal_width=lambda: next(widths))
    assert table.rows([ended]) == f"{'bash':<16} sh -c {'x' * 16}…\n"
    assert table.rows([ended]) == f"{'bash':<16} sh -c {'x' * 36}…\n"
    assert table.rows([ended]) == f"{'bash':<16} sh -c {'x' * 50}\n"


def test_what_just_fits_is_not_cut() -> None:
    table = Table(("exe",), terminal_width=lambda: 30)
    assert table.rows([record(exe="x" * 30)]) == "x" * 30 + "\n"
    assert table.rows([record(exe="x" * 31)]) == "x" * 29 + "…\n"


def test_the_mark_is_ascii_for_those_who_take_no_utf8() -> None:
    table = Table(("exe",), terminal_width=lambda: 30, ascii_only=True)
    assert table.rows([record(exe="x" * 31)]) == "x" * 29 + "+\n"


def test_wide_characters_are_measured_and_combining_ones_escaped() -> None:
    table = Table(("exe",), terminal_width=lambda: 30)
    assert table.rows([record(exe="日" * 15)]) == "日" * 15 + "\n"
    assert table.rows([record(exe="日" * 16)]) == "日" * 14 + "…\n"
    assert table.rows([record(exe="x" + "日" * 15)]) == "x" + "日" * 14 + "…\n"
    assert table.rows([record(exe="e\u0301" * 3)]) == r"e\314\201" * 3 + "\n"


def test_a_cut_row_keeps_its_colors() -> None:
    ended = record(status=9, exe="x" * 50)
    row = Table(("exit", "exe"), color=True, terminal_width=lambda: 50).rows([ended])
    assert visible(row) == f"{'signal 9 (KILL)':<29} {'x' * 19}…\n"
    assert row.count("\x1b[0m") == 1
    # The cut may come before the color: an overlong cell in front.
    long = record(raw_comm=b"\x1b" * 15, status=9)
    row = Table(("comm", "exit", "args"), color=True, terminal_width=lambda: 40).rows([long])
    assert visible(row) == ("\\033" * 15)[:39] + "…\n"
    assert row.count("\x1b[0m") == 1


def test_what_is_not_cut() -> None:
    ended = record(raw_comm=b"x" * 15, status=0x8B, exe="x" * 100)
    assert "…" not in Table(("exe", "exit"), terminal_width=lambda: 60).rows([ended])  # not last
    assert "…" not in Table(("comm", "exe")).rows([ended])  # not a terminal


SHELL = ("sh", "-c", "x" * 50)


def test_a_narrow_terminal_gives_long_values_lines_of_their_own() -> None:
    ended = record(status=9, cause=KILLED, args=SHELL, args_truncated=False)
    table = Table((*DEFAULT, "cause", "args"), terminal_width=lambda: 80)
    assert table.header().splitlines() == [
        "PCOMM            PID    PPID   TID    AGE(s)  EXIT_CODE",
        "    CAUSE",
        "    ARGS",
    ]
    first, cause, args = table.rows([ended]).splitlines()
    assert first == Table(DEFAULT).rows([ended]).rstrip()
    assert cause == f"    {KILLED.text}"
    assert args == f"    sh -c {'x' * 50}"


def test_a_cause_is_never_cut() -> None:
    text = "killed by containerd-shim[9] uid 0 (SIGKILL), 10.0 s after SIGTERM from the same"
    ended = record(status=9, cause=KILLED._replace(text=text))
    for width in range(20, 140):
        table = Table((*DEFAULT, "cause"), color=True, terminal_width=partial(int, width))
        rows = visible(table.rows([ended]))
        assert " ".join(rows.split()).endswith(text)
        assert all(len(line) <= max(width, 24) for line in rows.splitlines()[1:])


def test_what_says_nothing_more_has_no_line() -> None:
    table = Table((*DEFAULT, "cause", "args"), terminal_width=lambda: 80)
    ended = record(status=0x300, cause=Cause("exited", "exit 3"))
    assert table.rows([ended]).count("\n") == 1
    missing = "exit 127: as for a command not found"
    told = record(status=0x7F00, cause=Cause("exited", missing))
    assert table.rows([told]).splitlines()[1:] == [f"    {missing}"]
    only = Table(("pid", "cause"), terminal_width=lambda: 30)  # nothing else shows the code
    assert only.rows([ended]).splitlines()[1:] == ["    exit 3"]


def test_a_terminal_that_is_made_wider() -> None:
    widths = iter([80, 200])
    table = Table((*DEFAULT, "cause"), terminal_width=lambda: next(widths))
    ended = record(status=9, cause=KILLED)
    assert table.rows([ended]).count("\n") == 2
    assert table.rows([ended]) == Table((*DEFAULT, "cause")).rows([ended])
