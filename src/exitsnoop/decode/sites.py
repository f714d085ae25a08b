"""Where a process crashed: bytes -> Site."""

from collections.abc import Callable
from functools import lru_cache, partial
from struct import unpack_from
from typing import Any, NamedTuple

from exitsnoop.decode.notes import Process, path, require, text
from exitsnoop.decode.structs import only, span
from exitsnoop.layout import (
    MAX_FRAMES,
    MAX_REGIONS,
    NOTE,
    REGION_EXECUTABLE,
    REGION_HAS_FILE,
    REGION_READABLE,
    REGION_WRITABLE,
    REGION_WRITTEN,
    SITE_HAS_REGISTERS,
)
from exitsnoop.model.cause import At, Thread

_SITE = only(
    "crash_site",
    *("boot_ns", "start_boot_ns", "address", "instruction", "heap_start", "heap_end"),
    *("stack_start", "ip", "sp", "bp", "bx", "r12", "r13", "r14", "r15", "link", "stack_at"),
    *("pid", "thread", "signal", "flags", "regions_count", "frames_count", "build_ids_count"),
    *("stack_bytes", "thread_comm"),
)
_site_head = _SITE.unpack_from
_REGIONS_AT, _FRAMES_AT, _BUILD_IDS_AT, _PATHS_AT = (
    span("crash_site", name, name).start for name in ("regions", "frames", "build_ids", "paths")
)
_REGION = only(
    "crash_region",
    *("start", "end", "offset", "inode", "file_bytes", "device", "file_system", "flags"),
    *("path_at", "path_bytes"),
)
_FRAME = only("crash_frame", "status", "build_id")
_SIGNAL_FRAME = 16 << 10
_USABLE = REGION_READABLE | REGION_WRITABLE | REGION_EXECUTABLE
_VALID = 1  # BPF_STACK_BUILD_ID_VALID, include/uapi/linux/bpf.h


class Region(NamedTuple):
    """A mapping of the process: [start, end), and what it maps.

    flags: enum crash_region_flags of event.h. offset: of its start in the file. The rest is of the
    file, and unset without REGION_HAS_FILE: path is None if it was not read or not complete;
    device, inode, size as stat() has them; file_system as statfs() has its type.
    """

    start: int
    end: int
    offset: int
    inode: int
    size: int
    device: int
    file_system: int
    flags: int
    path: str | None

    def has_file(self) -> bool:
        """Whether it maps a file."""
        return bool(self.flags & REGION_HAS_FILE)

    def has_code(self) -> bool:
        """Whether what is in it may be executed."""
        return bool(self.flags & REGION_EXECUTABLE)

    def is_usable(self) -> bool:
        """Whether what is in it may be read, written or executed."""
        return bool(self.flags & _USABLE)

    def in_file(self, address: int) -> int:
        """Return where in the file an address of the mapping is."""
        return address - self.start + self.offset


class Site(NamedTuple):
    """Where a thread was when a signal that dumps core ended its process.

    Attributes:
        thread: it took the signal.
        signal: the signal.
        boot_ns: when it took it, by the boot clock.
        address: of the fault; 0 if there was none.
        instruction: address of the instruction that had it, also if a handler had it before.
        heap: where the heap begins and ends.
        stack_start: the highest address of the first thread's stack.
        regions: the mappings that were found, and see written().
        frames: return addresses by frame pointers; the first is that of the instruction.
        build_ids: those of the files of these frames, as far as the kernel knows them.
        registers: by the names of x86; empty on other machines.
        memory_at, memory: a part of the stack, from its address on; maybe b"".
        stack: the frames of the stack, once they are resolved; None before.
        complete: whether the stack reaches the start of the thread; None if unknown.
        at: the place of the instruction, once it is resolved.
        link: on arm64 the register with the address to return to, if no call has changed it.
    """

    thread: Thread
    signal: int
    boot_ns: int
    address: int
    instruction: int
    heap: tuple[int, int]
    stack_start: int
    regions: tuple[Region, ...]
    frames: tuple[int, ...]
    build_ids: tuple[bytes | None, ...]
    registers: dict[str, int]
    memory_at: int
    memory: bytes
    stack: tuple[At, ...] | None = None
    complete: bool | None = None
    at: At | None = None
    link: int = 0

    def region(self, address: int) -> Region | None:
        """Return the mapping that an address is in, if it was found."""
        for one in self.regions:  # in a third of the time of next()
            if one.start <= address < one.end:
                return one
        return None

    def written(self) -> str | None:
        """Return the path of the file that the thread was to make too large; None if unknown."""
        return next((one.path for one in self.regions if one.flags & REGION_WRITTEN), None)

    def elsewhere(self, thread: Thread, instruction: int, address: int) -> "Site":
        """Return the site of a fault that the process had before, without its stack."""
        return self._replace(
            thread=thread,
            instruction=instruction,
            address=address,
            frames=(),
            build_ids=(),
            registers={},
            memory=b"",
        )

    def is_at_end_of_stack(self) -> bool | None:
        """Whether the stack pointer points to nothing, to a guard, or just above that.

        So it is if there was no room for a signal's frame, of at most 11 KiB (AVX-512, AMX); None
        if it is unknown. The first thread's stack grows: a mapping that begins near the pointer
        only says so if that stack has no limit.
        """
        pointer = self.registers.get("sp")
        if pointer is None or not self.regions:
            return None
        region = self.region(pointer)
        return region is None or not region.is_usable() or pointer - region.start < _SIGNAL_FRAME


_region: Callable[[tuple[Any, ...]], Region] = partial(tuple.__new__, Region)
"""Makes a region in a fraction of the time of Region(...)."""
_site: Callable[[tuple[Any, ...]], Site] = partial(tuple.__new__, Site)
_NOT_RESOLVED = (None, None, None)
_MEMORY = Site._fields.index("memory")


def resolved(site: Site, stack: tuple[At, ...], at: At | None, *, complete: bool) -> Site:
    """Return a site with its stack instead of the memory that it was in."""
    return _site((*site[:_MEMORY], b"", stack, complete, at, site.link))


def site(record: bytes) -> tuple[Process, Site]:
    """Return where a process crashed. Raises struct.error if the record is malformed."""
    (
        boot_ns,
        start_boot_ns,
        address,
        instruction,
        heap_start,
        heap_end,
        stack_start,
        ip,
        sp,
        bp,
        bx,
        r12,
        r13,
        r14,
        r15,
        link,
        stack_at,
        pid,
        thread,
        signal,
        flags,
        regions_count,
        frames_count,
        build_ids_count,
        stack_bytes,
        comm,
    ) = _site_head(record)
    if (
        len(record) != _SITE.size + stack_bytes
        or regions_count > MAX_REGIONS
        or frames_count > MAX_FRAMES
        or build_ids_count > MAX_FRAMES
    ):
        require(False)
    registers = {}
    if flags & SITE_HAS_REGISTERS:
        registers = {
            "bx": bx,
            "bp": bp,
            "sp": sp,
            "ip": ip,
            "r12": r12,
            "r13": r13,
            "r14": r14,
            "r15": r15,
        }
    found = _site(
        (
            Thread(thread, text(comm)),
            signal,
            boot_ns & ~NOTE,
            address,
            instruction,
            (heap_start, heap_end),
            stack_start,
            _regions(record, regions_count),
            unpack_from(f"={frames_count}Q", record, _FRAMES_AT),
            _build_ids(record[_BUILD_IDS_AT : _BUILD_IDS_AT + _FRAME.size * build_ids_count]),
            registers,
            stack_at,
            record[_SITE.size :],
            *_NOT_RESOLVED,
            link,
        )
    )
    return (pid, start_boot_ns), found


def _regions(record: bytes, count: int) -> tuple[Region, ...]:
    """Of processes that one program forks they are the same."""
    raw = record[_REGIONS_AT : _REGIONS_AT + _REGION.size * count]
    before, regions = _known.get(raw, (b"", ()))
    if regions and record.startswith(before, _PATHS_AT):
        return regions
    paths = record[_PATHS_AT : _SITE.size]
    found, end = [], 0
    for *known, path_at, path_bytes in _REGION.iter_unpack(raw):
        require(path_at + path_bytes <= len(paths))
        where = path(paths[path_at : path_at + path_bytes]) if path_bytes else None
        found.append(_region((*known, where)))
        end = max(end, path_at + path_bytes)
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    _known[raw] = paths[:end], tuple(found)
    return tuple(found)


_known: dict[bytes, tuple[bytes, tuple[Region, ...]]] = {}
"""By what is known of regions besides their paths: the bytes of the paths, and the regions."""
_MOST_KNOWN = 16  # each may have some 10 KB


@lru_cache(maxsize=256)  # most are those of one file
def _build_ids(raw: bytes) -> tuple[bytes | None, ...]:
    """The kernel pads a shorter one with zeros."""
    return tuple(
        [build_id if status == _VALID else None for status, build_id in _FRAME.iter_unpack(raw)]
    )
