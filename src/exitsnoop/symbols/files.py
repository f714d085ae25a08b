"""The file that a process had mapped, found again, or none: never another one."""

import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from exitsnoop.decode.sites import Region
from exitsnoop.symbols.elf import BadFile, Elf, FileBytes

# include/uapi/linux/magic.h: stat() has another device there than the kernel has for the inode.
_OTHER_DEVICE = {0x794C7630, 0x9123683E, 0xCA451A4E}  # overlay, btrfs, bcachefs
_TICK_NS = 20_000_000  # the time of a change may be behind by a tick of the kernel
_ID_BYTES = 20  # the kernel pads a shorter one with zeros


class Module(NamedTuple):
    """A file that was mapped, and is open.

    fd: its descriptor. key: identifies the file, for what is remembered about it.
    """

    elf: Elf
    build_id: str | None
    fd: int
    key: tuple[int, int, int, int]


class Roots(NamedTuple):
    """Where to look for the files of a process that may have ended.

    pid, ppid: the process and its parent, which most often has the same view of the files.
    """

    pid: int
    ppid: int

    def paths(self, path: str) -> Iterator[str]:
        """Yield the paths to try."""
        for one in (self.pid, self.ppid):
            yield f"/proc/{one}/root{path}"
        yield path
        yield f"/proc/1/root{path}"  # a service may have a view of its own


class OpenFiles:
    """The files of regions. They stay open until close(): many processes crash in the same ones."""

    def __init__(self) -> None:
        self._found: dict[object, Module] = {}
        self._absent: set[object] = set()
        self._fds: list[int] = []

    def __len__(self) -> int:
        return len(self._fds) + len(self._absent)

    def module(
        self, region: Region, build_id: bytes | None, roots: Roots, crashed_ns: int
    ) -> Module | None:
        """Return the file of a region; None if it cannot be found.

        It is the right one if its build ID is the one that the process had. Where the kernel does
        not know that, it is the same inode, and has not been changed since.

        Args:
            region: the mapping.
            build_id: what the kernel found in memory.
            roots: where to look.
            crashed_ns: when the process crashed, by the wall clock.
        """
        file = (region.inode, region.size, region.device, region.file_system)
        key = (*file, region.path, build_id, roots.ppid)
        known = self._found.get(key)
        if known:
            status = os.fstat(known.fd)
            if _key(status) == known.key and (build_id or _is_older(status, crashed_ns)):
                return known
        if key in self._absent or not region.path:
            return None
        is_anything_there = False
        for path in roots.paths(region.path):
            fd = _opened(path)
            if fd is None:
                continue
            is_anything_there = True
            module = _same(fd, region, build_id, crashed_ns)
            if module:
                self._fds.append(fd)
                self._found[key] = module
                return module
            os.close(fd)
        if not is_anything_there:
            self._absent.add(key)
        return None

    def close(self) -> None:
        """Close all, and forget what was not there."""
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()
        self._found.clear()
        self._absent.clear()


def _key(status: os.stat_result) -> tuple[int, int, int, int]:
    """Not the build ID: any file may claim that of another one."""
    return status.st_dev, status.st_ino, status.st_size, status.st_ctime_ns


def _is_older(status: os.stat_result, crashed_ns: int) -> bool:
    return status.st_ctime_ns < crashed_ns - _TICK_NS


def _opened(path: str) -> int | None:
    """Open a regular file. Nothing else is opened: that starts a watchdog, or wakes up a writer."""
    try:
        at = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    try:
        if stat.S_ISREG(os.fstat(at).st_mode):
            return os.open(f"/proc/self/fd/{at}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        pass
    finally:
        os.close(at)
    return None


def _same(fd: int, region: Region, build_id: bytes | None, crashed_ns: int) -> Module | None:
    try:
        status = os.fstat(fd)
        elf = Elf(FileBytes(fd))
        own = elf.build_id()
    except (BadFile, OSError):
        return None
    same_device = (
        status.st_dev == _device(region)
        or region.file_system in _OTHER_DEVICE
        # What was mapped may be a file of a layer, what is opened that of the overlay.
        or os.major(status.st_dev) == 0
    )
    is_same = (
        own is not None and own[:_ID_BYTES].ljust(_ID_BYTES, b"\0") == build_id
        if build_id
        else (status.st_ino, status.st_size) == (region.inode, region.size)
        and same_device
        and _is_older(status, crashed_ns)
    )
    if not is_same:
        return None
    return Module(elf, own.hex() if own else None, fd, _key(status))


def _device(region: Region) -> int:
    """The kernel has 20 bits for the minor number, and 12 for the major one."""
    return os.makedev(region.device >> 20, region.device & 0xFFFFF)
