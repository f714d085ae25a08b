"""Who called abort(), and why."""

import re
from collections.abc import Iterable

from exitsnoop.model.cause import At
from exitsnoop.model.functions import function_name

_DELETED = " (deleted)"
# Where abort() and what calls it live: it says more who called them.
_ALLOCATORS = ("libjemalloc", "libtcmalloc", "libmimalloc")
_SANITIZERS = ("libasan.", "libtsan.", "libubsan.", "liblsan.", "libclang_rt.")
_LIBRARIES = (
    *("libc.", "libc-", "ld-musl-", "libpthread", "libstdc++.", "libgcc_s.", "libc++"),
    *_ALLOCATORS,
    *_SANITIZERS,
)
_ABORTING = frozenset(
    "abort raise gsignal __pthread_kill __pthread_kill_implementation __pthread_kill_internal "
    "pthread_kill __GI_raise __GI_abort __assert_fail __assert_fail_base __libc_message "
    "__libc_message_impl malloc_printerr __fortify_fail __stack_chk_fail __chk_fail tgkill "
    "__abort _int_free free __libc_fatal".split()
)

# Of Rust and Go also what comes between a panic and abort().
_STANDARD = ("std::", "core::", "alloc::", "<std::", "<core::", "<alloc::", "rust_", "__rust")
_CHECKED = ("__sanitizer::", "__asan", "__tsan", "__msan", "__ubsan", "__lsan", "__interceptor_")
_GO = "runtime."
# What a compiler adds to the name of a function that it changed.
_CHANGED = re.compile(r"(\.(constprop|cold|part|isra|llvm|lto_priv|localalias)(\.\d+)*)+$")

_CORRUPTED = {
    f"{prefix}{name}": f"{name}() found a corrupted heap"
    for name in ("free", "malloc", "calloc", "realloc")
    for prefix in ("", "__libc_", "__GI___libc_")
}
_REASONS = {
    **dict.fromkeys(("__assert_fail", "__assert_fail_base", "__assert"), "an assertion failed"),
    "__stack_chk_fail": "a variable on the stack was written beyond its end",
    "__chk_fail": "a fortified function would have written beyond the end of its buffer",
    **dict.fromkeys(("__fdelt_chk", "__fdelt_warn"), "a descriptor was too high for an fd_set"),
    **dict.fromkeys(
        [f"__{name}v{size}" for name in ("add", "sub", "mul") for size in ("si3", "di3", "ti3")],
        "an integer overflowed (-ftrapv)",
    ),
    "malloc_printerr": "the heap was found corrupted",
    "__cxa_throw": "a C++ exception was not caught",
    "std::terminate": "std::terminate() was called",
    "__cxa_pure_virtual": "a pure virtual function was called",
    "std::__glibcxx_assert_fail": "an assertion of the C++ library failed",
    "std::__replacement_assert": "an assertion of the C++ library failed",
    "alloc::alloc::handle_alloc_error": "no memory was left",
    "runtime.throw": "a fatal error of the Go runtime",
    "runtime.gopanic": "a panic",
}
"""What a function of the standard library says by calling abort()."""
_REASONS_OF = {
    **dict.fromkeys(("core::panicking::", "std::panicking::"), "a panic"),
    "__asan_": "AddressSanitizer found an error",
    "__tsan_": "ThreadSanitizer found an error",
    "__msan_": "MemorySanitizer found an error",
    "__ubsan_handle_": "UndefinedBehaviorSanitizer found an error",
}
"""The same, by how its name begins."""


def caller(stack: Iterable[At]) -> At | None:
    """Return who called abort(), or what called that: the first outside the standard library.

    An allocator that aborts as the program is loaded was called by nobody else.
    """
    first = None
    for at in stack:
        if at.module is None:
            break
        if not in_library(at) and not _aborts(at):
            return at
        if first is None and _is_of(at, _ALLOCATORS):
            first = at
    return first


def abort_reason(stack: Iterable[At]) -> str | None:
    """Return why the standard library called abort(), by its function; None if it did not.

    The outermost one says most: free() calls malloc_printerr().
    """
    reason = None
    for at in stack:
        if at.module is None or not (in_library(at) or _aborts(at)):
            break
        name = _name(at)
        reason = _REASONS.get(name) or _of_kind(name) or reason
        # Another allocator aborts for reasons of its own.
        if reason or (in_library(at) and not _is_of(at, _ALLOCATORS)):
            reason = _CORRUPTED.get(name, reason)
    return reason


def _of_kind(name: str) -> str | None:
    return next((why for begin, why in _REASONS_OF.items() if name.startswith(begin)), None)


def _aborts(at: At) -> bool:
    """Whether it is a part of abort() in a program that has its standard library in itself."""
    if at.function is None:
        return False
    name = _name(at)
    return name in _ABORTING or name in _REASONS or name.startswith((*_STANDARD, *_CHECKED, _GO))


def _name(at: At) -> str:
    return function_name(_CHANGED.sub("", at.function or ""))


def in_library(at: At) -> bool:
    """Return whether a place is in a library that C or C++ itself needs, or that stands for it."""
    return _is_of(at, _LIBRARIES)


def _is_of(at: At, libraries: tuple[str, ...]) -> bool:
    return at.module is not None and base(at.module).startswith(libraries)


def base(path: str) -> str:
    """Return the name of a file without its directory, also if it was removed."""
    return path.removesuffix(_DELETED).rpartition("/")[2]
