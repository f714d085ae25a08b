"""The text of options' values, most of them lists with commas. Parsers raise ValueError."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from exitsnoop.filters import checks
from exitsnoop.model.cause import KINDS
from exitsnoop.model.status import signal_number

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
# Compiled where they are needed: most starts are without.
_SIZE = r"(?ai)(\d+(?:\.\d+)?)([KMGT]?)(?:i?B)?"
_SHARE = r"(?a)(\d+(?:\.\d+)?)%"
_DURATION = r"(?a)(\d+(?:\.\d+)?)(us|ms|s|m|h|d|)"


def parse_pids(text: str) -> list[int]:
    """Return the PIDs of "181,190"."""
    return [_number(word, "PID") for word in text.split(",")]


def parse_words(text: str) -> list[str]:
    """Return the parts of "a,b"."""
    words = text.split(",")
    if "" in words:
        raise ValueError(f"{text!r} has an empty part: two commas in a row, or one at an end")
    return words


def parse_signals(text: str) -> list[int]:
    """Return the signals of "KILL,SIGTERM,rtmin+2,RTMAX-1,11"."""
    signals = []
    for word in text.split(","):
        number = signal_number(word)
        signals.append(_number(word, "signal") if number is None else number)
    return signals


def parse_codes(text: str) -> list[int]:
    """Return the exit codes of "1,64-78"."""
    codes: list[int] = []
    for word in text.split(","):
        first, dash, last = word.partition("-")
        lowest = _number(first, "code")
        highest = _number(last, "code") if dash else lowest
        if lowest > highest:
            raise ValueError(f"{word!r} ends before it starts")
        codes += range(lowest, checks.code(highest) + 1)  # bounded before it is counted out
    return codes


def parse_duration(text: str) -> float:
    """Return the seconds of "1.5", "200ms", "5m" or "1h30m"."""
    parts = re.findall(_DURATION, text)
    if not parts or "".join(map("".join, parts)) != text:
        raise ValueError(f"{text!r} is not a duration: write 1.5s, 200ms, 5m, 1h30m or 2d")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if seconds > checks.LONGEST_S:
        raise ValueError(f"{text!r} is longer than any process lives")
    return seconds


def parse_text(text: str) -> str:
    """Return a text that is handed on as it is: UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{text!r} is not UTF-8") from None
    return text


def parse_size(text: str) -> int:
    """Return the bytes of "500M", "1.5G" or "1073741824"."""
    match = re.fullmatch(_SIZE, text)
    if not match:
        raise ValueError(f"{text!r} is not a size: write 500M, 1.5G or a number of bytes")
    return int(float(match[1]) * _BYTES[match[2].upper()])


def parse_room(text: str, total: int) -> int:
    """Return the bytes of a size, or of "5%" of a total."""
    match = re.fullmatch(_SHARE, text)
    return int(float(match[1]) / 100 * total) if match else parse_size(text)


class Form(NamedTuple):
    """How a value is written: what reads it, and what --help says of it."""

    parse: Callable[[str], Any]
    examples: str = ""


# By the metavar of the filter; any other is a list of words.
FORMS = {
    "PID": Form(parse_pids),
    "NAME|N": Form(parse_signals),
    "N[-M]": Form(parse_codes),
    "KIND": Form(parse_words, ", ".join(KINDS)),
    "TIME": Form(parse_duration, "1.5s, 200ms, 5m, 1h30m, 2d"),
}
WORDS = Form(parse_words)


def _number(word: str, what: str) -> int:
    if not (word.isascii() and word.isdecimal()):
        raise ValueError(f"{word!r} is not a {what}")
    return int(word)
