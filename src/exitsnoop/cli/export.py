"""`exitsnoop export`: a copy of the recording, or its exits as Parquet or JSON lines."""

import errno
import os
import signal
import sqlite3
from typing import TYPE_CHECKING

from exitsnoop.cli.lists import parse_text
from exitsnoop.cli.options import refuse
from exitsnoop.cli.output import CannotWrite, complain
from exitsnoop.cli.parser import Store
from exitsnoop.cli.progress import Progress
from exitsnoop.cli.recording import add_store, opened
from exitsnoop.cli.stretch import add_stretch
from exitsnoop.filters.filters import EVERYTHING
from exitsnoop.filters.table import WHICH, WHOSE
from exitsnoop.reports.gaps import damaged

if TYPE_CHECKING:
    import argparse

    from exitsnoop.cli.verbs import Given

NAME = "export"
SUMMARY = "carry the recording away: a copy of it, Parquet files, or JSON lines"
NOTES = """\
A copy answers on any machine, whatever records there: the names of users, units
and containers are in it.

Parquet and JSON lines have the columns of `exitsnoop schema`, and which machine
it was. Beside them goes what was recorded and what was not. Files appear when
they are whole; they are for their owner alone unless --no-args leaves the
arguments out. What the filters say about tracing, they do here with what was
recorded.

examples:
    exitsnoop export ./friday
    exitsnoop export --parquet ./fleet --since yesterday --until today
    exitsnoop export --jsonl - -x --no-args |
        clickhouse-client -q 'INSERT INTO exits FORMAT JSONEachRow'

exit status:
     0  it is written
     2  usage error, the directory exists, or pyarrow is missing
     3  there is no recording, or not of that time
    74  it could not be written; or exits of that time were lost, or a file of
        the recording is damaged: what is written lacks them
    77  this user may not read the recording
   130  Ctrl-C ended it: there is no new file; a copy is not whole
"""
_HIDING = ("no_args", "redact")
TABLES = "Parquet or JSON lines: which exits, and what of them"


def add_arguments(parser: "argparse.ArgumentParser") -> None:
    """Add its own options, and the filters of a trace."""
    from exitsnoop.cli.parser import add_groups, add_options

    parser.epilog = NOTES
    parser.add_argument(
        "to", metavar="DIRECTORY", nargs="?", default=None, help="copy it to here; it is made"
    )
    parser.add_argument(
        "--parquet",
        metavar="DIR",
        default=None,
        help="write DIR/date=.../host=.../*.parquet, and what was recorded to DIR/_coverage; needs "
        "pyarrow: exitsnoop[parquet]",
    )
    parser.add_argument(
        "--jsonl",
        metavar="FILE",
        default=None,
        help="write JSON lines to this file, or to standard output (-)",
    )
    parser.add_argument(
        "--coverage",
        metavar="FILE",
        default=None,
        help="with --jsonl: where to write what was recorded (default: FILE.coverage; with -: "
        "nowhere)",
    )
    add_store(parser)
    group = parser.add_argument_group(TABLES)
    add_stretch(group)
    group.add_argument(
        "--cluster",
        action=Store,
        type=parse_text,
        metavar="NAME",
        default="",
        help="the name of the cluster, for its column",
    )
    add_options(group, _HIDING)
    add_groups(parser, (WHOSE, WHICH))


def run(options: "Given") -> int:
    """Write it; return the exit status. Raises UsageError, StoreError, CannotWrite."""
    forms = [options.to, options.parquet, options.jsonl]
    if sum(form is not None for form in forms) != 1:
        refuse("name one: a DIRECTORY for a copy, --parquet DIR, or --jsonl FILE")
    try:
        if options.to is None:
            from exitsnoop.cli import exporting

            return exporting.run(options)
        _refuse_what_a_copy_has_not(options)
        return _copy(options)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _refuse_what_a_copy_has_not(options: "Given") -> None:
    """Raise UsageError for an option that would leave something out: a copy is whole."""
    from exitsnoop.cli.options import Options

    usual = vars(Options())
    names = (*EVERYTHING, *_HIDING, "excluding")
    given = any(getattr(options, name) != usual[name] for name in names)
    if given or options.since or options.until or options.boot or options.cluster:
        refuse("a copy has everything: only --parquet and --jsonl leave something out")
    if options.coverage is not None:
        refuse("argument --coverage: it belongs to --jsonl")


def _copy(options: "Given") -> int:
    progress = Progress("copying the recording")
    recording = opened(options, progress)
    try:
        recording.copy(options.to)
    except FileExistsError:
        refuse(f"{options.to} exists: name a directory that is to be made")
    except OSError as error:
        raise CannotWrite(error) from None
    except sqlite3.Error as error:
        raise CannotWrite(OSError(errno.EIO, f"{error}; it is not whole", options.to)) from None
    finally:
        progress.end()
    for line in damaged(recording.unreadable):
        complain(line)
    return os.EX_IOERR if recording.unreadable else os.EX_OK
