"""Commands as man pages, for groff and mandoc."""

import datetime
import os
import re
import textwrap
import time
from collections.abc import Iterable, Iterator
from importlib.metadata import version

from exitsnoop.model.fields import COLUMNS
from tools.manual.commands import Command, Option, Value

SECTION = "1"
SPECIAL = {"\\": r"\(rs", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti"}
TITLES = ("examples", "exit status")
FURTHER = (
    ("FILES", "/var/lib/exitsnoop", "the recording, unless a directory is named"),
    ("ENVIRONMENT", "EXITSNOOP_STORE", "the directory of the recording, without --store"),
    ("ENVIRONMENT", "NO_COLOR", "if it is set and not empty, nothing is colored"),
)


def page(command: Command, every: Iterable[Command]) -> str:
    """Return the man page of a command."""
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))
    day = datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc)
    sections = _sections(command, every)
    title = command.name.replace(" ", "-")
    lines = [
        '.\\" Made by tools/manual from the options themselves.',
        f'.TH {title.upper()} {SECTION} {day:%Y-%m-%d} "exitsnoop {version("exitsnoop")}" '
        '"User Commands"',
    ]
    for name, text in sections:
        lines += [f".SH {name}", *text]
    return "\n".join(lines) + "\n"


def _sections(command: Command, every: Iterable[Command]) -> Iterator[tuple[str, list[str]]]:
    told = _told(command.epilog)
    others = [one for one in every if one.verb != command.verb]
    title = command.name.replace(" ", "-")
    yield "NAME", [f"{_roff(title)} \\- {_roff(command.summary)}"]
    yield "SYNOPSIS", list(_synopsis(command))
    yield "DESCRIPTION", [_sentence(command.summary), *told["description"]]
    if not command.verb:
        yield "VERBS", [line for one in others for line in _item(one.verb, one.summary)]
    yield "OPTIONS", list(_options(command))
    if any(
        "-o" in option.flags and option.value and option.value.is_list for option in command.options
    ):
        yield "COLUMNS", [line for one in COLUMNS.values() for line in _item(one.name, one.meaning)]
    if told["exit status"]:
        yield "EXIT STATUS", told["exit status"]
    has_store = not command.verb or any("--store" in option.flags for option in command.options)
    for heading in dict.fromkeys(row[0] for row in FURTHER if has_store):
        yield heading, [line for row in FURTHER if row[0] == heading for line in _item(*row[1:])]
    if told["examples"]:
        yield "EXAMPLES", told["examples"]
    names = sorted(one.name.replace(" ", "-") for one in others)
    yield (
        "SEE ALSO",
        [f".BR {_roff(name)} ({SECTION})," for name in names[:-1]]
        + [f".BR {_roff(names[-1])} ({SECTION})"],
    )


def _synopsis(command: Command) -> Iterator[str]:
    name = f"\\fB{_roff(command.name)}\\fR"
    arguments = "".join(
        f" \\fI{_roff(value.metavar)}\\fR"
        if value.is_needed
        else f" [\\fI{_roff(value.metavar)}\\fR]"
        for value, _ in command.arguments
    )
    yield f"{name} [\\fIoptions\\fR]{arguments}"
    if command.runs:
        yield from (".br", f"{name} [\\fIoptions\\fR] \\fB\\-\\-\\fR \\fICOMMAND\\fR")
    if not command.verb:
        yield from (".br", f"{name} \\fIVERB\\fR [\\fIoptions\\fR]")


def _options(command: Command) -> Iterator[str]:
    for value, meaning in command.arguments:
        yield from (".TP", f"\\fI{_roff(value.metavar)}\\fR", _text(meaning))
    for title, options in command.groups:
        if title not in ("options", "positional arguments"):
            yield f".SS {_sentence(title).rstrip('.')}"
        for option in options:
            yield from (".TP", _invocation(option), _text(option.meaning))


def _invocation(option: Option) -> str:
    flags = ", ".join(f"\\fB{_roff(flag)}\\fR" for flag in option.flags)
    return flags + (_of_value(option.value) if option.value else "")


def _of_value(value: Value) -> str:
    name = f"\\fI{_roff(value.metavar)}\\fR"
    return f" {name}" if value.is_needed else f" [{name}]"


def _item(name: str, meaning: str) -> list[str]:
    return [".TP", f"\\fB{_roff(name)}\\fR", _text(meaning)]


def _told(epilog: str) -> dict[str, list[str]]:
    """Return the parts of an epilog by their titles, which are lines such as "exit status:"."""
    told: dict[str, list[str]] = {"description": [], **{title: [] for title in TITLES}}
    where = "description"
    for is_indented, block in _blocks(epilog):
        if block.rstrip(":\n") in TITLES:
            where = block.rstrip(":\n")
        elif is_indented and where == "exit status":
            told[where] += _statuses(block)
        elif is_indented:
            told[where] += [
                *[".PP"] * bool(told[where] or where == "description"),
                ".EX",
                *map(_line, block.splitlines()),
                ".EE",
            ]
        else:
            # Only what speaks of the status stays with it.
            stays = where == "exit status" and "status" in block
            told[where if stays else "description"] += [".PP", _text(" ".join(block.split()))]
    return told


def _blocks(text: str) -> Iterator[tuple[bool, str]]:
    """Take a text apart, where lines are empty and where indentation begins or ends."""
    for part in re.split(r"\n{2,}", text.strip("\n")):
        for block in re.findall(r"(?:^ .*\n?)+|(?:^[^ ].*\n?)+", part, re.MULTILINE):
            yield block.startswith(" "), textwrap.dedent(block)


def _statuses(block: str) -> Iterator[str]:
    for status, meaning in re.findall(r"^ *(\d+)  (.*(?:\n {4,}.*)*)", block, re.MULTILINE):
        yield from _item(status, " ".join(meaning.split()))


def _sentence(text: str) -> str:
    return _text(f"{text[:1].upper()}{text[1:]}.")


def _text(text: str) -> str:
    """Return text in short lines, as mandoc wants them."""
    return "\n".join(map(_line, textwrap.wrap(text, 60, break_on_hyphens=False)))


def _line(text: str) -> str:
    """Return a line as it is. A dot at its start would be a request."""
    return ("\\&" if text[:1] == "." else "") + _roff(text)


def _roff(text: str) -> str:
    return "".join(SPECIAL.get(letter, letter) for letter in text)
