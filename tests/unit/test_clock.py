"""Times as text."""

import datetime
import time
from collections.abc import Iterator

import pytest

from exitsnoop.host import clock


@pytest.fixture
def berlin() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
        time.tzset()
        yield
    time.tzset()


def nanoseconds(utc: str) -> int:
    return int(datetime.datetime.fromisoformat(utc + "+00:00").timestamp()) * clock.SECOND_NS


def time_of_day(wall_ns: int, *, utc: bool) -> str:
    (text,) = clock.times_of_day([wall_ns], utc=utc)
    return text


def test_utc() -> None:
    assert time_of_day(nanoseconds("2026-03-29 00:59:59") + 999_999_999, utc=True) == "00:59:59.999"
    assert clock.zone_name(utc=True) == "UTC"


@pytest.mark.usefixtures("berlin")
def test_local_time_follows_the_change_to_summer_time() -> None:
    before = nanoseconds("2026-03-29 00:59:59")
    assert time_of_day(before, utc=False) == "01:59:59.000"
    assert time_of_day(before + clock.SECOND_NS, utc=False) == "03:00:00.000"


def test_offset_is_that_of_this_moment() -> None:
    before = time.time_ns()
    now = time.clock_gettime_ns(time.CLOCK_BOOTTIME) + clock.wall_offset_ns()
    assert before - 10_000_000 <= now <= time.time_ns() + 10_000_000


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(
    ("begin", "end", "zone"),
    [
        ("2026-10-25 00:59", "2026-10-25 01:01", "CEST/CET"),
        ("2026-03-29 00:59", "2026-03-29 01:01", "CET/CEST"),
        ("2026-01-01 00:00", "2026-01-02 00:00", "CET"),
        ("2025-01-01 00:00", "2026-01-01 00:00", "CET/CEST"),
        ("2026-07-01 00:00", "2026-07-01 00:00", "CEST"),
    ],
)
def test_the_zones_of_a_stretch(begin: str, end: str, zone: str) -> None:
    between = (nanoseconds(begin), nanoseconds(end))
    assert clock.zone_name(utc=False, between=between) == zone
    assert clock.zone_name(utc=True, between=between) == "UTC"
