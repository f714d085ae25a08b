"""The verbs: `exitsnoop check` and those to come. Each is a module of this folder."""

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import NoReturn, Protocol, cast

from exitsnoop.cli.options import Options, UsageError, refuse
from exitsnoop.cli.output import complain, for_stderr
from exitsnoop.cli.statuses import EX_NOT_RECORDED
from exitsnoop.store.errors import NoStore, NotReadable, NotRecorded, StoreError

# The names of the modules: a verb is imported only when it is run, or when --help lists all.
VERBS = (
    "check",
    "record",
    "past",
    "sql",
    "why",
    "report",
    "top",
    "timeline",
    "export",
    "schema",
    "ship",
)


class Parser(argparse.ArgumentParser):
    """A parser whose errors have their status also where standard error is closed.

    argparse itself then ends with a traceback (Python 3.11.2), and writes the usage to standard
    output.
    """

    def error(self, message: str) -> NoReturn:
        """Write what is wrong to standard error, after the usage; exit with 2."""
        if sys.stderr is not None:
            text = f"{self.prog}: error: {for_stderr(message)}\n"
            self._print_message(f"{self.format_usage()}{text}", sys.stderr)
        sys.exit(2)


class Given(Options, argparse.Namespace):
    """What the words after a verb ask for: what Options has, and the verb's own options.

    Attributes:
        words: the words themselves.
        command: what comes after --, if the verb takes a COMMAND; None if there is no --.
    """

    words: Sequence[str] = ()
    command: Sequence[str] | None = None


class Verb(Protocol):
    """What a verb's module has."""

    NAME: str
    SUMMARY: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add its own options."""

    def run(self, options: Given) -> int:
        """Do it; return the exit status.

        Raises UsageError, TraceError, StoreError, CannotWrite, OSError.
        """


def verb(name: str) -> Verb:
    """Return the module of a verb."""
    return cast("Verb", import_module(f"exitsnoop.cli.{name}"))


def verb_parser(name: str) -> argparse.ArgumentParser:
    """Return the parser of what may follow a verb."""
    module = verb(name)
    parser = Parser(
        prog=f"exitsnoop {module.NAME}",
        description=f"{module.SUMMARY[0].upper()}{module.SUMMARY[1:]}.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,  # Given has the defaults, or add_argument() is given it
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    return parser


def run(words: Sequence[str]) -> int:
    """Run the verb that is the first word, with the others; return the exit status.

    Raises UsageError if it is not a verb, SystemExit for a wrong word after it.
    """
    name = words[0]
    if name not in VERBS:
        refuse(explain_stray_word(name, words))
    parser = verb_parser(name)
    given, command = _without_command(name, words[1:])
    options = parser.parse_args(given, Given())
    options.words = tuple(words[1:])
    options.command = command
    try:
        return verb(name).run(options)
    except UsageError as error:
        parser.error(str(error))
    except StoreError as error:
        complain(str(error))
        if isinstance(error, (NoStore, NotRecorded)):
            return EX_NOT_RECORDED
        return os.EX_NOPERM if isinstance(error, NotReadable) else os.EX_IOERR


def _without_command(name: str, words: Sequence[str]) -> tuple[Sequence[str], Sequence[str] | None]:
    """Return the words of a verb, and those of its COMMAND, which argparse must not see."""
    if "--" not in words or not getattr(verb(name), "TAKES_COMMAND", False):
        return words, None
    at = words.index("--")
    return words[:at], words[at + 1 :]


def explain_stray_word(word: str, words: Sequence[str]) -> str:
    """Return what is wrong about a word that belongs to no option."""
    if word in VERBS:
        return f"{word!r} must be the first word: exitsnoop {word}"
    at = words.index(word) if word in words else len(words)
    import shlex

    command = shlex.join(["exitsnoop", *words[:at], "--", *words[at:]])
    meant = nearest(word, VERBS) or f" ({', '.join(VERBS)});"
    return f"{word!r} is not a verb{meant} a command goes after --: {command}"


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the end of a message that says which is meant; "" if none is near."""
    from difflib import get_close_matches  # slow to import, and seldom asked for

    found = get_close_matches(word, list(known), n=1, cutoff=0.7)
    return f"; did you mean {found[0]}?" if found else ""
