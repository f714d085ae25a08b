"""Times as people write and read them: "2h", "yesterday 03:10"; "02:57:13 today, 12 min ago".

Local time is the time of $TZ, or else of /etc/localtime. Times are nanoseconds since the epoch.
"""

import re
import time
from datetime import date

from exitsnoop.host.clock import SECOND_NS

FORMS = (
    "2h, 90s or 1h30m (that long ago), now, today, yesterday, 03:10, 03:10:05, 'yesterday 03:10', "
    "2026-11-26, '2026-11-26 03:10', 2026-11-26T03:10:05Z, @1764200000"
)
"""What moment() reads, for people."""

_DAY_S = 86_400
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_END_NS = 1 << 63  # SQLite has no greater number; it is in the year 2262
_LATEST_DAYS = 4  # so many days back, every clock has shown every time of the day

_UNITS = {
    name: seconds
    for names, seconds in {
        "s sec second seconds": 1,
        "m min minute minutes": 60,
        "h hour hours": 3600,
        "d day days": _DAY_S,
        "w week weeks": 7 * _DAY_S,
    }.items()
    for name in names.split()
}
_PART = re.compile(
    rf"(\d+)(?:\.(\d{{1,9}}))? ?({'|'.join(sorted(_UNITS, key=len, reverse=True))})(?![a-z])",
    re.ASCII,
)
_EPOCH = re.compile(r"@(\d+)(?:\.(\d{1,9}))?", re.ASCII)
_CALENDAR = re.compile(
    r"(?:(?P<day>today|yesterday|\d{4}-\d\d-\d\d)(?:[t ](?=\d)|$))?"
    r"(?:(?P<hour>\d\d?):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"(?: ?(?P<zone>z|utc|[+-]\d\d:?\d\d))?(?: (?P<day_last>today|yesterday))?)?",
    re.ASCII,
)


def moment(text: str, now_ns: int, *, latest: bool = False) -> int:
    """Return the time that a text names: see FORMS. Words may also follow ("2h ago").

    A time of the day alone is the last one that the clock has shown. A time that the clock skips
    (it is set forward) is the moment of that step.

    Args:
        text: what a person wrote, also what local() returns.
        now_ns: the time now.
        latest: which of two, if the clock showed a local time twice (it was set back): the later
            one, for the end of a stretch, or the earlier one, for its start.

    Raises ValueError.
    """
    words = " ".join(text.lower().split())
    try:
        found = _named(words, now_ns, latest=latest)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a time: {error}") from None
    if found is None:
        raise ValueError(f"{text!r} is not a time: write {FORMS}")
    if not 0 <= found < _END_NS:
        raise ValueError(f"{text!r} is not a time between 1970 and 2262")
    return found


def _named(words: str, now_ns: int, *, latest: bool) -> int | None:
    if words == "now":
        return now_ns
    if match := _EPOCH.fullmatch(words):
        return _nanoseconds(*match.groups())
    match = _CALENDAR.fullmatch(words)
    if match and (match["day"] or match["hour"]):
        return _on_calendar(match, now_ns, latest=latest)
    length = words.removeprefix("-").removesuffix("ago")
    parts = _PART.findall(length)
    if not parts or _PART.sub("", length).strip():
        return None
    return now_ns - sum(_nanoseconds(whole, part) * _UNITS[unit] for whole, part, unit in parts)


def _nanoseconds(whole: str, fraction: str | None) -> int:
    return int(whole) * SECOND_NS + int((fraction or "").ljust(9, "0"))


def _on_calendar(match: re.Match[str], now_ns: int, *, latest: bool) -> int | None:
    if match["day"] and match["day_last"]:
        return None
    day = match["day"] or match["day_last"]
    hour, minute, second = (int(match[part] or 0) for part in ("hour", "minute", "second"))
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError("a day ends at 23:59:59")
    of_day = hour * 3600 + minute * 60 + second
    part_ns = _nanoseconds("0", match["fraction"])
    today = _local_s(now_ns // SECOND_NS) // _DAY_S
    if day is None:
        return _last(of_day, part_ns, match["zone"], today, now_ns, latest=latest)
    if day in _BEFORE_TODAY:
        days = today - _BEFORE_TODAY[day]
    else:
        days = date.fromisoformat(day).toordinal() - _EPOCH_DAY
    local_s = days * _DAY_S + of_day
    instants = _instants(local_s, match["zone"])
    if not instants:
        return _step(local_s) * SECOND_NS
    return instants[-1 if latest else 0] * SECOND_NS + part_ns


def _last(
    of_day: int, part_ns: int, zone: str | None, today: int, now_ns: int, *, latest: bool
) -> int | None:
    """Return when the clock last showed a time of the day."""
    for day in range(today + 1, today - _LATEST_DAYS, -1):
        instants = (at * SECOND_NS + part_ns for at in _instants(day * _DAY_S + of_day, zone))
        if shown := [at for at in instants if at <= now_ns]:
            return shown[-1 if latest else 0]
    return None


_BEFORE_TODAY = {"today": 0, "yesterday": 1}


def _offset(second: int) -> int:
    """Return how far local time is ahead of UTC, in seconds."""
    return time.localtime(second).tm_gmtoff


def _local_s(second: int) -> int:
    """Return the seconds from 1970-01-01 00:00 to what the local clock shows."""
    return second + _offset(second)


def _instants(local_s: int, zone: str | None = None) -> list[int]:
    """Return when a clock shows what _local_s() returns: once, or twice, or never."""
    if zone is None:
        offsets = {_offset(local_s - _DAY_S), _offset(local_s + _DAY_S)}
        return sorted(local_s - offset for offset in offsets if _offset(local_s - offset) == offset)
    if zone in ("z", "utc"):
        return [local_s]
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    if hours > 23 or minutes > 59:
        raise ValueError("an offset from UTC is less than a day")
    ahead_s = hours * 3600 + minutes * 60
    return [local_s + ahead_s if zone[0] == "-" else local_s - ahead_s]


def _step(local_s: int) -> int:
    """Return when the clock was set forward over a time that it never showed."""
    low, high = local_s - _DAY_S, local_s + _DAY_S
    before = _offset(low)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(middle) == before:
            low = middle
        else:
            high = middle
    return high


def local(wall_ns: int, now_ns: int) -> str:
    """Return a time as the local clock shows it, with the day.

    "02:57:13 today", "23:59:05 yesterday", "2026-11-20 02:57:13"; with the offset from UTC if the
    clock showed this time twice: "02:30:00+02:00 today". moment() reads all of them.
    """
    clock, day = _clock_and_day(wall_ns, now_ns)
    return f"{day} {clock}" if day not in _BEFORE_TODAY else f"{clock} {day}"


def local_and_ago(wall_ns: int, now_ns: int) -> str:
    """Return a time as local() does, with how long ago: "02:57:13 today, 12 min ago"."""
    return f"{local(wall_ns, now_ns)}, {ago(wall_ns, now_ns)}"


def span(from_ns: int, to_ns: int, now_ns: int) -> str:
    """Return a stretch of time: "from 02:57:13 to 03:04:10 today"; the day once if it is one."""
    begin, begin_day = _clock_and_day(from_ns, now_ns)
    end, end_day = _clock_and_day(to_ns, now_ns)
    if begin_day != end_day:
        return f"from {local(from_ns, now_ns)} to {local(to_ns, now_ns)}"
    if begin_day in _BEFORE_TODAY:
        return f"from {begin} to {end} {begin_day}"
    return f"from {begin_day} {begin} to {end}"


def ago(wall_ns: int, now_ns: int) -> str:
    """Return how long ago a time was: "12 min ago".

    What is recorded is never still to come. If it seems so, the clock was set back when nobody
    recorded, or it is the clock of another machine: "by a clock 12 min ahead of this one".
    """
    if abs(now_ns - wall_ns) < SECOND_NS:
        return "just now"
    if wall_ns > now_ns:
        return f"by a clock {length(wall_ns - now_ns)} ahead of this one"
    return f"{length(now_ns - wall_ns)} ago"


def length(ns: int) -> str:
    """Return how long something lasted, in one unit: "70 s", "12 min", "5 h", "6 d".

    It is rounded down to a whole number; below 10 s, to tenths.
    """
    if ns < 10 * SECOND_NS:
        tenths = ns // (SECOND_NS // 10)
        return f"{tenths / 10:g} s" if tenths or not ns else f"{ns / 1_000_000:.3g} ms"
    seconds = ns // SECOND_NS
    for above, unit_s, unit in ((2 * _DAY_S, _DAY_S, "d"), (7200, 3600, "h"), (120, 60, "min")):
        if seconds >= above:
            return f"{seconds // unit_s} {unit}"
    return f"{seconds} s"


def _clock_and_day(wall_ns: int, now_ns: int) -> tuple[str, str]:
    second = wall_ns // SECOND_NS
    local_s = _local_s(second)
    clock = time.strftime("%H:%M:%S", time.gmtime(local_s))
    if len(_instants(local_s)) > 1:
        sign, minutes = ("+" if _offset(second) >= 0 else "-"), abs(_offset(second)) // 60
        clock += f"{sign}{minutes // 60:02}:{minutes % 60:02}"
    back = _local_s(now_ns // SECOND_NS) // _DAY_S - local_s // _DAY_S
    for name, days in _BEFORE_TODAY.items():
        if days == back:
            return clock, name
    return clock, time.strftime("%Y-%m-%d", time.gmtime(local_s))
