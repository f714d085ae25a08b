"""A row keeps its columns and its direction, whatever characters are in it."""

import ctypes
import locale
import os
import subprocess
import sys
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support import formats
from support.fakes import record

from exitsnoop.cli.output import complain
from exitsnoop.model.fields import COLUMNS
from exitsnoop.sinks.escape import escape
from exitsnoop.sinks.rows import RowTable
from exitsnoop.sinks.table import Table

# Wide, combining, joined, from right to left, invisible.
PARTS = ["日", "本", "한", "\uff21", "é", "e\u0301", "👍", "👍🏽", "🇩🇪", "👩\u200d👧", "❤\ufe0f"]
PARTS += ["שלום", "سلام", "١٢", "\u202e", "\u2066", "\u200b", "\u3164", "ก\u0e33", "क्ष", "a", " "]


@pytest.fixture(scope="module")
def libc_width() -> Iterator[ctypes.CDLL]:
    """The C library, which says how wide a character is: another source than Python's tables."""
    before = locale.setlocale(locale.LC_CTYPE)
    locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    yield ctypes.CDLL(None)
    locale.setlocale(locale.LC_CTYPE, before)


def cells(text: str, libc: ctypes.CDLL) -> int:
    widths = [libc.wcwidth(ctypes.c_uint(ord(character))) for character in text]
    assert min(widths, default=1) > 0, ascii(text)
    return sum(widths)


def test_each_character_that_is_shown_has_the_width_that_the_c_library_gives(
    libc_width: ctypes.CDLL,
) -> None:
    """But for what one of them does not know yet."""
    for point in range(0x80, sys.maxunicode + 1):
        character = chr(point)
        if 0xD800 <= point < 0xE000 or escape(character) != character:
            continue
        known = libc_width.wcwidth(ctypes.c_uint(point))
        padding = Table(("user", "pid")).rows([record(user=character)])
        width = padding.count(" ") - Table(("user", "pid")).rows([record(user="ab")]).count(" ")
        assert known in (-1, 2 - width), f"{point:#x}"
        assert unicodedata.bidirectional(character) not in {"R", "AL", "AN", "NSM"}, f"{point:#x}"
        assert not unicodedata.category(character).startswith("M"), f"{point:#x}"


@given(st.lists(st.sampled_from(PARTS), max_size=5), st.text(max_size=6), st.booleans())
def test_columns_stay_in_line(parts: list[str], more: str, color: bool) -> None:
    libc = ctypes.CDLL(None)
    name = "".join(parts) + more.encode("utf-8", "replace").decode()
    # Python may know later characters than the C library.
    assume(all(libc.wcwidth(ctypes.c_uint(ord(one))) > 0 for one in escape(name)))
    columns = ("user", "exit", "pid")
    whole = Table(columns, color=color)
    (row, other) = formats.COLOR.sub("", whole.rows([record(user=name), record()])).splitlines()
    first, _, _ = formats.table_row(row, 3)
    assert cells(row, libc) == len(other) + max(0, cells(first, libc) - COLUMNS["user"].width)
    pairs = [(name, "x"), ("y", "z")]
    lines = RowTable(["a", "b"], pairs).rows(pairs).splitlines()
    assert len({cells(line, libc) for line in lines}) == 1


ENVIRONMENTS = [
    ({}, False),
    ({"LC_ALL": "C"}, False),
    ({"LC_ALL": "POSIX", "LANG": "C.UTF-8"}, False),
    ({"LC_ALL": "C", "PYTHONUTF8": "1"}, False),
    ({"LANG": "C"}, False),
    ({"LANG": "C.UTF-8"}, True),
    ({"LC_CTYPE": "C.UTF-8"}, True),
    ({"LC_ALL": "C.UTF-8", "LANG": "C"}, True),
    ({"LANG": "de_DE.UTF-8@euro"}, True),  # also where it is not installed
    ({"LC_ALL": "C", "PYTHONIOENCODING": "utf-8:strict"}, True),
    ({"LANG": "C.UTF-8", "PYTHONIOENCODING": "latin-1"}, False),
]


@pytest.mark.parametrize(("environment", "takes"), ENVIRONMENTS)
def test_who_takes_utf8(environment: dict[str, str], takes: bool) -> None:
    r"""The second byte of U+00DB starts a sequence on a terminal of Latin 1."""
    script = "from exitsnoop.cli.output import Output, complain; "
    script += "complain('\\xdb'); print(Output().takes_utf8)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": os.pathsep.join(sys.path), **environment},
        capture_output=True,
        check=True,
    )
    assert done.stdout == f"{takes}\n".encode()
    shown = "\u00db".encode() if takes else rb"\303\233"
    assert done.stderr == b"exitsnoop: %s\n" % shown


@given(st.text())
def test_what_a_message_quotes_cannot_act(text: str) -> None:
    read, write = os.pipe()
    before = os.dup(2)
    os.dup2(write, 2)
    try:
        complain(text.replace("\n", " "), f"{text}\n{text}")
    finally:
        os.dup2(before, 2)
        for descriptor in (before, write):
            os.close(descriptor)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read().decode()
    formats.assert_harmless(said)
    assert all(line.startswith(("exitsnoop: ", "  ")) for line in said.splitlines())


@pytest.mark.parametrize(
    "words",
    [
        ["--cause", "\x1b[2J\u202e"],
        ["--\x1b[2J"],
        ["\x9b2J"],
        ["why", "--since", "\x1b]0;x\x07", "x"],
        ["past", "--store", "/nowhere/\x1b[2J\u202e\n"],
        ["record", "--redact", "(\x1b\n"],
        ["--output", "/nowhere/\x1b[2J\u202e\x9b\n"],
        ["--", "/nowhere/\x1b[2J\n"],
    ],
)
def test_messages_of_the_command_are_harmless(words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "exitsnoop", *words],
        env={"PYTHONPATH": os.pathsep.join(sys.path), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        check=False,
    )
    assert done.returncode in (2, 3, 70, 74, 77, 127)
    assert done.stderr
    formats.assert_harmless(done.stderr.decode())
