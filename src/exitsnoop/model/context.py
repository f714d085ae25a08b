"""Context: what was collected of an exit, besides its record. Image: what an exec started."""

from functools import cached_property
from typing import Any, NamedTuple

from exitsnoop.model.fields import COLLECTED, FIELDS, IMAGE_GROUPS

_APART = IMAGE_GROUPS | {"why"}

CONTEXT = (
    "image",
    *(name for name, group in COLLECTED.items() if group not in _APART and not FIELDS[name].of),
)
"""What was collected of an exit besides its record: an Image, and fields that come as they are."""

Context = tuple[Any, ...]
"""The values of CONTEXT, None for what is unknown."""

NOTHING: Context = (None,) * len(CONTEXT)


class Ancestor(NamedTuple):
    """A process above another at its exit.

    Attributes:
        pid: of the initial PID namespace.
        comm: its name.
    """

    pid: int
    comm: str


class Image:
    """What an exec started: shared by all processes forked from it since.

    Attributes:
        exe: path of the executable, as /proc/PID/exe has it; None if it is not known.
        args_truncated: whether there were more than MAX_ARGS_BYTES of arguments; None if unknown.
    """

    def __init__(self, exe: str | None, raw_args: bytes | None, all_args_bytes: int) -> None:
        self.exe = exe
        self._raw_args = raw_args
        self.args_truncated = None if raw_args is None else all_args_bytes > len(raw_args)

    @cached_property
    def args(self) -> tuple[str, ...] | None:
        """The arguments at the exec; None if they are not known."""
        return None if self._raw_args is None else split_args(self._raw_args)


def split_args(raw: bytes) -> tuple[str, ...]:
    """Return arguments that are each ended by a NUL, except perhaps the last."""
    if not raw:
        return ()
    return tuple(arg.decode("utf-8", "replace") for arg in raw.removesuffix(b"\0").split(b"\0"))
