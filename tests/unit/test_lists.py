"""The values of options."""

from collections.abc import Callable
from typing import Any

import pytest

from exitsnoop.cli.lists import (
    parse_codes,
    parse_duration,
    parse_pids,
    parse_room,
    parse_signals,
    parse_size,
    parse_words,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("2", 2),
        ("1.5", 1.5),
        ("1.5s", 1.5),
        ("200ms", 0.2),
        ("250us", 0.00025),
        ("5m", 300),
        ("1h30m", 5400),
        ("2d", 172_800),
        ("1d2h3m4s5ms", 93_784.005),
        ("0.5h", 1800),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s",
        "-1s",
        "+1s",
        "1 s",
        " 1s",
        "1s ",
        "1S",
        "1.s",
        ".5s",
        "1.5.5",
        "1,5s",
        "1e3",
        "1w",
        "1ns",
        "inf",
        "nan",
        "0x10",
        "1h-30m",
        "1_000s",
        "٣s",
    ],
)
def test_malformed_durations(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration: write 1"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["36501d", "99999999999999999999", "9" * 400])
def test_no_process_lives_that_long(text: str) -> None:
    with pytest.raises(ValueError, match="longer than any process lives"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("parse", "text", "values"),
    [
        (parse_words, "a", ["a"]),
        (parse_words, "a, b,!c", ["a", " b", "!c"]),
        (parse_pids, "181,190", [181, 190]),
        (parse_signals, "KILL,SIGTERM,kill,11", [9, 15, 9, 11]),
        (parse_signals, "rtmin+2,SIGRTMIN,rtmax-1,SIGRTMAX,33,sig32", [36, 34, 63, 64, 33, 32]),
        (parse_codes, "0", [0]),
        (parse_codes, "1,64-66,255", [1, 64, 65, 66, 255]),
        (parse_codes, "7-7", [7]),
        (parse_codes, "0-255", list(range(256))),
    ],
)
def test_lists(parse: Callable[[str], list[Any]], text: str, values: list[Any]) -> None:
    assert parse(text) == values


@pytest.mark.parametrize(
    ("parse", "text", "complaint"),
    [
        (parse_words, "", "has an empty part"),
        (parse_words, "a,,b", "has an empty part"),
        (parse_words, "a,", "has an empty part"),
        (parse_signals, "", "'' is not a signal"),
        (parse_signals, "KILL,", "'' is not a signal"),
        (parse_signals, "SIGSIGKILL", "'SIGSIGKILL' is not a signal"),
        (parse_signals, "-9", "'-9' is not a signal"),
        (parse_signals, "KLL", "'KLL' is not a signal"),
        (parse_codes, "", "'' is not a code"),
        (parse_codes, "256", "256 is not an exit code: a code is 0 to 255"),
        (parse_codes, "1-", "'' is not a code"),
        (parse_codes, "-1", "'' is not a code"),
        (parse_codes, "5-3", "'5-3' ends before it starts"),
        (parse_codes, "1-300", "300 is not an exit code"),
        (parse_codes, "1-2-3", "'2-3' is not a code"),
        (parse_codes, "²", "'²' is not a code"),
        (parse_pids, "", "'' is not a PID"),
        (parse_pids, "1,", "'' is not a PID"),
        (parse_pids, ",1", "'' is not a PID"),
        (parse_pids, "-1", "'-1' is not a PID"),
        (parse_pids, "a", "'a' is not a PID"),
        (parse_pids, "1 2", "'1 2' is not a PID"),
        (parse_pids, "٣", "'٣' is not a PID"),
        (parse_pids, "1_0", "'1_0' is not a PID"),
        (parse_pids, "0x10", "'0x10' is not a PID"),
    ],
)
def test_malformed_lists(parse: Callable[[str], list[Any]], text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1073741824", 1 << 30),
        ("64K", 64 << 10),
        ("500M", 500 << 20),
        ("1.5G", 3 << 29),
        ("2g", 2 << 30),
        ("2GiB", 2 << 30),
        ("2GB", 2 << 30),
        ("1T", 1 << 40),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size
    assert parse_room(text, 1000) == size


@pytest.mark.parametrize(
    "text", ["", "G", "-1", "1.G", "1 G", "1X", "1GG", "5%", "\N{DEVANAGARI DIGIT ONE}"]
)
def test_malformed_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size: write 500M"):
        parse_size(text)


@pytest.mark.parametrize(("text", "room"), [("5%", 50), ("0.5%", 5), ("0%", 0), ("100%", 1000)])
def test_shares(text: str, room: int) -> None:
    assert parse_room(text, 1000) == room
