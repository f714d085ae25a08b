"""Notes: what the BPF programs send besides exits. What the decoders of all kinds share."""

import struct
from functools import lru_cache

from exitsnoop.decode.structs import whole

HEAD = whole("note_head")

Process = tuple[int, int]
"""(pid, start_boot_ns): a PID alone may be used again."""


def kind(record: bytes) -> int:
    """Return the kind of a note: one of enum note_kind of event.h.

    Raises struct.error, as all decoders do, if the record is malformed.
    """
    return int(HEAD.unpack_from(record)[1])


def require(well_formed: bool) -> None:
    """Raise struct.error unless the record is well-formed."""
    if not well_formed:
        raise struct.error("malformed record from the BPF program")


_REMOVED = b"/\0"


@lru_cache(maxsize=1024)  # names repeat
def text(raw: bytes) -> str:
    """Return the text before the first NUL; invalid UTF-8 becomes U+FFFD."""
    return raw.partition(b"\0")[0].decode("utf-8", "replace")


@lru_cache(maxsize=256)  # so do paths
def path(raw: bytes) -> str | None:
    """Return the path made of names, which come the nearest first; None if there are none.

    "..." stands for the start of a path that did not fit; " (deleted)" is at the end if the file or
    directory was removed, as in /proc.
    """
    names = raw.removeprefix(_REMOVED)
    if not names:
        return None
    *nearest_first, top = names.decode("utf-8", "replace").removesuffix("\0").split("\0")
    if top:
        nearest_first += [top, "..."]
    return "/" + "/".join(reversed(nearest_first)) + (" (deleted)" if names != raw else "")
