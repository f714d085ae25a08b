"""Many exits in a recording, sooner than a recorder writes them: what ended well, many times."""

import sqlite3
from contextlib import closing
from pathlib import Path


def multiply(store: Path, times: int) -> int:
    """Make each exit that ended well so many, a microsecond apart; return how many exits there are.

    The recording has one segment, and no recorder. Ids stay in the order of time, and the counts by
    the hour are those of the rows, as a recorder leaves them.
    """
    (path,) = store.glob("exits-*.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("BEGIN")
        names = [row[1] for row in connection.execute("PRAGMA table_info(rows)")]
        same = ", ".join(f'"{name}"' for name in names if name not in ("id", "boot_ns", "pid"))
        connection.execute("CREATE TEMP TABLE old AS SELECT * FROM rows")
        indexes = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'rows'"
        ).fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        connection.execute("DELETE FROM rows")
        connection.execute(
            f"INSERT INTO rows (id, boot_ns, pid, {same}) "
            "WITH RECURSIVE nth (n) AS ("
            f"SELECT 0 UNION ALL SELECT n + 1 FROM nth WHERE n < {times - 1}) "
            f"SELECT id * {times} + n, boot_ns + 1000 * n, pid + n, {same} FROM old, nth "
            "WHERE n = 0 OR status = 0 ORDER BY id, n"
        )
        for _, sql in indexes:
            connection.execute(sql)
        connection.execute(
            f"UPDATE times SET id = id * -{times}, until_ns = until_ns + 1000 * {times}"
        )
        connection.execute("UPDATE times SET id = -id")
        connection.execute(f"UPDATE hours SET count = count * {times} WHERE status = 0")
        connection.execute("COMMIT")
        (count,) = connection.execute("SELECT count(*) FROM rows").fetchone()
    return int(count)
