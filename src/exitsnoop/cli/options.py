"""The options, and the text of --help."""

import argparse
from collections.abc import Callable
from typing import TypeVar

from exitsnoop.causes import KINDS
from exitsnoop.cli.lists import parse_causes, parse_codes, parse_pids, parse_signals
from exitsnoop.filters import Filters

T = TypeVar("T")

DESCRIPTION = "Trace all process termination (exit, fatal signal)"

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

A process is one row, when its last thread ends, with the status that its parent
gets from waitpid: '0', 'code N', 'signal N (NAME)', 'signal N (NAME), core dumped'.
PCOMM is escaped as by 'ls --escape'. Rows are in the order of exit time.
Ctrl-C, SIGTERM or SIGHUP end the trace; what was traced until then is printed.

exit status:
     0  success
     2  usage error, or no such process
    70  the kernel cannot, or will not, run the BPF program
    74  exits were lost (standard error says how many), or output could not be written
    77  not permitted: CAP_BPF and CAP_PERFMON are needed, or root (sudo)
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser; what it parses has the names of filters.Filters and sinks.table.Table."""
    options = argparse.ArgumentParser(
        prog="exitsnoop",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    traced = options.add_argument_group("what to trace")
    traced.add_argument(
        "-p",
        "--pid",
        dest="pids",
        metavar="PID[,PID...]",
        action="extend",
        default=[],
        type=_list_of(parse_pids),
        help="trace only these processes; end when all have ended (may be given more than once)",
    )
    traced.add_argument(
        "-x", "--failed", action="store_true", help="trace only fails, exclude exit(0)"
    )
    traced.add_argument("--per-thread", action="store_true", help="trace per thread termination")
    traced.add_argument(
        "--signal",
        dest="signals",
        metavar="NAME|N[,...]",
        action="extend",
        default=[],
        type=_list_of(parse_signals),
        help="trace only what one of these signals ended",
    )
    traced.add_argument(
        "--code",
        dest="codes",
        metavar="N[-M][,...]",
        action="extend",
        default=[],
        type=_list_of(parse_codes),
        help="trace only what exited with one of these codes (or, with --signal, ended by one)",
    )
    traced.add_argument(
        "--cause",
        dest="causes",
        metavar="KIND[,...]",
        action="extend",
        default=[],
        type=_list_of(parse_causes),
        help=f"trace only ends of these kinds (implies -w): {', '.join(KINDS)}",
    )
    shown = options.add_argument_group("what to show")
    shown.add_argument(
        "-w", "--why", action="store_true", help="show who or what ended each process"
    )
    shown.add_argument(
        "-t", "--timestamp", action="store_true", help="include the time of exit (local time)"
    )
    shown.add_argument(
        "--utc", action="store_true", help="include the time of exit in UTC (implies -t)"
    )
    shown.add_argument(
        "--label",
        nargs="?",
        const="exit",
        help="label each line, to merge the output of several tools by sort ('exit' if no LABEL)",
    )
    return options


def wanted(options: argparse.Namespace) -> Filters:
    """Return what the options ask for. Raises SystemExit if nothing could ever be it."""
    chosen = {name: getattr(options, name) for name in Filters._fields}
    try:
        return Filters.checked(**chosen)
    except ValueError as error:
        parser().error(str(error))


def _list_of(parse: Callable[[str], list[T]]) -> Callable[[str], list[T]]:
    def parsed(text: str) -> list[T]:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parsed


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version  # slow to import, and seldom asked for

        parser.exit(message=f"exitsnoop {version('exitsnoop')}\n")
