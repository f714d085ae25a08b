"""`exitsnoop schema`: the tables that the exits of many machines go to, and questions to them."""

import os
from typing import TYPE_CHECKING

from exitsnoop.cli.options import refuse
from exitsnoop.cli.output import Output
from exitsnoop.fleet import ddl, queries

if TYPE_CHECKING:
    import argparse

    from exitsnoop.cli.verbs import Given

NAME = "schema"
SUMMARY = "print the tables for the exits of many machines, and ten queries"
NOTES = """\
The columns are those of `exitsnoop sql`, and which machine it was. There are two tables:
exits, and coverage, which says what was recorded and what was not.

examples:
    exitsnoop schema clickhouse | clickhouse-client --multiquery
    exitsnoop schema clickhouse --queries
    exitsnoop schema duckdb --parquet ./fleet > fleet.sql; duckdb -init fleet.sql

exit status:
     0  it was printed
     2  usage error
    74  the output could not be written
"""


def add_arguments(parser: "argparse.ArgumentParser") -> None:
    """Add its own options."""
    parser.epilog = NOTES
    parser.add_argument(
        "dialect", metavar="clickhouse|duckdb", choices=("clickhouse", "duckdb"), help="for which"
    )
    parser.add_argument(
        "--queries", action="store_true", default=False, help="print ten queries instead"
    )
    parser.add_argument(
        "--parquet",
        metavar="DIR",
        default=None,
        help="with duckdb: where the files of `exitsnoop export --parquet` are (default: .)",
    )


def run(options: "Given") -> int:
    """Print it; return the exit status. Raises UsageError, CannotWrite."""
    is_duckdb = options.dialect == "duckdb"
    if options.parquet is not None and (not is_duckdb or options.queries):
        refuse("argument --parquet: only the tables of duckdb read files")
    if options.queries:
        text = queries.text(final=not is_duckdb)
    else:
        text = ddl.duckdb(options.parquet or ".") if is_duckdb else ddl.clickhouse()
    Output().write(text)
    return os.EX_OK
