"""Times that people write and read, in zones that change their clocks."""

import datetime
import itertools
import operator
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.recorded import FUZZ

from exitsnoop.host.clock import SECOND_NS
from exitsnoop.reports import when
from exitsnoop.reports.when import moment

BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3"
ZONES = {
    "UTC0",
    BERLIN,
    "EST5EDT,M3.2.0,M11.1.0",
    "AEST-10AEDT,M10.1.0,M4.1.0/3",
    "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",  # by half an hour
    "<-04>4<-03>,M9.1.6/24,M4.1.6/24",  # at midnight
    "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",  # on the day before
    "IST-5:30",
    "NZST-12NZDT,M9.5.0,M4.1.0/3",
}
DAY_NS = 86_400 * SECOND_NS
AGAIN = "2026-10-25"  # in Berlin the clock is set back to 02:00 at 03:00
SKIPPED = "2026-03-29"  # and forward to 03:00 at 02:00


@pytest.fixture
def zone() -> Iterator[Callable[[str], None]]:
    with pytest.MonkeyPatch.context() as patch:

        def choose(name: str) -> None:
            patch.setenv("TZ", name)
            time.tzset()

        yield choose
    time.tzset()


def utc(text: str) -> int:
    """A time in UTC, as nanoseconds since the epoch."""
    return round(datetime.datetime.fromisoformat(f"{text}+00:00").timestamp()) * SECOND_NS


NOW = utc("2026-11-26 11:30:00") + 250_000_000  # a Thursday, 12:30 in Berlin


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("now", NOW),
        ("2h", NOW - 7200 * SECOND_NS),
        ("2h ago", NOW - 7200 * SECOND_NS),
        ("-2h", NOW - 7200 * SECOND_NS),
        ("90s", NOW - 90 * SECOND_NS),
        ("1h30m", NOW - 5400 * SECOND_NS),
        ("1 h 30 min ago", NOW - 5400 * SECOND_NS),
        ("1.5h", NOW - 5400 * SECOND_NS),
        ("0.25s", NOW - 250_000_000),
        ("2 days ago", NOW - 2 * DAY_NS),
        ("1 Week", NOW - 7 * DAY_NS),
        ("today", utc("2026-11-25 23:00:00")),
        ("yesterday", utc("2026-11-24 23:00:00")),
        ("03:10", utc("2026-11-26 02:10:00")),
        ("3:10", utc("2026-11-26 02:10:00")),
        ("03:10:05", utc("2026-11-26 02:10:05")),
        ("03:10:05.5", utc("2026-11-26 02:10:05") + 500_000_000),
        ("12:30", utc("2026-11-26 11:30:00")),
        ("12:30:01", utc("2026-11-25 11:30:01")),
        ("23:59", utc("2026-11-25 22:59:00")),
        ("11:29Z", utc("2026-11-26 11:29:00")),
        ("11:31Z", utc("2026-11-25 11:31:00")),
        ("00:10+13:00", utc("2026-11-26 11:10:00")),
        ("yesterday 03:10", utc("2026-11-25 02:10:00")),
        ("03:10 yesterday", utc("2026-11-25 02:10:00")),
        ("today 23:10", utc("2026-11-26 22:10:00")),
        ("2026-11-26", utc("2026-11-25 23:00:00")),
        ("2026-11-26 03:10", utc("2026-11-26 02:10:00")),
        ("2026-11-26 03:10:05", utc("2026-11-26 02:10:05")),
        ("2026-11-26 03:10:05.123", utc("2026-11-26 02:10:05") + 123_000_000),
        ("2026-11-26T03:10:05,000000001", utc("2026-11-26 02:10:05") + 1),
        ("2026-11-26T03:10:05Z", utc("2026-11-26 03:10:05")),
        ("2026-11-26t03:10:05.5z", utc("2026-11-26 03:10:05") + 500_000_000),
        ("2026-11-26 03:10:05 UTC", utc("2026-11-26 03:10:05")),
        ("2026-11-26T03:10:05-07:00", utc("2026-11-26 10:10:05")),
        ("2026-11-26T03:10:05+0530", utc("2026-11-25 21:40:05")),
        ("@1764200000", 1_764_200_000 * SECOND_NS),
        ("@1764200000.5", 1_764_200_000 * SECOND_NS + 500_000_000),
        ("  2026-07-01   00:00 ", utc("2026-06-30 22:00:00")),
    ],
)
def test_what_people_write(text: str, meant: int, zone: Callable[[str], None]) -> None:
    zone(BERLIN)
    assert moment(text, NOW) == moment(text, NOW, latest=True) == meant


@pytest.mark.parametrize(
    "text",
    [
        *("", "soon", "12", "3", "h", "2x", "2h3", "1:2", "24:00", "23:60", "12:30:60", "now ago"),
        *("2026-13-01", "2026-02-29", "2026-11-26 ", "26-11-26", "2026-11-26 3", "2026-11-26Z"),
        *("today 03:10 today", "yesterday 03:10 2026-11-26", "2026-11-26 03:10+25:00", "@", "@-1"),
        *("1969-12-31", "2300-01-01", "99999999 days ago", "@99999999999", "٣h", "0x10s"),
    ],
)
def test_what_is_not_a_time(text: str, zone: Callable[[str], None]) -> None:
    zone(BERLIN)
    if text == "2026-11-26 ":  # spaces do not count
        assert moment(text, NOW) == utc("2026-11-25 23:00:00")
        return
    with pytest.raises(ValueError, match="is not a time") as refusal:
        moment(text, NOW)
    assert str(refusal.value).startswith(repr(text))


def test_a_refusal_lists_the_forms() -> None:
    with pytest.raises(ValueError, match="'soon' is not a time: write 2h, 90s or 1h30m"):
        moment("soon", NOW)
    with pytest.raises(ValueError, match="day is out of range for month"):
        moment("2026-02-29", NOW)


def test_a_time_that_the_clock_shows_twice(zone: Callable[[str], None]) -> None:
    zone(BERLIN)
    first, second = utc(f"{AGAIN} 00:30:00"), utc(f"{AGAIN} 01:30:00")
    for text in (f"{AGAIN} 02:30", "02:30", "today 02:30"):
        now = utc(f"{AGAIN} 12:00:00")
        assert moment(text, now) == first
        assert moment(text, now, latest=True) == second
    assert moment("02:30", second - SECOND_NS, latest=True) == first
    assert moment("02:30", first - SECOND_NS) == first - DAY_NS
    assert moment("2h", second + 3600 * SECOND_NS) == first
    assert when.local(first, second) == "02:30:00+02:00 today"
    assert when.local(second, second) == "02:30:00+01:00 today"
    assert when.local(second + 1800 * SECOND_NS, second) == "03:00:00 today"


def test_a_time_that_the_clock_skips(zone: Callable[[str], None]) -> None:
    zone(BERLIN)
    step = utc(f"{SKIPPED} 01:00:00")
    for text in (f"{SKIPPED} 02:00", f"{SKIPPED} 02:30:10.5", f"{SKIPPED} 02:59:59", "today 02:30"):
        assert moment(text, step + 5 * SECOND_NS) == step, text
        assert moment(text, step + 5 * SECOND_NS, latest=True) == step, text
    assert moment("02:30", step + SECOND_NS) == utc("2026-03-28 01:30:00")  # when it was shown last
    assert moment(f"{SKIPPED} 03:00", step) == step


def changes() -> list[datetime.datetime]:
    """The local times from which on the clock of the zone is changed in a year."""
    begin = utc("2026-01-01 00:00:00") // SECOND_NS
    hours = [time.localtime(begin + 3600 * hour) for hour in range(365 * 24)]
    return [
        datetime.datetime(*after[:5])
        for before, after in itertools.pairwise(hours)
        if before.tm_gmtoff != after.tm_gmtoff
    ]


@pytest.mark.parametrize("name", sorted(ZONES))
def test_a_local_time_is_what_other_programs_say(name: str, zone: Callable[[str], None]) -> None:
    """Of Python's datetime, with both folds; and of the date command, for some."""
    zone(name)

    near = [at + datetime.timedelta(hours=by) for at in changes() for by in (-2, -1, 0)]
    anywhere = st.datetimes(datetime.datetime(1971, 1, 1), datetime.datetime(2100, 1, 1))
    a_change = st.sampled_from(near or [datetime.datetime(2026, 1, 1)])
    in_an_hour = st.timedeltas(datetime.timedelta(), datetime.timedelta(hours=1))

    @FUZZ
    @given(st.one_of(anywhere, st.builds(operator.add, a_change, in_an_hour)))
    def check(local: datetime.datetime) -> None:
        text = local.isoformat(" ")
        folds = [local.replace(fold=fold).astimezone(datetime.timezone.utc) for fold in (0, 1)]
        shown = [at for at in folds if at.astimezone().replace(tzinfo=None) == local]
        if not shown:  # the clock skips it: it was set forward by at most some hours
            found = moment(text, NOW)
            before, after = (
                datetime.datetime.fromtimestamp(found // SECOND_NS + by) for by in (-1, 0)
            )
            assert before < local < after
            assert found == moment(text, NOW, latest=True)
            return
        epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
        exact = [(at - epoch) // datetime.timedelta(microseconds=1) * 1000 for at in shown]
        assert moment(text, NOW) == exact[0]
        assert moment(text, NOW, latest=True) == exact[-1]

    check()
    for local in ("2026-03-29 00:00:01", "2026-07-01 12:00:00", "2026-10-04 04:00:00"):
        told = subprocess.check_output(["date", "-d", local, "+%s"], text=True)
        assert moment(local, NOW) == int(told) * SECOND_NS


@pytest.mark.parametrize("name", sorted(ZONES))
def test_what_is_shown_can_be_written(name: str, zone: Callable[[str], None]) -> None:
    zone(name)

    @FUZZ
    @given(
        st.integers(utc("2025-01-01 00:00:00"), utc("2027-01-01 00:00:00")),
        st.integers(0, 3 * DAY_NS),
        st.booleans(),
    )
    def check(now: int, back: int, latest: bool) -> None:
        text = when.local(now - back, now)
        assert moment(text, now, latest=latest) == (now - back) // SECOND_NS * SECOND_NS, text

    check()
    for hour in range(366 * 24):
        at = utc("2026-01-01 00:00:00") + hour * 3600 * SECOND_NS + 1800 * SECOND_NS
        assert moment(when.local(at, NOW), NOW) == at


@pytest.mark.parametrize("name", sorted(ZONES))
def test_a_time_of_day_is_the_last_one_shown(name: str, zone: Callable[[str], None]) -> None:
    zone(name)

    @FUZZ
    @given(
        st.integers(utc("2026-01-01 00:00:00"), utc("2027-01-01 00:00:00")), st.integers(0, 1439)
    )
    def check(now: int, minute: int) -> None:
        clock = f"{minute // 60:02}:{minute % 60:02}"
        at = now // (60 * SECOND_NS) * 60
        while time.strftime("%H:%M", time.localtime(at)) != clock:
            at -= 60
        assert moment(clock, now, latest=True) == at * SECOND_NS
        assert moment(clock, now) in (at * SECOND_NS, _first_that_day(at) * SECOND_NS)

    check()


def _first_that_day(shown: int) -> int:
    """When the clock showed the same time of the same day first."""
    for earlier in (1800, 3600):
        if time.localtime(shown - earlier)[:6] == time.localtime(shown)[:6]:
            return shown - earlier
    return shown


@pytest.mark.parametrize(
    ("ns", "words"),
    [
        (0, "0 s"),
        (1_500_000, "1.5 ms"),
        (350_000_000, "0.3 s"),
        (1_960_000_000, "1.9 s"),
        (10 * SECOND_NS, "10 s"),
        (119 * SECOND_NS, "119 s"),
        (125 * SECOND_NS, "2 min"),
        (7199 * SECOND_NS, "119 min"),
        (7200 * SECOND_NS, "2 h"),
        (2 * DAY_NS - 1, "47 h"),
        (2 * DAY_NS, "2 d"),
    ],
)
def test_a_length(ns: int, words: str) -> None:
    assert when.length(ns) == words


def test_how_long_ago(zone: Callable[[str], None]) -> None:
    zone(BERLIN)
    assert when.local_and_ago(NOW - 720 * SECOND_NS, NOW) == "12:18:00 today, 12 min ago"
    assert when.local_and_ago(NOW - DAY_NS, NOW) == "12:30:00 yesterday, 24 h ago"
    assert when.local_and_ago(NOW - 6 * DAY_NS, NOW) == "2026-11-20 12:30:00, 6 d ago"
    ahead = when.local_and_ago(NOW + 300 * SECOND_NS, NOW)
    assert ahead == "12:35:00 today, by a clock 5 min ahead of this one"
    assert when.ago(NOW - 900_000_000, NOW) == when.ago(NOW + 1, NOW) == "just now"


def test_a_stretch(zone: Callable[[str], None]) -> None:
    zone(BERLIN)
    minute = 60 * SECOND_NS
    assert when.span(NOW - minute, NOW, NOW) == "from 12:29:00 to 12:30:00 today"
    assert when.span(NOW - DAY_NS, NOW, NOW) == "from 12:30:00 yesterday to 12:30:00 today"
    assert (
        when.span(NOW - 3 * DAY_NS - minute, NOW - 3 * DAY_NS, NOW)
        == "from 2026-11-23 12:29:00 to 12:30:00"
    )
