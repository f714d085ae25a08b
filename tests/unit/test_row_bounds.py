"""However long the texts of a process are: a row, and what is remembered of rows, has a bound."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import formats
from support.fakes import record

from exitsnoop.model.exit import Exit
from exitsnoop.sinks.csv import Csv
from exitsnoop.sinks.escape import escape
from exitsnoop.sinks.json_lines import JsonLines
from exitsnoop.sinks.table import Table
from exitsnoop.sinks.values import MAX_ARGS

# The longest arguments that the BPF program reads, of characters that grow when they are escaped.
LONGEST = 16384
GROWING = ["\x01", "\n", "\ufffd", "\u202e", "\U000e0041", "\x01é", "日\x7f"]
SINKS: list[Callable[[tuple[str, ...]], Any]] = [Table, Csv]


def cell(sink: Callable[[tuple[str, ...]], Any], ended: Exit) -> str:
    written: str = sink(("args",)).rows([ended])
    return written[:-1] if sink is Table else formats.csv_rows(written)[0][0]


@pytest.mark.parametrize("sink", SINKS)
@pytest.mark.parametrize("text", GROWING)
def test_arguments_are_cut_and_the_row_says_so(sink: Any, text: str) -> None:
    for args in (
        (text * (LONGEST // len(text.encode())),),
        ("sh", "-c", text * (LONGEST // len(text.encode()))),
        tuple(text * (LONGEST // (len(text.encode()) + 1))),
    ):
        shown = cell(sink, record(args=args, args_truncated=False))
        assert len(shown.removesuffix(" ...")) <= MAX_ARGS + 16 * 256
        read = formats.words(shown)
        assert read
        words, truncated = read
        whole = [arg.encode() for arg in args]
        assert truncated == (words != whole)
        assert words[:-1] == whole[: len(words) - 1]
        assert whole[len(words) - 1].startswith(words[-1])


@given(st.lists(st.text().map(lambda text: text * 150), max_size=4), st.booleans())
def test_what_fits_is_whole(args: list[str], truncated: bool) -> None:
    words = tuple(arg.encode("utf-8", "replace").decode() for arg in args)
    for sink in SINKS:
        shown = cell(sink, record(args=words, args_truncated=truncated))
        read = formats.words(shown)
        assert read
        if len(shown) < MAX_ARGS:
            assert read == ([word.encode() for word in words], truncated)
        assert shown.endswith(" ...") or not read[1] or shown == "..."


def test_it_fits_with_one_character_to_spare() -> None:
    for length, truncated in ((MAX_ARGS, False), (MAX_ARGS + 300, True)):
        shown = cell(Table, record(args=("x" * length,), args_truncated=False))
        assert shown.endswith(" ...") == truncated
        assert shown.removesuffix(" ...") == "x" * min(length, len(shown.removesuffix(" ...")))


@given(st.text(), st.text(), st.booleans(), st.booleans())
def test_a_text_is_escaped_by_its_characters(
    one: str, other: str, ascii_only: bool, spaces: bool
) -> None:
    def shown(text: str) -> str:
        return escape(text.encode("utf-8", "replace"), ascii_only=ascii_only, spaces=spaces)

    assert shown(one + other) == shown(one) + shown(other)


def test_no_character_stays_remembered() -> None:
    """Among a million of them: each could take a place in memory."""
    tracemalloc.start()
    try:
        for start in range(0x10000, 0x50000, 4096):
            escape("".join(map(chr, range(start, start + 4096))))
        assert tracemalloc.get_traced_memory()[0] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("sink", [*SINKS, JsonLines])
@pytest.mark.parametrize("column", ["cgroup", "container", "unit", "cwd", "exe", "hostname"])
def test_long_texts_do_not_pile_up(sink: Any, column: str) -> None:
    made = sink((column,))
    field = column if column in ("cwd", "exe", "hostname") else "cgroup"
    tracemalloc.start()
    try:
        for number in range(2000):
            name = f"{number}" + "\x01" * 240
            path = f"/lxc/{name}/{name}.service" + f"/{name}" * 6
            made.rows([record(**{field: path})])
        assert tracemalloc.get_traced_memory()[0] < 6 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "text", ["e" + "\u0301" * 8192, "\u0301" * 8192, ("\u0301" * 99 + "e") * 80]
)
def test_marks_over_a_character_are_cut_on_a_terminal(text: str) -> None:
    row = Table(("exe",), terminal_width=lambda: 80).rows([record(exe=text)])
    assert row.endswith("…\n")
    assert len(row) <= 4 * 80 + len("…\n")
