"""Rows of queries as text."""

import csv
import io
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.fakes import HOSTILE
from support.recorded import FUZZ

from exitsnoop.sinks.rows import RowCsv, RowJson, RowTable
from exitsnoop.sinks.width import width_of

VALUES = st.one_of(
    st.none(),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.floats(),
    st.text(max_size=40),
    st.sampled_from(HOSTILE),
    st.binary(max_size=20),
)
ROWS = st.lists(st.tuples(VALUES, VALUES, VALUES), max_size=6)


def table(names: list[str], rows: list[tuple[Any, ...]], **options: Any) -> list[str]:
    form = RowTable(names, rows, **options)
    return (form.header() + form.rows(rows)).splitlines()


def test_columns_side_by_side() -> None:
    rows = [("nginx", 7, 0.5, None), ("a\nb c", 1234, None, None), ("-", None, 12, None)]
    assert table(["comm", "pid", "age", "x"], rows) == [
        "comm     pid  age  x",
        "nginx      7  0.5  -",
        r"a\nb c  1234    -  -",
        r"\055       -   12  -",
    ]
    assert table(["comm", "n"], []) == ["comm  n"]


def test_a_table_fits_on_the_terminal() -> None:
    rows = [("/usr/lib/something/long/enough", "killed by somebody[1234]", 99)]
    assert table(["exe", "cause", "n"], rows, width=40) == [
        "exe                cause               n",
        "/usr/lib/somethi…  killed by somebo…  99",
    ]
    assert table(["exe", "cause", "n"], rows, width=40, ascii_only=True)[1] == (
        "/usr/lib/somethi+  killed by somebo+  99"
    )
    assert table(["exe", "cause", "n"], rows, width=20) == [
        "exe    /usr/lib/som…",
        "cause  killed by so…",
        "n      99",
        "",
    ]


def test_a_time_is_not_cut() -> None:
    rows = [("2026-11-26T22:45:36.206874Z", "/usr/lib/something/long/enough")]
    assert table(["time", "exe"], rows, width=45) == [
        "time                         exe",
        "2026-11-26T22:45:36.206874Z  /usr/lib/someth…",
    ]


def test_later_rows_may_be_longer() -> None:
    form = RowTable(["n", "a"], [(1, "b")])
    assert form.rows([(123, "c" * 9)]) == f"123  {'c' * 9}\n"
    on_terminal = RowTable(["n", "a"], [(1, "b")], width=80)
    assert on_terminal.rows([(1, "c" * 9)]) == "1  …\n"


@FUZZ
@given(ROWS, st.sampled_from([None, 20, 80]), st.booleans())
def test_fuzz_no_value_breaks_a_table(
    rows: list[tuple[Any, ...]], width: int | None, ascii_only: bool
) -> None:
    form = RowTable(["a", "b\n", "c"], rows, width=width, ascii_only=ascii_only)
    text = form.header() + form.rows(rows)
    assert text.replace("\n", "").isprintable()
    assert not ascii_only or text.isascii()
    lines = text.splitlines()
    if width is None:
        assert len(lines) == 1 + len(rows)
    else:
        assert all(width_of(line) <= width for line in lines)


@FUZZ
@given(ROWS)
def test_fuzz_csv_and_json_can_be_read(rows: list[tuple[Any, ...]]) -> None:
    form = RowCsv(["a", "b", "c"])
    read = list(csv.reader(io.StringIO(form.header() + form.rows(rows), newline="")))
    assert read[0] == ["a", "b", "c"]
    assert [[cell == "" for cell in row] for row in read[1:]] == [
        [value is None or value in ("", b"") for value in row] for row in rows
    ]
    lines = RowJson(["a", "b", "a"]).rows(rows).splitlines()
    for line, row in zip(lines, rows, strict=True):
        found = json.loads(line, parse_constant=lambda _: 1 / 0)
        assert list(found) == ["a", "b", "a_2"]
        for value, given_ in zip(found.values(), row, strict=True):
            if isinstance(given_, (str, int)):
                assert value == given_
