"""What the kernel side sends besides exits: a block of records of several kinds.

_native/event.h defines the bytes; evidence.py, context.py and images.py decode a kind each.
"""

import struct
from collections.abc import Iterator
from enum import IntEnum

_SIZE_AND_KIND = struct.Struct("=QQ")
_SIZE_BYTES = 8

Process = tuple[int, int]
"""(pid, start_boot_ns): not a PID alone, which may be used again."""


class Kind(IntEnum):
    """The first word of each record: enum record_kind of event.h, which says what each is."""

    SIGNAL_EVIDENCE = 1
    OOM_EVIDENCE = 2
    EXIT_CONTEXT = 3
    EXEC_IMAGE = 4
    FORKED = 5
    GONE = 6
    LEFT = 7


def split(block: bytes) -> Iterator[tuple[int, bytes]]:
    """Iterate over (kind, record) of a block in which each record comes after its size."""
    at = 0
    while at < len(block):
        size, kind = _SIZE_AND_KIND.unpack_from(block, at)
        at += _SIZE_BYTES
        yield kind, block[at : at + size]
        at += size


def text(raw: bytes) -> str:
    """Return what stands before the first NUL; invalid UTF-8 is U+FFFD."""
    return raw.partition(b"\0")[0].decode("utf-8", "replace")


def path(names: bytes) -> str | None:
    """Return the path of names that are sent the nearest first; None for none.

    "..." stands for the start of a path that did not fit.
    """
    if not names:
        return None
    *nearest_first, top = names.decode("utf-8", "replace").removesuffix("\0").split("\0")
    if top:
        nearest_first += [top, "..."]
    return "/" + "/".join(reversed(nearest_first))


def args(raw: bytes) -> tuple[str, ...]:
    """Return arguments of which each is ended by a NUL, the last perhaps not."""
    if not raw:
        return ()
    return tuple(arg.decode("utf-8", "replace") for arg in raw.removesuffix(b"\0").split(b"\0"))
