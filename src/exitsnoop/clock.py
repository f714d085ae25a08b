"""Time: from the boot clock, which stamps exits, to the wall clock, and to text."""

import time
from functools import lru_cache

SECOND_NS = 1_000_000_000


def wall_offset_ns() -> int:
    """Return what to add, now, to a time of the boot clock to get nanoseconds since the epoch.

    To be asked when records are received, not once: the wall clock may be stepped.
    """
    before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    wall = time.clock_gettime_ns(time.CLOCK_REALTIME)
    after = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return wall - (before + after) // 2


@lru_cache(maxsize=16)
def _second_of_day(seconds: int, *, utc: bool) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(seconds) if utc else time.localtime(seconds))


def time_of_day(wall_ns: int, *, utc: bool) -> str:
    """Return "HH:MM:SS.mmm", local time unless utc."""
    seconds, nanoseconds = divmod(wall_ns, SECOND_NS)
    return f"{_second_of_day(seconds, utc=utc)}.{nanoseconds // 1_000_000:03}"


def zone_name(*, utc: bool) -> str:
    """Return the name of the zone that time_of_day uses, such as "CET" or "UTC"."""
    return "UTC" if utc else time.strftime("%Z")
