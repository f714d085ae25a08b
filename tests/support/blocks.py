"""Records as the BPF programs send them: made from values, checked, and taken apart by hand.

By layout.py, which tests/native/test_event.py holds to event.h as the C compiler lays it out, and
not by the decoders that are tested with them.
"""

import struct
from typing import TYPE_CHECKING

from exitsnoop import layout
from exitsnoop.decode.exits import decode
from exitsnoop.model.cause import KINDS
from exitsnoop.model.exit import Exit
from exitsnoop.model.fields import COLUMNS, groups
from exitsnoop.sinks.csv import Csv
from exitsnoop.sinks.json_lines import JsonLines
from exitsnoop.sinks.table import Table
from exitsnoop.tracing.join import Clues

if TYPE_CHECKING:
    from exitsnoop.sinks import Sink

Layout = dict[str, str]
"""The fields of a struct, each with its code of the module struct."""


def _bytes_of(name: str) -> int:
    return struct.calcsize("=" + "".join(layout.STRUCTS[name].values()))


EXIT = layout.STRUCTS["exit_event"]
_SAME = {"LEFT": "gone", "HANDLED_SIGNAL": "signal_evidence"}
LAYOUTS: dict[int, Layout] = {
    getattr(layout, kind): layout.STRUCTS[_SAME.get(kind, kind.lower())]
    for kind in (
        *("SIGNAL_EVIDENCE", "HANDLED_SIGNAL", "OOM_EVIDENCE", "SENDER_ORIGIN", "CRASH_SITE"),
        *("THREAD_END", "EXIT_CONTEXT", "EXEC_IMAGE", "FORKED", "GONE", "LEFT"),
    )
}
PARTS = {  # the lengths of what follows the fields
    layout.EXIT_CONTEXT: ("cgroup_bytes", "hostname_bytes", "ancestors_bytes", "cwd_bytes"),
    layout.EXEC_IMAGE: ("exe_bytes", "args_bytes"),
    layout.SENDER_ORIGIN: ("ancestors_bytes", "cgroup_bytes", "exe_bytes"),
    layout.CRASH_SITE: ("stack_bytes",),
}
_COUNTED = {"frames_count": "frames", "regions_count": "regions", "build_ids_count": "build_ids"}
_EACH = {"frames": 8, "regions": _bytes_of("crash_region"), "build_ids": _bytes_of("crash_frame")}
ANCESTOR_BYTES = _bytes_of("ancestor")
EVERYTHING = groups(COLUMNS.keys() - {"boot_ns"})
SINKS: "list[Sink]" = [
    JsonLines(tuple(COLUMNS)),
    Csv(tuple(COLUMNS)),
    Table(tuple(COLUMNS), color=True),
]


def sizes(fields: Layout) -> dict[str, int]:
    return {name: struct.calcsize(f"={code}") for name, code in fields.items()}


def pack(fields: Layout, **values: int | bytes) -> bytes:
    """Return the bytes of a struct; what is not given is 0."""
    made = b""
    for name, size in sizes(fields).items():
        value = values.pop(name, 0)
        if isinstance(value, int):
            value = value.to_bytes(size, "little", signed=value < 0)
        made += value.ljust(size, b"\0")
    assert not values, values
    assert len(made) == sum(sizes(fields).values())
    return made


def note(kind: int, **values: int | bytes) -> bytes:
    """Return a note, or what comes before its parts."""
    return pack(LAYOUTS[kind], kind=kind, **values)


def number(field: bytes) -> int:
    return int.from_bytes(field, "little")


def is_well_formed(record: bytes) -> bool:
    """Whether the record is as long as its kind is, and as it says."""
    kind = number(record[8:16]) if len(record) >= 16 else 0
    if kind not in LAYOUTS:
        return False
    of_fields = sizes(LAYOUTS[kind])
    expected = sum(of_fields.values())
    if len(record) < expected:
        return False
    fields, at = {}, 0
    for name, size in of_fields.items():
        fields[name] = number(record[at : at + size])
        at += size
    expected += sum(fields[length] for length in PARTS.get(kind, ()))
    ancestors, rest = divmod(fields.get("ancestors_bytes", 0), ANCESTOR_BYTES)
    if rest or ancestors > layout.MAX_ANCESTORS:
        return False
    if kind == layout.CRASH_SITE and not _is_site(record, fields):
        return False
    if kind == layout.OOM_EVIDENCE and fields["cgroup_bytes"] > layout.CGROUP_PATH_BYTES:
        return False
    return len(record) == expected


def _is_site(record: bytes, fields: dict[str, int]) -> bool:
    """Whether no more is counted than fits, and the paths of all mappings are in `paths`."""
    room = sizes(layout.STRUCTS["crash_site"])
    if any(fields[count] * _EACH[what] > room[what] for count, what in _COUNTED.items()):
        return False
    region = sizes(layout.STRUCTS["crash_region"])
    begin = sum(list(room.values())[: list(room).index("regions")])
    for nth in range(fields["regions_count"]):
        at = begin + nth * _EACH["regions"]
        ends = []
        for name, size in region.items():
            if name in ("path_at", "path_bytes"):
                ends.append(number(record[at : at + size]))
            at += size
        if sum(ends) > room["paths"]:
            return False
    return True


def feed(exits: bytes, notes: list[bytes]) -> list[Exit] | None:
    """Have all of it decoded, judged and shown, as if it came from the ring.

    Returns the exits; None if that was refused, with struct.error. It must be refused if and only
    if it is malformed, and nothing else may be raised.
    """
    is_good = all(map(is_well_formed, notes)) and not len(exits) % sum(sizes(EXIT).values())
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
