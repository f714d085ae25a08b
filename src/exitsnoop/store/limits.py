"""The bounds of a recording: size, free space, age."""

import os
from pathlib import Path
from typing import NamedTuple

from exitsnoop.store.directory import SEGMENTS

LEAST_BYTES = 16 << 20
_GIB = 1 << 30
_DAY_S = 86_400
# Shares of the bound: all segments 84 %, of which one is only half full as a rule; kept.db 12 %;
# the ballast 1.5 %. The rest is for logs.
_SEGMENT = 0.84 / SEGMENTS
_KEPT = 0.12
_BALLAST = 0.015


class Limits(NamedTuple):
    """The bounds of a recording.

    Attributes:
        max_bytes: of all files together, at least LEAST_BYTES.
        keep_free: bytes to leave free on the file system.
        max_age_s: exits that are older are removed.
    """

    max_bytes: int
    keep_free: int
    max_age_s: float

    @classmethod
    def checked(
        cls,
        path: Path,
        max_bytes: int | None = None,
        keep_free: int | None = None,
        max_age_s: float | None = None,
    ) -> "Limits":
        """Return the limits, by default those for the file system that holds the path.

        The defaults: 1 GiB or 2 % of the file system, whichever is less; 5 % kept free; 30 days.

        Raises ValueError if one is too small.
        """
        found = os.statvfs(path)
        total = found.f_frsize * found.f_blocks
        limits = cls(
            max(LEAST_BYTES, min(_GIB, total // 50)) if max_bytes is None else max_bytes,
            total // 20 if keep_free is None else keep_free,
            30 * _DAY_S if max_age_s is None else max_age_s,
        )
        if limits.max_bytes < LEAST_BYTES:
            raise ValueError(f"a recording needs at least {LEAST_BYTES >> 20} MiB")
        if limits.keep_free < 0 or limits.max_age_s <= 0:
            raise ValueError("exits must be kept for more than 0 s, and room cannot be negative")
        return limits

    def allowed(self, path: Path, used: int) -> int:
        """Return how many bytes all files may have now, as the file system must keep some free."""
        found = os.statvfs(path)
        free = found.f_frsize * found.f_bavail
        return max(LEAST_BYTES // 4, min(self.max_bytes, used + free - self.keep_free))


def segment_bytes(allowed: int) -> int:
    """Return the size at which a segment is full."""
    return int(allowed * _SEGMENT)


def kept_bytes(allowed: int) -> int:
    """Return the most that kept.db may have."""
    return int(allowed * _KEPT)


def ballast_bytes(allowed: int) -> int:
    """Return the size of the ballast."""
    return min(8 << 20, int(allowed * _BALLAST))
