"""Bytes -> Exit."""

import datetime
import struct

import pytest

from exitsnoop import _native
from exitsnoop.records import EVENT, EVENT_FIELDS, Exit, decode


def test_layout_is_that_of_the_c_compiler() -> None:
    """records.py and event.h say the same: each field's offset and size, and the whole."""
    names = {"comm": "raw_comm"}
    layout = [(names.get(name, name), at, size) for name, at, size in _native.EVENT_LAYOUT]
    assert EVENT.size == sum(size for _, _, size in layout)
    offset = 0
    sizes = {name: size for name, _, size in layout}
    for name, at, _ in layout:
        assert at == offset
        offset += sizes[name]
    assert [name for name, _, _ in layout if name != "unused"] == list(EVENT_FIELDS)
    parts = dict(zip(EVENT_FIELDS, EVENT.unpack(bytes(range(48))), strict=True))
    for name, at, size in layout:
        if name not in ("unused", "raw_comm", "last_thread"):
            assert parts[name] == int.from_bytes(bytes(range(at, at + size)), "little"), name


def test_fields_are_the_records() -> None:
    assert Exit._fields == (*EVENT_FIELDS, "wall_ns")


def test_decode() -> None:
    block = EVENT.pack(5_000_000_000, 3_499_999_500, 10, 11, 9, 0x8B, True, b"name\0rest")
    block += EVENT.pack(6_000_000_000, 1, 12, 12, 9, 0x0300, False, b"fifteen letters")
    first, second = decode(block, 1_600_000_000_000_000_000)
    assert (first.pid, first.tid, first.ppid, first.comm) == (10, 11, 9, "name")
    assert (first.exit_code, first.signal, first.signal_name) == (None, 11, "SIGSEGV")
    assert first.core_dumped
    assert first.age == 1.5
    assert first.time == datetime.datetime(2020, 9, 13, 12, 26, 45, tzinfo=datetime.timezone.utc)
    assert (second.comm, second.exit_code, second.last_thread) == ("fifteen letters", 3, False)


def test_a_name_that_is_not_utf8() -> None:
    (record,) = decode(EVENT.pack(1, 1, 1, 1, 1, 0, True, b"a\xffb"), 0)
    assert record.comm == "a\ufffdb"


def test_part_of_a_record_is_an_error() -> None:
    with pytest.raises(struct.error):
        decode(bytes(EVENT.size + 1), 0)
