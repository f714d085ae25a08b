"""`exitsnoop sql`: a statement of SQL over the recording, read-only."""

import os
import re
import signal
import sqlite3
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from exitsnoop.cli import queries
from exitsnoop.cli.options import UsageError, refuse
from exitsnoop.cli.output import Output
from exitsnoop.cli.progress import Progress
from exitsnoop.cli.recording import add_store, opened
from exitsnoop.cli.statuses import EX_NOT_RECORDED
from exitsnoop.cli.stretch import add_stretch, asked, stretch
from exitsnoop.cli.verbs import nearest
from exitsnoop.sinks.rows import RowCsv, RowJson, RowTable
from exitsnoop.store.errors import StoreError
from exitsnoop.store.opening import INSTRUCTIONS
from exitsnoop.store.schema import VIEW
from exitsnoop.store.view import During

if TYPE_CHECKING:
    import argparse

    from exitsnoop.cli.verbs import Given

NAME = "sql"
SUMMARY = "run a query over the recording: SQL that can only read"
NOTES = """\
The view is named exits. Without STATEMENT, its columns are listed. Standard error says
what was not recorded.

examples:
    exitsnoop sql 'SELECT comm, count(*) FROM exits WHERE failed = 1 GROUP BY comm'
    exitsnoop sql --since 1h --json "SELECT * FROM exits WHERE unit = 'nginx.service'"

exit status:
     0  all rows were written
     2  usage error, or SQLite does not understand the statement
     3  there is no recording, or not of that time
    74  exits of that time were lost, a file of the recording is damaged, or the
        output could not be written
    77  this user may not read the recording
   130  Ctrl-C ended the query
"""
AT_ONCE = 10_000
"""So many rows are read before any is written; with no more, the recorder need not wait for us."""
_DAMAGED = ("image is malformed", "not a database", "disk I/O error", "unable to open")


def add_arguments(parser: "argparse.ArgumentParser") -> None:
    """Add its own options."""
    parser.epilog = NOTES
    parser.add_argument("statement", metavar="STATEMENT", nargs="?", default=None, help="the query")
    add_store(parser)
    add_stretch(parser)
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--json", action="store_true", help="JSON lines, an object for each row")
    forms.add_argument("--csv", action="store_true", help="CSV (RFC 4180) with a header")
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="write to this file, which is overwritten, instead of standard output",
    )
    parser.add_argument(
        "--examples", action="store_true", default=False, help="print ten queries to begin with"
    )


def run(options: "Given") -> int:
    """Print the rows of the query; return the exit status.

    Raises UsageError, StoreError, CannotWrite, BrokenPipeError.
    """
    if options.examples or not options.statement:
        Output(options.output).write(queries.examples() if options.examples else queries.schema())
        return os.EX_OK
    moments = asked(options)
    recording = opened(options)
    during = stretch(moments, recording)
    if during.was_not_recorded(recording):
        return EX_NOT_RECORDED
    output = Output(options.output, private=True)  # there may be arguments in the rows
    limits = During(during.since_ns, during.until_ns, during.boot_id)
    connection = recording.connect(options.statement, limits)
    try:
        _write(options, connection, output)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    finally:
        connection.close()
    lost = any(gap.lost for gap in recording.gaps(during.from_ns, during.to_ns))
    during.say_what_is_missing(recording)
    return os.EX_IOERR if lost or recording.unreadable else os.EX_OK


def _write(options: "Given", connection: sqlite3.Connection, output: Output) -> None:
    progress = Progress("Ctrl-C ends the query")  # Python looks for it where this is called
    connection.set_progress_handler(progress.tick, INSTRUCTIONS)
    names, blocks = _result(connection, options.statement, progress)
    first = next(blocks)
    if len(first) < AT_ONCE:
        connection.close()
    ascii_only = not output.takes_utf8
    form: RowJson | RowCsv | RowTable
    if options.json:
        form = RowJson(names)
    elif options.csv:
        form = RowCsv(names, ascii_only=ascii_only)
    else:
        width = output.width() if output.is_terminal else None
        form = RowTable(names, first, width=width, ascii_only=ascii_only)
    output.begin()
    output.write(form.header())
    output.write(form.rows(first))
    if len(first) == AT_ONCE:
        for rows in blocks:
            output.write(form.rows(rows))


def _result(
    connection: sqlite3.Connection, statement: str, progress: Progress
) -> tuple[list[str], Iterator[list[Any]]]:
    """Return the names of the columns, and an iterator over blocks of rows, one at least."""
    try:
        cursor = connection.execute(statement)
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        raise _explained(error) from None
    finally:
        progress.clear()
    if cursor.description is None:
        refuse("that is not a query: it has no rows")
    return [name for name, *_ in cursor.description], _blocks(cursor, progress)


def _blocks(cursor: sqlite3.Cursor, progress: Progress) -> Iterator[list[Any]]:
    while True:
        try:
            rows = cursor.fetchmany(AT_ONCE)
        except sqlite3.Error as error:
            raise _explained(error) from None
        finally:
            progress.clear()
        yield rows
        if len(rows) < AT_ONCE:
            return


def _explained(error: Exception) -> BaseException:
    """Return the error to raise for one of SQLite: it is about the statement, or about a file."""
    said = str(error)
    if said == "interrupted":
        return KeyboardInterrupt()
    if any(part in said for part in _DAMAGED):
        return StoreError(
            f"a file of the recording cannot be read ({said}): exitsnoop past shows the others"
        )
    if "not authorized" in said or "prohibited" in said or "readonly" in said:
        said = "only statements that read are possible"
    elif missing := re.fullmatch(r"no such column: (?:.*\.)?(.*)", said):
        said += nearest(missing[1], VIEW) or "; `exitsnoop sql` lists them"
    elif said.startswith("no such table"):
        said += "; the view of all exits is named exits"
    return UsageError(f"SQL: {said}")
