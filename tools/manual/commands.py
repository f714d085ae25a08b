"""The commands with their options and values: what a man page and a completion need of a parser."""

import argparse
import re
from collections.abc import Iterable
from typing import NamedTuple

from exitsnoop.cli import parser as words
from exitsnoop.cli.verbs import VERBS, verb, verb_parser
from exitsnoop.model.cause import KINDS
from exitsnoop.model.fields import COLUMNS
from exitsnoop.model.status import SIGNAL_NAMES

# By the metavar without its brackets: what a shell can offer. Signals 32 and 33 have no names.
OFFERED: dict[str, tuple[str, ...] | str] = {
    "PID": "pids",
    "USER": "users",
    "PATH": "directories",
    "DIR": "directories",
    "DIRECTORY": "directories",
    "FILE": "files",
    "NAME|N": tuple(name for name in SIGNAL_NAMES.values() if not name.isdecimal()),
    "KIND": tuple(KINDS),
    "LIST": (*COLUMNS, "help"),
}


class Value(NamedTuple):
    """What follows an option, or stands by itself.

    Attributes:
        metavar: as --help shows it.
        offered: words to choose from; or "pids", "users", "directories", "files"; "" if unknown.
        is_list: whether commas separate several.
        marks: characters that may come before it, such as "!".
        is_needed: False if it may be left out.
    """

    metavar: str
    offered: tuple[str, ...] | str
    is_list: bool
    marks: str
    is_needed: bool


class Option(NamedTuple):
    """An option: its value is None for a switch."""

    flags: tuple[str, ...]
    meaning: str
    value: Value | None

    @property
    def short_meaning(self) -> str:
        """The beginning of its meaning, for one line in a shell."""
        return re.split(
            r"(?<!with COMMAND)(?<!sudo)(?<!with --csv)(?<!with --status): |; ", self.meaning
        )[0]


class Command(NamedTuple):
    """A command: exitsnoop itself, or a verb.

    Attributes:
        verb: "" for exitsnoop itself.
        summary: a line in lower case.
        groups: the options, by the titles of their groups.
        arguments: what stands by itself, with its meaning.
        epilog: the text after the options.
        runs: whether it runs a COMMAND, which comes after --.
    """

    verb: str
    summary: str
    groups: tuple[tuple[str, tuple[Option, ...]], ...]
    arguments: tuple[tuple[Value, str], ...]
    epilog: str
    runs: bool

    @property
    def name(self) -> str:
        """How it is called: "exitsnoop record"."""
        return f"exitsnoop {self.verb}".rstrip()

    @property
    def options(self) -> tuple[Option, ...]:
        """All its options."""
        return tuple(option for _, group in self.groups for option in group)


def commands() -> tuple[Command, ...]:
    """Return exitsnoop itself, then its verbs."""
    itself = words.DESCRIPTION[0].lower() + words.DESCRIPTION[1:]
    return (
        _command("", itself, words.parser()),
        *(_command(name, verb(name).SUMMARY, verb_parser(name)) for name in VERBS),
    )


def _command(name: str, summary: str, made: argparse.ArgumentParser) -> Command:
    groups = [
        (group.title or "", tuple(_options(group._group_actions)))  # noqa: SLF001 - argparse has no other way
        for group in made._action_groups  # noqa: SLF001
    ]
    arguments = tuple(
        (_value(action), _meaning(action))
        for action in made._actions  # noqa: SLF001
        if not action.option_strings
    )
    return Command(
        name,
        summary,
        tuple(one for one in groups if one[1]),
        arguments,
        made.epilog or "",
        not name or getattr(verb(name), "TAKES_COMMAND", False),
    )


def _options(actions: Iterable[argparse.Action]) -> Iterable[Option]:
    for action in actions:
        if action.option_strings:
            value = None if action.nargs == 0 else _value(action)
            yield Option(tuple(action.option_strings), _meaning(action), value)


def _meaning(action: argparse.Action) -> str:
    return (action.help or "").replace("%%", "%")


def _value(action: argparse.Action) -> Value:
    choices = tuple(map(str, action.choices or ()))
    metavar = f"{action.metavar or '|'.join(choices) or action.dest.upper()}"
    marked, is_list, core = "", metavar.endswith("[,...]"), metavar.removesuffix("[,...]")
    if match := re.match(r"\[([+!])\]", core):
        marked, core = match[1], core[match.end() :]
    is_list = is_list or core == "LIST"
    is_needed = action.nargs not in ("?", "*")
    return Value(metavar, choices or OFFERED.get(core, ""), is_list, marked, is_needed)
