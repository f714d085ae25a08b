"""What was not recorded, in words."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.recorded import OFFSET_NS, SECOND_NS, SMALL, START_NS, exits, writer

from exitsnoop.reports import gaps
from exitsnoop.store.coverage import Gap
from exitsnoop.store.directory import Directory
from exitsnoop.store.recording import Recording

NOW = 1_789_997_600 * SECOND_NS  # 2026-09-21 13:33:20 UTC
MINUTE = 60 * SECOND_NS


@pytest.fixture(autouse=True)
def _utc() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC0")
        time.tzset()
        yield
    time.tzset()


def before(minutes: float, lasting_s: float, why: str, lost: int | None = None) -> Gap:
    """A gap that began some minutes ago."""
    begin = NOW - round(minutes * MINUTE)
    return Gap(begin, begin + round(lasting_s * SECOND_NS), why, lost)


def missing(recording: Recording, from_ns: int, to_ns: int) -> list[str]:
    found, some = recording.gaps(from_ns, to_ns), recording.filtered(from_ns, to_ns)
    return gaps.missing(recording, found, some, from_ns, NOW)


@pytest.mark.parametrize(
    ("gap", "line"),
    [
        (
            before(63, 120, "reboot"),
            "nothing was recorded from 12:30:20 to 12:32:20 today (reboot)",
        ),
        (
            before(63, 120, "stopped, then reboot"),
            "nothing was recorded from 12:30:20 to 12:32:20 today "
            "(the recorder was stopped, then reboot)",
        ),
        (
            before(1, 60, "killed"),
            "nothing was recorded since 13:32:20 today (the recorder was killed)",
        ),
        (
            before(1, 59.7, "killed"),  # the next recorder has begun just now
            "nothing was recorded from 13:32:20 to 13:33:19 today (the recorder was killed)",
        ),
        (
            Gap(0, NOW - MINUTE, "not recording", None),
            "nothing was recorded before 13:32:20 today (the recording had not begun)",
        ),
        (
            before(60 * 24, 5, "disk full", 1234),
            "1,234 exits from 13:33:20 to 13:33:25 yesterday are missing (the disk was full)",
        ),
        (
            before(60 * 24 * 5, 0, "overflow", 1),
            "1 exit at 2026-09-16 13:33:20 is missing (they came too fast to be read)",
        ),
        (
            before(10, 60, "\033[2Jcannot\nread"),
            r"nothing was recorded from 13:23:20 to 13:24:20 today (\033[2Jcannot\nread)",
        ),
    ],
)
def test_a_gap(gap: Gap, line: str) -> None:
    assert gaps.described([gap], NOW) == [line]


def test_losses_that_are_near_are_one_line() -> None:
    found = [
        *(before(30 - second / 60, 1, "overflow", 10) for second in range(100)),
        before(29.5, 1, "disk full", 5),
        before(20, 1, "overflow", 1),
        before(29, 1, "reboot"),
        before(28.9, 1, "reboot"),
    ]
    assert gaps.described(found, NOW) == [
        "1,000 exits from 13:03:20 to 13:05:00 today are missing (they came too fast to be read)",
        "5 exits from 13:03:50 to 13:03:51 today are missing (the disk was full)",
        "nothing was recorded from 13:04:20 to 13:04:21 today (reboot)",
        "nothing was recorded from 13:04:26 to 13:04:27 today (reboot)",
        "1 exit from 13:13:20 to 13:13:21 today is missing (they came too fast to be read)",
    ]


def test_many_gaps_are_some_lines() -> None:
    found = [before(100 - minute, 5, "reboot") for minute in range(17)]
    lines = gaps.described(found, NOW)
    assert len(lines) == 6
    assert lines[0] == "12 more gaps are before these, since 11:53:20 today"
    assert lines[1] == "nothing was recorded from 12:05:20 to 12:05:25 today (reboot)"
    assert gaps.described(found[:6], NOW)[0] == "1 more gap is before these, since 11:53:20 today"
    assert gaps.described([], NOW) == []


def test_what_was_dropped_and_damaged(store: Path) -> None:
    recorder = writer(store, limits=SMALL)
    start = START_NS + OFFSET_NS
    recorder.add(exits(range(1000)))
    recorder.commit()
    whole = Recording(store)
    assert whole.complete_since() is None
    assert missing(whole, start, start + 1) == []
    for first in range(1000, 120_000, 1000):
        recorder.add(exits(range(first, first + 1000)))
    recorder.close()
    recording = Recording(store)
    oldest = recording.status().oldest_ns
    assert oldest is not None
    assert recording.complete_since() == oldest
    end = start + 119_999_000
    assert missing(recording, oldest, end) == []
    (line,) = missing(recording, oldest - 1, end)
    assert line == (
        "exits before 15:36:40 today were dropped, for their age or to make room; "
        "at most the last failures of each group are left"
    )
    segments = Directory(store).segments()
    broken = segments[max(segments)]
    broken.write_bytes(b"\0" * 8192)
    recording = Recording(store)
    assert missing(recording, oldest, oldest)[-1] == (
        f"{broken} is damaged or cannot be read: exits in it are missing"
    )
