"""The kernel: what it can do, what it is asked to do, and what its answers mean.

Only this module imports the extension.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

    TakeNotes = Callable[[list[bytes], dict[bytes, Any], Any, list[bytes], Any], None]


def extension() -> "ModuleType":
    """Return the extension. Raises ImportError if it is missing, or does not fit."""
    from exitsnoop import _native  # without it, a start must say so in words

    return _native


def lines(parts: "list[str]", forms: str, columns: "list[list[Any]]") -> str:
    """Return the lines of a batch, see _native.pyi. Raises ImportError, as above."""
    made: str = extension().lines(parts, forms, columns)
    return made


def notes_taker() -> "TakeNotes | None":
    """Return take_notes() of the extension, see _native.pyi; None if that is missing."""
    try:
        found: TakeNotes = extension().take_notes
    except ImportError:
        return None
    return found
