"""Bytes -> Exit."""

import datetime
import struct

import pytest

from exitsnoop.decode.exits import EVENT, EVENT_FIELDS, decode
from exitsnoop.decode.structs import only
from exitsnoop.model.fields import FIELDS, STORED


def test_each_part_of_a_record_is_a_field() -> None:
    assert set(EVENT_FIELDS) == {
        name for name in STORED if not FIELDS[name].group and name != "wall_ns"
    }


def test_decode() -> None:
    block = EVENT.pack(5_000_000_000, 3_499_999_500, 10, 11, 9, 0x8B, True, True, b"name\0rest")
    block += EVENT.pack(6_000_000_000, 1, 12, 12, 9, 0x0300, False, True, b"fifteen letters")
    first, second = decode(block, 1_600_000_000_000_000_000)
    assert (first.pid, first.tid, first.ppid, first.comm) == (10, 11, 9, "name")
    assert (first.exit_code, first.signal, first.signal_name) == (None, 11, "SIGSEGV")
    assert first.core_dumped
    assert first.age == 1.5
    assert first.time == datetime.datetime(2020, 9, 13, 12, 26, 45, tzinfo=datetime.timezone.utc)
    assert (second.comm, second.exit_code, second.last_thread) == ("fifteen letters", 3, False)


def test_a_name_that_is_not_utf8() -> None:
    (record,) = decode(EVENT.pack(1, 1, 1, 1, 1, 0, True, True, b"a\xffb"), 0)
    assert record.comm == "a\ufffdb"


def test_part_of_a_record_is_an_error() -> None:
    with pytest.raises(struct.error):
        decode(bytes(EVENT.size + 1), 0)


def test_some_fields_are_unpacked_in_the_order_of_the_struct_or_not_at_all() -> None:
    record = struct.pack("=QQQQ", 1, 2, 3, 4)
    assert only("gone", "kind", "pid").unpack(record) == (2, 4)
    for wrong in (("pid", "kind"), ("kind", "tid")):
        with pytest.raises(ValueError, match="in this order"):
            only("gone", *wrong)
