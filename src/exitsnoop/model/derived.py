"""Fields that are made of others: the time, the age, the name."""

import time
from functools import lru_cache
from operator import sub

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

SECOND_NS = 1_000_000_000


def age(boot_ns: int, start_boot_ns: int) -> float:
    """Return the seconds between two times in nanoseconds, to the microsecond."""
    return (boot_ns - start_boot_ns) // 1000 / 1_000_000


def ages(boot_ns: "Iterable[int]", start_boot_ns: "Iterable[int]") -> list[float]:
    """Return age() of each."""
    return [lifetime // 1000 / 1_000_000 for lifetime in map(sub, boot_ns, start_boot_ns)]


def name(raw_comm: bytes) -> str:
    """Return the name in the kernel's 16 bytes; invalid UTF-8 is U+FFFD."""
    return raw_comm.partition(b"\0")[0].decode("utf-8", "replace")


def moment(wall_ns: int) -> "datetime":
    """Return nanoseconds since the epoch as a time in UTC, to the microsecond."""
    from datetime import datetime, timedelta, timezone  # slow to import

    epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
    return epoch + timedelta(microseconds=wall_ns // 1000)


@lru_cache(maxsize=16)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def timestamps(times: "Sequence[int]") -> list[str]:
    """Return nanoseconds since the epoch as "2026-11-23T06:13:40.123456Z" (RFC 3339)."""
    micros = [wall_ns // 1000 for wall_ns in times]
    second = min(micros, default=0) // 1_000_000
    if max(micros, default=0) // 1_000_000 == second:  # most often, so it is written once
        start = second * 1_000_000
        return [*map(f"{_second(second)}.%06dZ".__mod__, [micro - start for micro in micros])]
    return [f"{_second(micro // 1_000_000)}.{micro % 1_000_000:06}Z" for micro in micros]
