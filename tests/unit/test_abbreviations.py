"""Options in short: the original's as its argparse takes them, all others only in full."""

import argparse
from typing import Any

import pytest

from exitsnoop.cli import parse
from exitsnoop.cli.options import Options
from exitsnoop.cli.parser import ORIGINAL, parser


def original() -> argparse.ArgumentParser:
    """Return the parser of the original.

    usage: exitsnoop.py [-h] [-t] [--utc] [-p PID] [--label LABEL] [-x] [--per-thread]
    """
    made = argparse.ArgumentParser(argument_default=argparse.SUPPRESS)
    made.add_argument("-t", "--timestamp", action="store_true")
    made.add_argument("--utc", action="store_true")
    made.add_argument("-p", "--pid", dest="pids", type=lambda text: [int(text)])
    made.add_argument("--label")
    made.add_argument("-x", "--failed", action="store_true")
    made.add_argument("--per-thread", action="store_true")
    return made


def flags(made: argparse.ArgumentParser) -> set[str]:
    """Return the long options of a parser."""
    found = {flag for action in made._actions for flag in action.option_strings}
    return {flag for flag in found if flag.startswith("--")}


STARTS = sorted(
    {flag[:end] for flag in flags(original()) | flags(parser()) for end in range(3, len(flag) + 1)}
)


def meant_by_original(words: list[str]) -> dict[str, Any] | str:
    """Return what the original makes of these words, or how it ends."""
    try:
        return vars(original().parse_args(words))
    except SystemExit as ended:
        return "help" if not ended.code else "usage"


def meant_here(words: list[str]) -> dict[str, Any] | str:
    try:
        found = vars(parse(words))
    except SystemExit as ended:
        return "help" if not ended.code else "usage"
    return {name: value for name, value in found.items() if value != vars(Options())[name]}


@pytest.mark.parametrize("value", [[], ["5"], "=5"])
@pytest.mark.parametrize("start", [start for start in STARTS if start not in flags(parser())])
def test_a_start_means_what_it_meant(start: str, value: list[str] | str) -> None:
    words = [f"{start}{value}"] if isinstance(value, str) else [start, *value]
    expected = meant_by_original(words)
    if not value and "--label".startswith(start):
        expected = {"label": "exit"}  # here, LABEL may be left out
    assert meant_here(words) == expected


@pytest.mark.parametrize("flag", sorted(flags(original())))
def test_in_full_it_means_what_it_meant(flag: str) -> None:
    for words in ([flag], [flag, "5"], [f"{flag}=5"]):
        expected = meant_by_original(words)
        if expected != "usage":
            assert meant_here(words) == expected


def test_the_original_has_seven_options() -> None:
    assert flags(original()) == set(ORIGINAL)
    assert len(ORIGINAL) == 7


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["--time"], {"timestamp": True}),
        (["--t"], {"timestamp": True}),  # though there is --tree
        (["--fail", "--per", "--ut"], {"failed": True, "per_thread": True, "utc": True}),
        (["--lab", "x", "--pi", "5"], {"label": "x", "pids": [5]}),
        (["--p", "5"], "usage"),  # --pid or --per-thread
        (["--js"], "usage"),
        (["--us", "root"], "usage"),
        (["-xt"], {"failed": True, "timestamp": True}),
        (["-p5"], {"pids": [5]}),
    ],
)
def test_some(words: list[str], meant: object) -> None:
    assert meant_here(words) == meant
