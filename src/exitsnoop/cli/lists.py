"""The values that options take, most of them lists with commas. Parsers raise ValueError."""

import re

from exitsnoop.filters.filters import Filters
from exitsnoop.model.status import signal_number

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m|h|d|)", re.ASCII)
_LONGEST = 100 * 365 * _UNITS["d"]


def parse_pids(text: str) -> list[int]:
    """Return the PIDs of "181,190"."""
    pids = [_number(word, "PID") for word in text.split(",")]
    return list(Filters.checked(pids=pids).pids)


def parse_words(text: str) -> list[str]:
    """Return the parts of "a,b"."""
    words = text.split(",")
    if "" in words:
        raise ValueError(f"{text!r} has nothing where a comma says there is something")
    return words


def parse_signals(text: str) -> list[int]:
    """Return the signals of "KILL,SIGTERM,rtmin+2,RTMAX-1,11"."""
    signals = []
    for word in text.split(","):
        number = signal_number(word)
        signals.append(_number(word, "signal") if number is None else number)
    Filters.checked(signals=signals)
    return signals


def parse_codes(text: str) -> list[int]:
    """Return the exit codes of "1,64-78"."""
    codes: list[int] = []
    for word in text.split(","):
        first, dash, last = word.partition("-")
        lowest = _number(first, "code")
        highest = _number(last, "code") if dash else lowest
        if lowest > highest:
            raise ValueError(f"{word!r} has its end before its start")
        Filters.checked(codes=[lowest, highest])
        codes += range(lowest, highest + 1)
    return codes


def parse_causes(text: str) -> list[str]:
    """Return the kinds of "oom,fault"."""
    kinds = text.split(",")
    Filters.checked(causes=kinds)
    return kinds


def parse_duration(text: str) -> float:
    """Return the seconds of "1.5", "200ms", "5m" or "1h30m"."""
    parts = _DURATION.findall(text)
    if not parts or "".join(map("".join, parts)) != text:
        raise ValueError(f"{text!r} is not a duration: write 1.5s, 200ms, 5m, 1h30m or 2d")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if seconds > _LONGEST:
        raise ValueError(f"{text!r} is longer than any process lives")
    return seconds


def _number(word: str, what: str) -> int:
    if not (word.isascii() and word.isdecimal()):
        raise ValueError(f"{word!r} is not a {what}")
    return int(word)
