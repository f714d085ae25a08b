"""Whatever bytes a process is called: rows, JSON lines and CSV read back as what they were."""

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support import formats
from support.fakes import AT, HOSTILE, NAMES, record

from exitsnoop.cli.output import complain
from exitsnoop.cli.summary import Summary
from exitsnoop.kernel import lines
from exitsnoop.model.cause import Cause, Sender
from exitsnoop.model.context import Ancestor
from exitsnoop.model.exit import Exit
from exitsnoop.model.fields import COLUMNS
from exitsnoop.sinks.csv import Csv
from exitsnoop.sinks.json_lines import JsonLines
from exitsnoop.sinks.table import Table

# What looks like something else: what is unknown, empty, cut off; another ancestor; an escape.
LIKE_OURS = [
    "-",
    "''",
    "...",
    "[]",
    "''\\",
    "a[1]<b",
    "\\055",
    "\\",
    "\\ ",
    "null",
    "\x1b[0m",
    "+",
    "…",
]
BYTES = st.one_of(
    st.sampled_from([text.encode() for text in (*HOSTILE, *LIKE_OURS)]),
    st.lists(st.sampled_from([t.encode() for t in (*HOSTILE, *LIKE_OURS)])).map(b"".join),
    st.text().map(lambda text: text.encode("utf-8", "replace")),
    st.binary(max_size=300),
)
TEXT = BYTES.map(lambda name: name.decode("utf-8", "replace"))
COMM = BYTES.map(lambda name: name.replace(b"\0", b"")[:15])
TRUNCATED = st.booleans()


@st.composite
def exits(draw: st.DrawFn) -> Exit:
    """Exits with any text in each of their parts; parts may be unknown."""
    known: dict[str, Any] = {name: draw(st.none() | TEXT) for name in NAMES}
    known["raw_comm"] = draw(COMM).ljust(16, b"\0")
    if (args := draw(st.none() | st.lists(TEXT, max_size=4))) is not None:
        known |= {"args": tuple(args), "args_truncated": draw(TRUNCATED)}
    above = st.builds(Ancestor, st.integers(1, 2**22), TEXT)
    if (ancestors := draw(st.none() | st.lists(above, max_size=4))) is not None:
        known |= {"ancestors": tuple(ancestors), "ancestors_truncated": draw(TRUNCATED)}
    if name := draw(TEXT).replace("/", ""):
        known["cgroup"] = f"/lxc/{name}"
    sender = Sender(7, 1, draw(TEXT), 0, tuple(draw(st.lists(TEXT, max_size=2))), False)
    text = f"killed by {sender.comm}[7] uid 0 (SIGTERM)"
    known["cause"] = Cause("killed", text, sender=sender, how="kill", tty=draw(TEXT))
    return record(status=15, **known)


def encoded(value: str | None) -> bytes | None:
    return None if value is None else value.encode()


def as_read(name: str, ended: Exit) -> Any:
    """What a column should read back as."""
    value = getattr(ended, name, None)
    if name == "comm":
        return ended.raw_comm.rstrip(b"\0")
    if name == "cause":
        return ended.cause and ended.cause.text.encode()
    if name == "container":
        return ended.container and f"lxc:{ended.container.id}".encode()
    if name == "args" and value is not None:
        return ([arg.encode() for arg in value], ended.args_truncated)
    if name == "ancestors" and value is not None:
        return [(a.comm.encode(), a.pid) for a in value], ended.ancestors_truncated
    return encoded(value)


ONE_WORD = ("comm", *NAMES, "ancestors", "container")
READERS = {"args": formats.words, "ancestors": formats.ancestors, "cause": formats.raw}


@given(st.lists(exits(), min_size=1, max_size=3), st.sampled_from(["args", "cause"]))
def test_a_table_reads_back(ended: list[Exit], last: str) -> None:
    columns = (*ONE_WORD, last)
    written = Table(columns).rows(ended)
    formats.assert_harmless(written)
    lines = written.split("\n")
    assert lines.pop() == ""
    for line, one in zip(lines, ended, strict=True):
        for name, cell in zip(columns, formats.table_row(line, len(columns)), strict=True):
            assert READERS.get(name, formats.text)(cell) == as_read(name, one), name


@given(st.lists(exits(), min_size=1, max_size=3), st.integers(1, 400), st.booleans())
def test_colors_and_cuts_let_nothing_through(
    ended: list[Exit], width: int, ascii_only: bool
) -> None:
    for last in ("args", "cause"):
        columns = (*ONE_WORD, "exit", last)
        whole = Table(columns, ascii_only=ascii_only).rows(ended)
        colored = Table(columns, ascii_only=ascii_only, color=True)
        assert formats.COLOR.sub("", colored.rows(ended)) == whole
        cut = Table(columns, ascii_only=ascii_only, color=True, terminal_width=lambda: width)
        for written in (whole, colored.rows(ended), cut.header() + cut.rows(ended)):
            formats.assert_harmless(written)
        assert whole.isascii() or not ascii_only
        assert whole.count("\n") == len(ended)
        first_lines = [line for line in cut.rows(ended).splitlines() if not line.startswith(" ")]
        assert len(first_lines) == len(ended) or width < 20


@given(st.lists(exits(), min_size=1, max_size=3), st.booleans())
def test_csv_reads_back(ended: list[Exit], ascii_only: bool) -> None:
    """But for what is unknown: it is empty, as an empty text is."""
    written = Csv(tuple(COLUMNS), ascii_only=ascii_only).rows(ended)
    formats.assert_harmless(written, line_ends=("\r", "\n"))
    assert written.isascii() or not ascii_only
    for row, one in zip(formats.csv_rows(written), ended, strict=True):
        cells = dict(zip(COLUMNS, row, strict=True))
        for name in (*ONE_WORD, "args", "cause"):
            expected = as_read(name, one)
            if name in ("args", "ancestors"):
                assert (READERS[name](cells[name]) if cells[name] else None) == expected, name
            else:
                assert formats.raw(cells[name]) == (expected or b""), name


@given(st.lists(exits(), min_size=1, max_size=3), BYTES)
def test_json_reads_back(ended: list[Exit], label: bytes) -> None:
    named = label.decode("utf-8", "surrogateescape")
    written = JsonLines(tuple(COLUMNS), label=named).rows(ended)
    assert JsonLines(tuple(COLUMNS), label=named, lines=lines).rows(ended) == written
    assert written.isascii()
    formats.assert_harmless(written)
    for line, one in zip(written.splitlines(), ended, strict=True):
        read = json.loads(line)
        assert read["label"] == label.decode("utf-8", "replace")
        assert read["comm"] == one.raw_comm.rstrip(b"\0").decode("utf-8", "replace")
        for name in (*NAMES, "args_truncated", "ancestors_truncated"):
            assert read[name] == getattr(one, name), name
        assert read["args"] == (None if one.args is None else list(one.args))
        above = one.ancestors
        assert read["ancestors"] == (None if above is None else [a._asdict() for a in above])
        assert one.cause
        assert one.cause.sender
        assert read["cause"]["text"] == one.cause.text
        assert read["cause"]["sender"]["comm"] == one.cause.sender.comm
        assert read["cause"]["sender"]["args"] == list(one.cause.sender.args or ())


@given(BYTES)
@example(b"\xdb\x9b")
def test_a_label_is_one_cell(label: bytes) -> None:
    text = label.decode("utf-8", "surrogateescape")  # as it comes from a command line
    row = Table(("pid", "exit"), label=text).rows([record()])
    assert formats.word(formats.table_row(row[:-1], 3)[0]) == label
    ((cell, pid),) = formats.csv_rows(Csv(("pid",), label=text).rows([record()]))
    assert (formats.raw(cell), pid) == (label, "1")


@given(COMM)
def test_the_summary_is_one_line(comm: bytes) -> None:
    summary = Summary()
    summary.add([record(comm=comm)])
    formats.assert_harmless(summary.text(0), line_ends=())


def test_a_message_is_in_the_encoding_of_who_reads_it(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    r"""In UTF-8, U+00DB has the byte 0x9b, which starts a sequence on a terminal of Latin 1."""

    class Latin1:
        encoding = "latin-1"

    monkeypatch.setattr("sys.stderr", Latin1())
    complain("\u00db \u65e5 \udcff")
    assert capfd.readouterr().err == "exitsnoop: \\303\\233 \\346\\227\\245 \\377\n"


@pytest.mark.parametrize("make", [Table, Csv])
def test_long_arguments_do_not_pile_up(make: Any) -> None:
    """Any process may have 16 KiB of them, each time others."""
    sink = make(("args",))
    tracemalloc.start()
    try:
        for number in range(300):
            long = f"{number}" + "\u0100" * 8000
            sink.rows([record(args=(long,), args_truncated=True, wall_ns=AT)])
        assert tracemalloc.get_traced_memory()[0] < 4 << 20
    finally:
        tracemalloc.stop()
