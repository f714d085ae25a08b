"""The words of the command line, and the text of --help."""

import argparse
from collections.abc import Callable
from typing import Any, NoReturn

from exitsnoop.cli.lists import (
    parse_causes,
    parse_codes,
    parse_duration,
    parse_pids,
    parse_signals,
    parse_words,
)
from exitsnoop.cli.options import TURNED_HERE
from exitsnoop.cli.output import Output
from exitsnoop.filters.filters import EXCLUDABLE
from exitsnoop.model.cause import KINDS

DESCRIPTION = "Trace all process termination (exit, fatal signal)"

USAGE = """\
%(prog)s [options]               trace until Ctrl-C, or until what it follows is gone
       %(prog)s [options] -- COMMAND    run COMMAND; trace it and all that it starts
       %(prog)s check                   say what this machine allows"""

EPILOG = """\
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

Options that choose what to trace must all hold; of a list, one. A ! before a list
turns it round. A process is one row, when its last thread ends, with the status
that its parent gets from waitpid: '0', 'code N', 'signal N (NAME)', 'signal N
(NAME), core dumped'. Names and arguments are escaped as by 'ls --escape'. Rows are
in the order of exit time. Ctrl-C, SIGTERM or SIGHUP end the trace; what was traced
until then is printed. COMMAND gets them instead, if there is one.

exit status:
     0  success
     2  usage error, or no such process
    70  the kernel cannot, or will not, run the BPF program, or that sent no record
    74  exits were lost (standard error says how many), or output could not be written
    77  not permitted: CAP_BPF and CAP_PERFMON are needed, or root (sudo)
With COMMAND its own: 128+N if signal N ended it, 127 if it is not there, 126 if it
cannot be run; unless tracing could not begin.
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser, for an Options: what is not given stays as it is there."""
    options = argparse.ArgumentParser(
        prog="exitsnoop",
        usage=USAGE,
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    options.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    _add_who(options.add_argument_group("what to trace: whose exits"))
    _add_how(options.add_argument_group("what to trace: which exits"))
    _add_shown(options.add_argument_group("what to show"))
    _add_written(options.add_argument_group("where to write, and how"))
    return options


def _add_who(group: "argparse._ArgumentGroup") -> None:
    def add(*flags: str, dest: str, metavar: str, parse: Callable[[str], Any], help: str) -> None:  # noqa: A002 - as argparse calls it
        group.add_argument(
            *flags,
            dest=dest,
            metavar=metavar,
            action=_Extend,
            type=parse,
            help=help,
        )

    add(
        "-p",
        "--pid",
        dest="pids",
        metavar="PID[,PID...]",
        parse=parse_pids,
        help="trace only these processes; end when all have ended (may be given more than once)",
    )
    add(
        "--tree",
        dest="tree",
        metavar="PID[,...]",
        parse=parse_pids,
        help="these and all their descendants, to come or left behind; end when all have ended",
    )
    add(
        "-P",
        "--ppid",
        dest="ppids",
        metavar="[!]PID[,...]",
        parse=parse_pids,
        help="children of these, as they exit; end when these have ended",
    )
    add(
        "-u",
        "--user",
        dest="users",
        metavar="[!]USER[,...]",
        parse=parse_words,
        help="processes of these users, by name or uid",
    )
    add(
        "-n",
        "--name",
        dest="names",
        metavar="[!]GLOB[,...]",
        parse=parse_words,
        help="processes with these names (PCOMM), or names like 'python*'",
    )
    add(
        "-c",
        "--cgroup",
        dest="cgroups",
        metavar="[!]PATH[,...]",
        parse=parse_words,
        help="processes in these cgroups and below: /system.slice, or a directory",
    )
    add(
        "--container",
        dest="containers",
        metavar="[!]ID[,...]",
        parse=parse_words,
        help="processes in containers whose ID or name starts so",
    )
    group.add_argument(
        "--min-age",
        metavar="TIME",
        type=_checked(parse_duration),
        help="only what lived that long at least: 1.5s, 200ms, 5m, 1h30m, 2d",
    )
    group.add_argument(
        "--max-age",
        metavar="TIME",
        type=_checked(parse_duration),
        help="only what lived that long at most",
    )


def _add_how(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "-x", "--failed", action="store_true", help="trace only fails, exclude exit(0)"
    )
    group.add_argument("--per-thread", action="store_true", help="trace per thread termination")
    group.add_argument(
        "--signal",
        dest="signals",
        metavar="[!]NAME|N[,...]",
        action=_Extend,
        type=parse_signals,
        help="trace only what one of these signals ended",
    )
    group.add_argument(
        "--code",
        dest="codes",
        metavar="[!]N[-M][,...]",
        action=_Extend,
        type=parse_codes,
        help="trace only what exited with one of these codes (or, with --signal, ended by one)",
    )
    group.add_argument(
        "--cause",
        dest="causes",
        metavar="[!]KIND[,...]",
        action=_Extend,
        type=parse_causes,
        help=f"trace only ends of these kinds (implies -w): {', '.join(KINDS)}",
    )
    group.add_argument(
        "--linger",
        action="store_true",
        help="with COMMAND: go on until all that it started has ended, too",
    )


def _add_shown(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "-w", "--why", action="store_true", help="show who or what ended each process"
    )
    group.add_argument(
        "-a", "--args", action="store_true", help="show the arguments (as -o +args, but last)"
    )
    group.add_argument(
        "-o",
        "--columns",
        metavar="[+]LIST",
        action=_Columns,
        help="show these columns, or (with +) these, too; 'help' lists all",
    )
    group.add_argument(
        "-t", "--timestamp", action="store_true", help="include the time of exit (local time)"
    )
    group.add_argument(
        "--utc", action="store_true", help="include the time of exit in UTC (implies -t)"
    )
    group.add_argument(
        "--label",
        nargs="?",
        const="exit",
        help="label each line, to merge the output of several tools by sort ('exit' if no LABEL)",
    )
    group.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        help="color what did not end well; auto: on a terminal, unless NO_COLOR is set",
    )


def _add_written(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--output", metavar="FILE", help="write to this file (over what is in it), not to stdout"
    )
    formats = group.add_mutually_exclusive_group()
    formats.add_argument(
        "--json", action="store_true", help="JSON lines: docs/exit.schema.json has the record"
    )
    formats.add_argument("--csv", action="store_true", help="CSV (RFC 4180), with a header")


def _checked(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    def parsed(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parsed


class _Extend(argparse.Action):
    """Adds a list to those before it; one that starts with a ! is to be excluded."""

    def __init__(self, *, type: Callable[[str], Any], **kwargs: Any) -> None:  # noqa: A002 - as argparse calls it
        super().__init__(**kwargs)
        self._parse = type

    def __call__(
        self,
        _parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        _option: str | None = None,
    ) -> None:
        excludes = values.startswith("!") and self.dest in (*EXCLUDABLE, *TURNED_HERE)
        try:
            parsed = self._parse(values.removeprefix("!") if excludes else values)
        except ValueError as error:
            raise argparse.ArgumentError(self, str(error)) from None
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
        try:
            choose([values], ())
        except ValueError as error:
            raise argparse.ArgumentError(self, str(error)) from None
        namespace.columns = [*namespace.columns, values]


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version  # slow to import, and seldom asked for

        _answer(parser, f"exitsnoop {version('exitsnoop')}\n")


def _answer(parser: argparse.ArgumentParser, text: str) -> NoReturn:
    """Write what was asked for where data goes (argparse's exit() takes it for a message); exit."""
    Output().write(text)
    parser.exit()
