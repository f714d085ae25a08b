"""The comma-separated lists that options take. Each parser raises ValueError with a reason."""

from exitsnoop.filters import Filters
from exitsnoop.status import SIGNALS


def parse_pids(text: str) -> list[int]:
    """Return the PIDs of "181,190"."""
    pids = [_number(word, "PID") for word in text.split(",")]
    return list(Filters.checked(pids=pids).pids)


def parse_signals(text: str) -> list[int]:
    """Return the signals of "KILL,SIGTERM,rtmin+2,11"."""
    signals = []
    for word in text.split(","):
        name = word.upper().removeprefix("SIG")
        signals.append(SIGNALS[name] if name in SIGNALS else _number(word, "signal"))
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


def _number(word: str, what: str) -> int:
    if not (word.isascii() and word.isdecimal()):
        raise ValueError(f"{word!r} is not a {what}")
    return int(word)
