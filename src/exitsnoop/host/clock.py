"""Time: from the boot clock, which gives exits their time, to the wall clock and to text."""

import time
from collections.abc import Iterable
from functools import lru_cache

SECOND_NS = 1_000_000_000
_SEASON_S = 60 * 86_400  # summer time lasts longer, and so does winter time
_MOST_SEASONS = 100


def wall_offset_ns() -> int:
    """Return the difference of the wall clock (nanoseconds since the epoch) and the boot clock.

    Call it whenever records are received, because the wall clock may be stepped.
    """
    before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    wall = time.clock_gettime_ns(time.CLOCK_REALTIME)
    after = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return wall - (before + after) // 2


@lru_cache(maxsize=16)
def _second_of_day(seconds: int, *, utc: bool) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(seconds) if utc else time.localtime(seconds))


def times_of_day(times: Iterable[int], *, utc: bool) -> list[str]:
    """Return nanoseconds since the epoch as "HH:MM:SS.mmm", local time unless utc."""
    return [
        f"{_second_of_day(wall_ns // SECOND_NS, utc=utc)}.{wall_ns // 1_000_000 % 1000:03}"
        for wall_ns in times
    ]


def zone_name(*, utc: bool, between: tuple[int, int] | None = None) -> str:
    """Return the name of the zone that times_of_day uses, such as "CET" or "UTC".

    between: nanoseconds since the epoch, of which the names are wanted: "CEST/CET", if the clock
    was set to winter time in between. By default now.
    """
    if utc:
        return "UTC"
    if between is None:
        return time.strftime("%Z")
    begin, end = (ns // SECOND_NS for ns in between)
    seconds = [*range(begin, end, max(_SEASON_S, (end - begin) // _MOST_SEASONS)), end]
    return "/".join(dict.fromkeys(time.strftime("%Z", time.localtime(at)) for at in seconds))
