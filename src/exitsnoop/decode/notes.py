"""What the kernel side sends besides exits: records of several kinds.

_native/bpf/event.h defines the bytes; evidence.py, context.py and images.py decode a kind each.
"""

import struct
from functools import lru_cache

HEAD = struct.Struct("=QQ")

Process = tuple[int, int]
"""(pid, start_boot_ns): not a PID alone, which may be used again."""


class Kind:
    """The second word of each record: enum note_kind of event.h, which says what each is."""

    SIGNAL_EVIDENCE = 1
    OOM_EVIDENCE = 2
    EXIT_CONTEXT = 3
    EXEC_IMAGE = 4
    FORKED = 5
    GONE = 6
    LEFT = 7


def kind(record: bytes) -> int:
    """Return of which Kind a record is.

    Raises struct.error, as all who decode do, if the bytes are not as event.h has them.
    """
    return int(HEAD.unpack_from(record)[1])


def require(well_formed: bool) -> None:
    """Raise struct.error unless it is: what does not fit together must not become a record."""
    if not well_formed:
        raise struct.error("a record from the kernel side is not as event.h has it")


@lru_cache(maxsize=1024)  # names repeat
def text(raw: bytes) -> str:
    """Return what stands before the first NUL; invalid UTF-8 is U+FFFD."""
    return raw.partition(b"\0")[0].decode("utf-8", "replace")


@lru_cache(maxsize=256)  # so do cgroups
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
