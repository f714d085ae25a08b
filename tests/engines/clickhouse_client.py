"""Stands for clickhouse-client in the commands of docs/fleet.md; ClickHouse's engine is behind it.

CHDB_PATH=DIRECTORY python clickhouse_client.py --multiquery    statements on standard input
CHDB_PATH=DIRECTORY python clickhouse_client.py -q QUERY        data for it on standard input
"""

import os
import sys

from chdb.session import Session


def main() -> None:
    """Run the statements."""
    session = Session(os.environ["CHDB_PATH"])
    given = sys.stdin.read()
    if sys.argv[1] == "--multiquery":
        for statement in filter(str.strip, given.split(";\n")):
            session.query(statement)
    else:
        query = f"{sys.argv[2]}\n{given}" if given else sys.argv[2]
        sys.stdout.write(str(session.query(query, "TSV")))
    session.close()


if __name__ == "__main__":
    main()
