"""Stands for DuckDB's shell in the commands of docs/fleet.md: `duckdb -init FILE -c STATEMENT`."""

import sys
from pathlib import Path

import duckdb


def main() -> None:
    """Run the file, then the statement; print its rows."""
    _, init, file, command, statement = sys.argv
    assert (init, command) == ("-init", "-c")
    connection = duckdb.connect()
    connection.execute(Path(file).read_text())
    for row in connection.execute(statement).fetchall():
        sys.stdout.write("\t".join(map(str, row)) + "\n")


if __name__ == "__main__":
    main()
