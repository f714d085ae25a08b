"""The words of the command line, and the text of --help: made of FILTERS, OPTIONS and VERBS."""

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from exitsnoop.cli.lists import FORMS, WORDS
from exitsnoop.cli.options import ONE_OF, OPTIONS, RUN, WRITTEN, Option
from exitsnoop.cli.output import Output
from exitsnoop.cli.statuses import STATUSES, WITH_COMMAND
from exitsnoop.cli.verbs import VERBS, Parser, explain_stray_word, nearest, verb
from exitsnoop.filters.filters import EXCLUDABLE
from exitsnoop.filters.table import FILTERS, SHOWN, WHICH, WHOSE, Filter

if TYPE_CHECKING:
    from exitsnoop.cli.options import Options

DESCRIPTION = "Trace all process termination (exit, fatal signal)"
GROUPS = (WHOSE, WHICH, RUN, SHOWN, WRITTEN)

# The options that the original has: a program that calls it may shorten them.
ORIGINAL = ("--help", "--timestamp", "--utc", "--pid", "--label", "--failed", "--per-thread")

EXAMPLES = """\
examples:
    exitsnoop                # trace all process termination
    exitsnoop -x             # trace only fails, exclude exit(0)
    exitsnoop -t             # include timestamps (local time)
    exitsnoop --utc          # include timestamps (UTC)
    exitsnoop -p 181         # only trace PID 181
    exitsnoop -p 181,190     # only trace PIDs 181 and 190
    exitsnoop --label=exit   # label each output line with 'exit'
    exitsnoop --per-thread   # trace per thread termination
    exitsnoop -w             # with the cause: who or what ended it
    exitsnoop -w --signal KILL,TERM --code 1-255   # ended by these, or failed
    exitsnoop --cause oom,fault                    # out of memory, or crashed
    exitsnoop -xa -- make -j8                      # what failed in this build, with arguments
    exitsnoop -o +user,container,max_rss           # more columns; -o help lists all
    exitsnoop -u '!root' -n 'python*' --min-age 1m # long-lived Pythons of people
    exitsnoop --json --tree 812                    # all that 812 starts, for programs
"""

NOTES = (
    "Filters are combined with AND, the values of one list with OR. A ! before a list inverts it: "
    "-u '!root' is every user but root. An option that takes a list may be given more than once.",
    "A process is one row, written when its last thread has ended, with the status that its parent "
    "gets from waitpid: '0', 'code N', 'signal N (NAME)' or 'signal N (NAME), core dumped'. Names "
    "and arguments are escaped as 'ls --escape' does. Rows come in the order of exit time.",
    "Ctrl-C, SIGTERM or SIGHUP end the trace; everything traced until then is printed. If there is "
    "a COMMAND, it gets these signals instead.",
)


def usage() -> str:
    """Return how to call it: the synopsis, a line each."""
    forms = [
        ("[options]", "trace until Ctrl-C, or until what it follows has ended"),
        ("[options] -- COMMAND", "run COMMAND; trace it and everything that it starts"),
        *((f"{verb(name).NAME} [options]", verb(name).SUMMARY) for name in VERBS),
    ]
    return "\n       ".join(f"%(prog)s {form:<22} {meaning}" for form, meaning in forms)


class _Parser(Parser):
    """A parser with the usage above, and what follows the options: made when it is shown.

    The one imports all verbs, the other what wraps texts.
    """

    @property
    def usage(self) -> str | None:
        return usage()

    @usage.setter
    def usage(self, _: str | None) -> None:
        pass

    @property
    def epilog(self) -> str | None:
        return _epilog()

    @epilog.setter
    def epilog(self, _: str | None) -> None:
        pass


def parser() -> argparse.ArgumentParser:
    """Return the parser, for an Options: what is not given stays as it is there."""
    made = _Parser(
        prog="exitsnoop",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    made.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    add_groups(made)
    return made


def add_groups(made: argparse.ArgumentParser, titles: Sequence[str] = GROUPS) -> None:
    """Add the options of FILTERS and OPTIONS that belong to these groups, for an Options."""
    for title in titles:
        group = made.add_argument_group(title)
        for row in FILTERS:
            if row.flags and row.group == title:
                _add_filter(group, row)
        options = [option for option in OPTIONS if option.group == title]
        one_of = [option for option in options if ONE_OF & {*option.flags}]
        for option in options:
            if option not in one_of:
                _add_option(group, option)
        if one_of:  # an empty group would break --help
            formats = group.add_mutually_exclusive_group()
            for option in one_of:
                _add_option(formats, option)


def add_options(group: "argparse._ArgumentGroup", names: Sequence[str]) -> None:
    """Add some of OPTIONS to a group, by their names."""
    for option in OPTIONS:
        if option.name in names:
            _add_option(group, option)


def _epilog() -> str:
    notes = [_wrapped(note) for note in NOTES]
    statuses = "".join(f"    {number:>2}  {meaning}\n" for number, meaning in STATUSES)
    return "\n".join([EXAMPLES, *notes, f"exit status:\n{statuses}{_wrapped(WITH_COMMAND)}"])


def _wrapped(text: str) -> str:
    from textwrap import fill

    return fill(text, 80) + "\n"


def _add_filter(group: "argparse._ArgumentGroup", row: Filter) -> None:
    if not row.metavar:
        group.add_argument(*row.flags, dest=row.name, action="store_true", help=row.meaning)
        return
    form = FORMS.get(row.metavar, WORDS)
    group.add_argument(
        *row.flags,
        dest=row.name,
        metavar=metavar(row),
        action=_Extend if row.is_list else Store,
        type=form.parse,
        help=f"{row.meaning}: {form.examples}" if form.examples else row.meaning,
    )


def metavar(row: Filter) -> str:
    """Return what a filter's option takes, as --help shows it; "" for a switch."""
    many = "[,...]" if row.is_list else ""
    return f"{'[!]' if row.excludable else ''}{row.metavar}{many}"


def _add_option(group: "argparse._ActionsContainer", row: Option) -> None:
    """Add one of OPTIONS, for an Options."""
    if row.default is False:
        group.add_argument(*row.flags, dest=row.name, action="store_true", help=row.meaning)
        return
    more: dict[str, Any] = {}
    if row.name == "columns":
        more["action"] = _Columns
    if row.name == "label":
        more |= {"nargs": "?", "const": "exit"}
    if row.choices:
        more["choices"] = row.choices
    group.add_argument(*row.flags, dest=row.name, metavar=row.metavar, help=row.meaning, **more)


def parse_into(options: "Options", words: Sequence[str]) -> None:
    """Set what the words ask for. Raises SystemExit: after --help, and after a wrong word."""
    made = parser()
    _, stray = made.parse_known_args([_whole(word) for word in words], options)
    if not stray:
        return
    if stray[0].startswith("-"):
        flags = [flag for action in made._actions for flag in action.option_strings]  # noqa: SLF001 - argparse has no other way
        made.error(f"unrecognized option: {stray[0]}{nearest(stray[0], flags)}")
    made.error(explain_stray_word(stray[0], words))


def _whole(word: str) -> str:
    """Return the option that a word is the start of, if it is one of the original's."""
    name, equals, value = word.partition("=")
    if len(name) < len("--t") or not name.startswith("--"):
        return word
    meant = [option for option in ORIGINAL if option.startswith(name)]
    return f"{meant[0]}{equals}{value}" if len(meant) == 1 else word


def _parsed(action: argparse.Action, parse: Callable[[str], Any], text: str) -> Any:
    try:
        return parse(text)
    except ValueError as error:
        raise argparse.ArgumentError(action, str(error)) from None


class _Parsing(argparse.Action):
    """Keeps what reads the value, so that its message is shown, which argparse would not."""

    def __init__(self, *, type: Callable[[str], Any], **kwargs: Any) -> None:  # noqa: A002 - as argparse calls it
        super().__init__(**kwargs)
        self._parse = type


class Store(_Parsing):
    """Keeps one value."""

    def __call__(  # noqa: D102 - as argparse calls it
        self,
        _parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        _option: str | None = None,
    ) -> None:
        setattr(namespace, self.dest, _parsed(self, self._parse, values))


class _Extend(_Parsing):
    """Adds a list to those before it; one that starts with a ! is to be excluded."""

    def __call__(
        self,
        _parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        _option: str | None = None,
    ) -> None:
        excludes = values.startswith("!") and self.dest in EXCLUDABLE
        parsed = _parsed(self, self._parse, values.removeprefix("!") if excludes else values)
        before = getattr(namespace, self.dest)
        if before and (self.dest in namespace.excluding) != excludes:
            raise argparse.ArgumentError(self, "give either what to trace, or (with !) what not to")
        setattr(namespace, self.dest, before + parsed)
        if excludes:
            namespace.excluding = namespace.excluding | {self.dest}


class _Columns(argparse.Action):
    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        _option: str | None = None,
    ) -> None:
        from exitsnoop.cli.choice import choose, help_text

        if values == "help":
            _answer(parser, help_text())
        _parsed(self, lambda text: choose([text], ()), values)
        namespace.columns = [*namespace.columns, values]


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version  # slow to import, and seldom asked for

        _answer(parser, f"exitsnoop {version('exitsnoop')}\n")


def _answer(parser: argparse.ArgumentParser, text: str) -> NoReturn:
    """Write the requested text to standard output (argparse's exit() would use stderr); exit."""
    Output().write(text)
    parser.exit()
