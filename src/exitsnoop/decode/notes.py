"""Notes: what the BPF programs send besides exits. What the decoders of all kinds share."""

import struct
import sys
from collections.abc import Callable
from functools import lru_cache

from exitsnoop.layout import EXIT_CONTEXT

Process = tuple[int, int]
"""(pid, start_boot_ns): a PID alone may be used again."""

KIND = slice(8, 16)
"""Where a note has its kind: one of enum note_kind of event.h, as kind_bytes() has it."""


def kind_bytes(kind: int) -> bytes:
    """Return a kind as it is in a note."""
    return kind.to_bytes(8, sys.byteorder)


def take(
    notes: list[bytes],
    takes: dict[bytes, Callable[[bytes], object]],
    otherwise: Callable[[bytes], object],
    contexts: list[bytes],
    _images: object,
) -> None:
    """Do what take_notes() of the extension does, see _native.pyi, in three times the time."""
    takes = {**takes, kind_bytes(EXIT_CONTEXT): contexts.append}
    for record in notes:
        takes.get(record[KIND], otherwise)(record)


def refuse(_record: bytes) -> None:
    """Refuse a note of a kind that does not exist: raise struct.error."""
    require(False)


def require(well_formed: bool) -> None:
    """Raise struct.error unless the record is well-formed."""
    if not well_formed:
        raise struct.error("malformed record from the BPF program")


_REMOVED = b"/\0"
SHORT = 512


@lru_cache(maxsize=1024)  # names repeat
def text(raw: bytes) -> str:
    """Return the text before the first NUL; invalid UTF-8 becomes U+FFFD."""
    return raw.partition(b"\0")[0].decode("utf-8", "replace")


def path(raw: bytes) -> str | None:
    """Return the path made of names, which come the nearest first; None if there are none.

    "..." stands for the start of a path that did not fit; " (deleted)" is at the end if the file or
    directory was removed, as in /proc.
    """
    return short_path(raw) if len(raw) <= SHORT else short_path.__wrapped__(raw)


@lru_cache(maxsize=1024)  # paths repeat, too; long ones would fill the memory
def short_path(raw: bytes) -> str | None:
    """Return the same of a path that is not long."""
    names = raw.removeprefix(_REMOVED)
    if not names:
        return None
    *nearest_first, top = names.decode("utf-8", "replace").removesuffix("\0").split("\0")
    if top:
        nearest_first += [top, "..."]
    return "/" + "/".join(reversed(nearest_first)) + (" (deleted)" if names != raw else "")
