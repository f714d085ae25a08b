"""Names in a row: shown as `ls --escape` does, one field whatever is in them."""

import os
import random
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from exitsnoop.sinks.escape import escape


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"bash", "bash"),
        (b"", ""),
        (b"tmux: server", r"tmux:\ server"),
        (b"a\nb", r"a\nb"),
        (b"\x1b[2J", r"\033[2J"),
        (b"\x7f", r"\177"),
        (b"a\\b", r"a\\b"),
        (b"\xff", r"\377"),
        ("größe".encode(), "größe"),
        ("grö".encode()[:-1], r"gr\303"),  # the kernel cuts names at 15 bytes
        ("\u202e".encode(), r"\342\200\256"),  # would turn the direction of the row
        ("\u2028".encode(), r"\342\200\250"),  # a line separator
        ("\x9b".encode(), r"\302\233"),  # starts a terminal sequence
        ("\u00a0".encode(), r"\302\240"),  # a space that does not look like one
    ],
)
def test_names(name: bytes, shown: str) -> None:
    assert escape(name) == shown


def test_ascii_only_for_those_who_take_no_utf8() -> None:
    assert escape("größe".encode(), ascii_only=True) == r"gr\303\266\303\237e"


def test_like_ls(tmp_path: Path) -> None:
    """Bytes of every kind. We escape some characters beyond ASCII that ls prints."""
    chance = random.Random(1)
    names = {bytes([byte]) for byte in range(1, 256)} - {b"/", b"."}
    for _ in range(300):
        name = bytes(chance.choices(range(1, 256), k=15)).replace(b"/", b"-")
        if all(c.isascii() or 0xDC80 <= ord(c) <= 0xDCFF for c in os.fsdecode(name)):
            names.add(name)
    assert len(names) > 300
    for name in names:
        (tmp_path / os.fsdecode(name)).touch()
    listed = subprocess.run(
        ["ls", "-AU1", "--escape", tmp_path],
        capture_output=True,
        check=True,
        env={"LC_ALL": "C.UTF-8"},
    )
    shown = {line.decode() for line in listed.stdout.splitlines()}
    assert shown == {escape(name) for name in names}


def test_no_character_breaks_a_row() -> None:
    for point in range(sys.maxunicode + 1):
        if 0xD800 <= point < 0xE000:
            continue
        for character in escape(chr(point).encode()):
            assert unicodedata.category(character)[0] not in "CZ" or character == " "
