"""Who called abort()."""

from collections.abc import Iterable

from exitsnoop.model.cause import At
from exitsnoop.model.functions import function_name

_DELETED = " (deleted)"
# Where abort() and what calls it live: it says more who called them.
_LIBRARIES = ("libc.", "libc-", "ld-musl-", "libpthread", "libstdc++.", "libgcc_s.", "libc++")
_ABORTING = frozenset(
    "abort raise gsignal __pthread_kill __pthread_kill_implementation __pthread_kill_internal "
    "pthread_kill __GI_raise __GI_abort __assert_fail __assert_fail_base __libc_message "
    "__libc_message_impl malloc_printerr __fortify_fail __stack_chk_fail __chk_fail tgkill "
    "__abort _int_free free __libc_fatal".split()
)

# Of Rust, also what comes between a panic and abort().
_STANDARD = ("std::", "core::", "alloc::", "rust_", "__rust")


def caller(stack: Iterable[At]) -> At | None:
    """Return who called abort(), or what called that: the first outside the standard library."""
    for at in stack:
        if at.module is None:
            return None
        if not in_library(at) and not _aborts(at):
            return at
    return None


def _aborts(at: At) -> bool:
    """Whether it is a part of abort() in a program that has its standard library in itself.

    Compilers add words to the names of functions that they changed, such as ".constprop.0".
    """
    if at.function is None:
        return False
    name = function_name(at.function.partition(".")[0])
    return name in _ABORTING or name.startswith(_STANDARD)


def in_library(at: At) -> bool:
    """Return whether a place is in a library that C or C++ itself needs."""
    return at.module is not None and base(at.module).startswith(_LIBRARIES)


def base(path: str) -> str:
    """Return the name of a file without its directory, also if it was removed."""
    return path.removesuffix(_DELETED).rpartition("/")[2]
