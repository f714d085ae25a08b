"""What lies at an address of a process, and where in a program it was, in words."""

from functools import lru_cache

from exitsnoop import layout
from exitsnoop.decode.sites import Region, Site
from exitsnoop.model.callers import base, caller, in_library
from exitsnoop.model.cause import At, Mapped
from exitsnoop.model.functions import function_name
from exitsnoop.model.words import human_bytes, quoted

_SHARED_MEMORY = "/dev/zero (deleted)"  # what the kernel calls it that has no name
_MOST_NAME = 48
_PAGE = 4096
_MOST_OF_KERNEL = 4 * _PAGE
_LEAST_RESERVED = 1 << 20  # more than any runtime puts at the end of a stack
_NO_ACCESS = {"guard": " (guard page)", "reserved": " (reserved, no access)"}
_TMPFS = 0x01021994  # include/uapi/linux/magic.h


def mapping(site: Site, *, unmapped: bool) -> Mapped | None:
    """Return what lies at the address of a fault; None if that is unknown.

    unmapped: whether the kernel says that nothing is mapped there (SEGV_MAPERR). From v6.13 on the
    pages that guard a stack may be a part of its mapping; glibc 2.42 and later make such.
    """
    region = site.region(site.address)
    if region is None:
        return Mapped("none") if site.regions else None
    offset = region.in_file(site.address)
    if region.flags & layout.REGION_HUGETLB:
        return Mapped("hugetlb", region.path if _is_named(region) else None)
    if region.has_file() and region.path != _SHARED_MEMORY:
        return Mapped("file", region.path, offset)
    if not region.is_usable():
        return Mapped("guard" if region.end - region.start < _LEAST_RESERVED else "reserved")
    if unmapped and region.flags & layout.REGION_WRITABLE:
        return Mapped("guard")
    if region.start < site.heap[1] and region.end > site.heap[0]:
        return Mapped("heap")
    stacks = (site.stack_start, site.registers.get("sp", 0))
    if any(region.start <= pointer < region.end for pointer in stacks):
        return Mapped("stack")
    return Mapped("anonymous")


def _is_named(region: Region) -> bool:
    return region.path is not None and not region.path.startswith("/anon_hugepage")


@lru_cache(maxsize=128)  # a program often crashes where it did before
def in_words(at: At | None) -> str:
    """Return " in libfoo.so parse_header+0x1c", or "" if it is unknown."""
    if at is None or at.module is None:
        return ""
    name = _short(base(at.module))
    if at.function is None:
        return f" in {name}" if at.offset is None else f" in {name}+{at.offset:#x}"
    return f" in {name} {_short(function_name(at.function))}+{at.function_offset or 0:#x}"


def of_instruction(site: Site | None) -> str:
    """Return where the instruction was that had a fault, as in_words() does, also without a file.

    The kernel maps some code without a file, too, read-only, and a few pages: the vDSO, which reads
    the clock for a process.
    """
    if site is None or site.at:
        return in_words(site and site.at)
    region = site.region(site.instruction)
    if region is None or region.has_file() or not region.has_code():
        return ""
    writable = region.flags & layout.REGION_WRITABLE
    is_large = region.end - region.start > _MOST_OF_KERNEL
    return " in generated code (of no file)" if writable or is_large else " in the vDSO"


def who_called(site: Site | None) -> str:
    """Return ", called from ..." for a thread that is in the C library, or where no program is."""
    if site is None or not site.stack:
        return ""
    if site.at and not in_library(site.at):
        return ""
    by = caller(site.stack) if site.at else site.stack[0]
    if by and by.module is None:  # code of no file: the kernel's own, or that of a JIT compiler
        by = caller(site.stack[1:])
    return f", called from {in_words(by).removeprefix(' in ')}" if by and by.module else ""


def not_allowed(mapped: Mapped | None, access: str | None) -> str:
    """Return why an address that is mapped could not be used so, such as " (heap, read-only)"."""
    if mapped is None or mapped.kind == "none":
        return ""
    if mapped.kind in _NO_ACCESS:
        return _NO_ACCESS[mapped.kind]
    name = _short(base(mapped.path)) if mapped.path else mapped.kind
    words = {"write": "read-only", "execute": "not executable", "read": "not readable"}
    return f" ({name}, {words[access]})" if access else f" ({name})"


def no_page(site: Site, mapped: Mapped | None, access: str | None) -> str | None:
    """Return why a page of a file could not be had, which is what most bus errors are."""
    region = site.region(site.address)
    if mapped is None or region is None:
        return None
    if mapped.kind == "hugetlb":
        return "no huge page was left"
    if mapped.kind != "file" or mapped.path is None or mapped.offset is None:
        return None
    path = quoted(mapped.path)
    if mapped.offset >= -(-region.size // _PAGE) * _PAGE:
        return f"beyond the end of {path} ({human_bytes(region.size)}, truncated?)"
    if access == "write" or region.file_system == _TMPFS:
        return f"no room for a page of {path} (file system full?)"
    return f"a page of {path} could not be read"


def _short(name: str) -> str:
    return quoted(name if len(name) <= _MOST_NAME else f"{name[: _MOST_NAME - 3]}...")
