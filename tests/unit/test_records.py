"""Bytes -> Exit."""

import datetime
import struct

import pytest

from exitsnoop import _native
from exitsnoop.decode import context, images
from exitsnoop.decode import signals as evidence
from exitsnoop.decode.exits import EVENT, EVENT_FIELDS, decode
from exitsnoop.model.exit import Exit


@pytest.mark.parametrize(
    ("layout", "decoder"),
    [
        (_native.EXIT_EVENT, EVENT),
        (_native.SIGNAL_EVIDENCE, evidence.SIGNAL),
        (_native.OOM_EVIDENCE, evidence.OOM),
        (_native.EXIT_CONTEXT, context.HEAD),
        (_native.EXEC_IMAGE, images.HEAD),
        (_native.FORKED, images.FORKED),
        (_native.GONE, images.GONE),
    ],
)
def test_layout_is_that_of_the_c_compiler(
    layout: list[tuple[str, int, int]], decoder: struct.Struct
) -> None:
    """The decoders and event.h say the same: each field's offset and size, and the whole."""
    assert decoder.size == sum(size for _, _, size in layout)
    ends = [at + size for _, at, size in layout]
    assert [at for _, at, _ in layout] == [0, *ends[:-1]], "there is a hole"
    pattern = bytes(n % 251 for n in range(decoder.size))
    fields = [(at, size) for _, at, size in layout]
    for value, (at, size) in zip(decoder.unpack(pattern), fields, strict=True):
        part = pattern[at : at + size]
        signed, unsigned = (int.from_bytes(part, "little", signed=sign) for sign in (True, False))
        assert value in (part, signed, unsigned, bool(unsigned))


def test_fields_are_the_records() -> None:
    assert Exit._fields[: len(EVENT_FIELDS)] == EVENT_FIELDS


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
