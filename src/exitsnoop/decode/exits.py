"""Exits: bytes -> columns, many at a time.

The kernel's words were translated by the BPF program: its tgid is our pid, its pid is our tid, its
real_parent->tgid our ppid.
"""

from exitsnoop.decode.structs import whole
from exitsnoop.layout import STRUCTS
from exitsnoop.model.batch import Exits

EVENT = whole("exit_event")
EVENT_FIELDS = tuple(STRUCTS["exit_event"])


def decode(block: bytes, wall_offset_ns: int) -> Exits:
    """Return the exits of a block of whole records, in their order.

    Raises struct.error if the block's size is not that of whole records.
    """
    columns = zip(*EVENT.iter_unpack(block), strict=True)
    return Exits(dict(zip(EVENT_FIELDS, columns)), wall_offset_ns)  # noqa: B905 - no exits, no columns
