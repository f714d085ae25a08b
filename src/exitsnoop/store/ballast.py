"""Space that is reserved for the time when the disk is full."""

import contextlib
import os
from pathlib import Path

from exitsnoop.store import directory
from exitsnoop.store.limits import Limits, ballast_bytes


class Ballast:
    """A file of which nothing is needed but its space."""

    def __init__(self, directory_: Path, limits: Limits) -> None:
        self._path = directory_ / "ballast"
        self._limits = limits

    def make(self) -> None:
        """Reserve the space, if there is some now."""
        size = ballast_bytes(self._limits.max_bytes)
        found = os.statvfs(self._path.parent)
        is_little = found.f_frsize * found.f_bavail < self._limits.keep_free + size
        if self._path.exists() or is_little:
            return
        with contextlib.suppress(OSError):
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
            try:
                os.posix_fallocate(file, 0, size)
            finally:
                os.close(file)
            directory.give_to_adm(self._path)

    def release(self) -> bool:
        """Free the space; return whether there was some. Raises OSError."""
        is_there = self._path.exists()
        if is_there:
            self._path.unlink()
        return is_there
