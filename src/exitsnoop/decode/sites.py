"""Where a process crashed: bytes -> Site."""

from struct import unpack_from
from typing import NamedTuple

from exitsnoop.decode.notes import Process, path, require, text
from exitsnoop.decode.structs import only, whole
from exitsnoop.layout import (
    NOTE,
    REGION_EXECUTABLE,
    REGION_HAS_FILE,
    REGION_READABLE,
    REGION_WRITABLE,
    SITE_HAS_REGISTERS,
    STRUCTS,
)
from exitsnoop.model.cause import At, Thread

_SITE = whole("crash_site")
_FIELDS = tuple(STRUCTS["crash_site"])
_REGION = only("crash_region", *STRUCTS["crash_region"])
_FRAME = whole("crash_frame")
_SIGNAL_FRAME = 16 << 10
_USABLE = REGION_READABLE | REGION_WRITABLE | REGION_EXECUTABLE
_VALID = 1  # BPF_STACK_BUILD_ID_VALID, include/uapi/linux/bpf.h
_REGISTERS = ("bx", "bp", "sp", "r12", "r13", "r14", "r15", "ip")


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
        regions: the mappings that were found.
        frames: return addresses by frame pointers; the first is that of the instruction.
        build_ids: those of the files of these frames, as far as the kernel knows them.
        registers: by the names of x86; empty on other machines.
        memory_at, memory: a part of the stack, from its address on; maybe b"".
        stack: the frames of the stack, once they are resolved; None before.
        complete: whether the stack reaches the start of the thread; None if unknown.
        at: the place of the instruction, once it is resolved.
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

    def region(self, address: int) -> Region | None:
        """Return the mapping that an address is in, if it was found."""
        return next((one for one in self.regions if one.start <= address < one.end), None)

    def is_at_end_of_stack(self) -> bool:
        """Whether the stack pointer points to nothing, to a guard, or just above that.

        So it is if there was no room for a signal's frame, of at most 11 KiB (AVX-512, AMX).
        """
        pointer = self.registers.get("sp")
        if pointer is None or not self.regions:
            return False
        region = self.region(pointer)
        return region is None or not region.is_usable() or pointer - region.start < _SIGNAL_FRAME


def site(record: bytes) -> tuple[Process, Site]:
    """Return where a process crashed. Raises struct.error if the record is malformed."""
    known = dict(zip(_FIELDS, _SITE.unpack_from(record), strict=True))
    memory = record[_SITE.size :]
    frames, regions = known["frames_count"], known["regions_count"]
    require(len(memory) == known["stack_bytes"])
    require(8 * frames <= len(known["frames"]))
    require(_REGION.size * regions <= len(known["regions"]))
    require(_FRAME.size * known["build_ids_count"] <= len(known["build_ids"]))
    has_registers = known["flags"] & SITE_HAS_REGISTERS
    found = Site(
        Thread(known["thread"], text(known["thread_comm"])),
        known["signal"],
        known["boot_ns"] & ~NOTE,
        known["address"],
        known["instruction"],
        (known["heap_start"], known["heap_end"]),
        known["stack_start"],
        tuple(_region(known, at) for at in range(0, regions * _REGION.size, _REGION.size)),
        unpack_from(f"={frames}Q", known["frames"]),
        tuple(_build_id(known, number) for number in range(known["build_ids_count"])),
        {name: known[name] for name in _REGISTERS} if has_registers else {},
        known["stack_at"],
        memory,
    )
    return (known["pid"], known["start_boot_ns"]), found


def _region(known: dict[str, bytes], at: int) -> Region:
    start, end, offset, inode, size, device, file_system, flags, path_at, path_bytes = (
        _REGION.unpack_from(known["regions"], at)
    )
    require(path_at + path_bytes <= len(known["paths"]))
    where = path(known["paths"][path_at : path_at + path_bytes])
    return Region(start, end, offset, inode, size, device, file_system, flags, where)


def _build_id(known: dict[str, bytes], number: int) -> bytes | None:
    """The kernel pads a shorter one with zeros."""
    status, build_id, _ = _FRAME.unpack_from(known["build_ids"], number * _FRAME.size)
    return build_id if status == _VALID else None
