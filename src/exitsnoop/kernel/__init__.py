"""The kernel: what it can do, what it is asked to do, and what its answers mean.

Only this module imports the extension.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType


def extension() -> "ModuleType":
    """Return the extension. Raises ImportError if it is missing, or does not fit."""
    from exitsnoop import _native  # without it, a start must say so in words

    return _native
