"""Bytes from the kernel -> exits, many at a time.

The kernel's words are translated here, once: its tgid is our pid, its pid is our tid, its
real_parent->tgid our ppid. _native/bpf/event.h defines the bytes.
"""

import struct

from exitsnoop.model.batch import Exits

EVENT = struct.Struct("=QQIIIH??16s")
EVENT_FIELDS = (
    "boot_ns",
    "start_boot_ns",
    "pid",
    "tid",
    "ppid",
    "status",
    "last_thread",
    "wanted",
    "raw_comm",
)


def decode(block: bytes, wall_offset_ns: int) -> Exits:
    """Return the exits of a block of whole records, in their order.

    Raises struct.error if the block's size is not that of whole records.
    """
    columns = zip(*EVENT.iter_unpack(block), strict=True)
    return Exits(dict(zip(EVENT_FIELDS, columns)), wall_offset_ns)  # noqa: B905 - of none, no columns
