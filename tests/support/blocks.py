"""Records as the kernel side sends them: made from values, checked, and taken apart by hand.

By event.h as the C compiler lays it out, not by the decoders that are tested with them.
"""

import struct
from typing import TYPE_CHECKING

from exitsnoop import _native
from exitsnoop.decode.exits import decode
from exitsnoop.decode.notes import Kind
from exitsnoop.model.cause import KINDS
from exitsnoop.model.exit import Exit
from exitsnoop.model.fields import groups
from exitsnoop.sinks.columns import COLUMNS
from exitsnoop.sinks.csv import Csv
from exitsnoop.sinks.json_lines import JsonLines
from exitsnoop.sinks.table import Table
from exitsnoop.tracing.join import Clues

if TYPE_CHECKING:
    from exitsnoop.sinks import Sink

Layout = list[tuple[str, int, int]]
LAYOUTS: dict[int, Layout] = {
    Kind.SIGNAL_EVIDENCE: _native.SIGNAL_EVIDENCE,
    Kind.OOM_EVIDENCE: _native.OOM_EVIDENCE,
    Kind.EXIT_CONTEXT: _native.EXIT_CONTEXT,
    Kind.EXEC_IMAGE: _native.EXEC_IMAGE,
    Kind.FORKED: _native.FORKED,
    Kind.GONE: _native.GONE,
    Kind.LEFT: _native.GONE,
}
CGROUP_PATH_BYTES, ANCESTOR_BYTES = 2048, 20
EVERYTHING = groups(COLUMNS.keys() - {"boot_ns"})
SINKS: "list[Sink]" = [
    JsonLines(tuple(COLUMNS)),
    Csv(tuple(COLUMNS)),
    Table(tuple(COLUMNS), color=True),
]


def pack(layout: Layout, **values: int | bytes) -> bytes:
    """Return the bytes of a struct; what is not given is 0."""
    made = bytearray(sum(size for _, _, size in layout))
    for name, at, size in layout:
        value = values.pop(name, 0)
        if isinstance(value, int):
            value = value.to_bytes(size, "little", signed=value < 0)
        made[at : at + size] = value.ljust(size, b"\0")
    assert not values, values
    return bytes(made)


def unpack(layout: Layout, made: bytes) -> dict[str, bytes]:
    return {name: made[at : at + size] for name, at, size in layout}


def number(field: bytes) -> int:
    return int.from_bytes(field, "little")


def is_well_formed(record: bytes) -> bool:
    """Whether the record is as long as its kind is, and as it says."""
    layout = LAYOUTS.get(number(record[8:16])) if len(record) >= 16 else None
    if layout is None:
        return False
    head = sum(size for _, _, size in layout)
    if len(record) < head:
        return False
    fields = {name: number(field) for name, field in unpack(layout, record).items()}
    if layout is _native.EXIT_CONTEXT:
        head += fields["cgroup_bytes"] + fields["hostname_bytes"]
        head += fields["ancestors"] * ANCESTOR_BYTES
    elif layout is _native.EXEC_IMAGE:
        head += fields["exe_bytes"] + fields["args_bytes"]
    elif layout is _native.OOM_EVIDENCE and fields["cgroup_bytes"] > CGROUP_PATH_BYTES:
        return False
    return len(record) == head


def feed(exits: bytes, notes: list[bytes]) -> list[Exit] | None:
    """Have all of it decoded, judged and shown, as if it came from the ring.

    Returns the exits; None if that was refused, with struct.error. It must be refused if and only
    if it is not as event.h has it, and nothing else may be raised.
    """
    size = sum(size for _, _, size in _native.EXIT_EVENT)
    is_good = all(map(is_well_formed, notes)) and not len(exits) % size
    clues = Clues(EVERYTHING)
    try:
        clues.add(notes)
        made = list(clues.complete(decode(exits, 1_700_000_000 * 10**9)))
    except struct.error:
        assert not is_good, "it was refused"
        return None
    assert is_good, "it was not refused"
    for ended in made:
        assert ended.cause is None or ended.cause.kind in KINDS
        assert str(ended)
        assert ended.time
        assert ended.age is not None
    for sink in SINKS:
        text = sink.rows(made)
        assert text.count("\n") == len(made)
    return made
