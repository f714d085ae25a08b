"""The tables and the view: every field has a place, questions use the indexes, versions."""

import re
import sqlite3
from pathlib import Path

import pytest
from support.recorded import ask, exits, json_lines, read, record, writer

from exitsnoop.model.fields import FIELDS
from exitsnoop.store import directory, schema
from exitsnoop.store.errors import StoreTooNew
from exitsnoop.store.recording import Recording

GOLDEN = Path(__file__).with_name(f"schema-{schema.VERSION}.sql")


def segment_of(store: Path) -> Path:
    (segment,) = store.glob("exits-*.db")
    return segment


def test_every_field_has_a_column() -> None:
    """`wanted` is about the trace: what is recorded was wanted."""
    assert FIELDS.keys() - {"wanted"} <= schema.VIEW.keys()


def test_the_schema_is_that_of_its_version(tmp_path: Path) -> None:
    """If this fails, columns were added: raise schema.VERSION, and keep the old golden file."""
    connection = sqlite3.connect(tmp_path / "new.db", isolation_level=None)
    schema.create(connection, 1)
    made = "\n".join(sql for (sql,) in connection.execute("SELECT sql FROM sqlite_master") if sql)
    connection.close()
    assert made == GOLDEN.read_text().rstrip("\n")


def test_old_sqlite_has_all_that_is_used() -> None:
    """SQLite 3.34, of Debian 11."""
    for path in Path(schema.__file__).parent.glob("*.py"):
        for word in (r"\bSTRICT\b", r"\bRETURNING\b", r"->>?\s*'", r"unixepoch\(", r"DROP COLUMN"):
            assert not re.search(word, path.read_text()), path


PLANS = {
    "pid = 5": "rows_pid (pid=?)",
    "comm = 'nginx'": "rows_origin (origin=?)",
    "exe = '/usr/sbin/nginx'": "rows_origin (origin=?)",
    "unit = 'nginx.service'": "rows_origin (origin=?)",
    "container = '0123'": "rows_origin (origin=?)",
    "container_name = 'web'": "rows_origin (origin=?)",
    "pod = '0123'": "rows_origin (origin=?)",
    "pod_name = 'web'": "rows_origin (origin=?)",
    "user = 'bob'": "rows_origin (origin=?)",
    "failed = 1": "rows_failed (failed=?)",
    "failed = 1 AND id > 5": "rows_failed (failed=? AND rowid>?)",
    "id > 5": "INTEGER PRIMARY KEY (rowid>?)",
}


@pytest.mark.parametrize("where", PLANS)
@pytest.mark.parametrize("over", ["one segment", "all"])
def test_questions_use_the_indexes(store: Path, where: str, over: str) -> None:
    record(store, exits(range(100)))
    connection = Recording(store).connect() if over == "all" else sqlite3.connect(segment_of(store))
    asked = f"SELECT id, time, comm, unit, args FROM exits WHERE {where}"
    for order in ("", " ORDER BY id DESC LIMIT 1"):
        steps = connection.execute(f"EXPLAIN QUERY PLAN {asked}{order}")
        plan = [detail for *_, detail in steps]
        assert any(PLANS[where] in step for step in plan), plan
        assert not [step for step in plan if re.match(r"SCAN (TABLE )?(e|rows)\b", step)], plan
    connection.close()


def test_a_newer_recording_is_refused_in_words(store: Path) -> None:
    record(store, exits(range(10)))
    connection = sqlite3.connect(segment_of(store))
    connection.execute(f"PRAGMA user_version={schema.VERSION + 1}")
    connection.close()
    with pytest.raises(StoreTooNew, match="newer exitsnoop"):
        writer(store)
    with pytest.raises(StoreTooNew, match="newer exitsnoop"):
        read(store)


def without_column(store: Path, column: str) -> None:
    """Make a segment as if it had been written before there was a column."""
    connection = sqlite3.connect(segment_of(store), isolation_level=None)
    kept = [row[1] for row in connection.execute("PRAGMA table_info(rows)") if row[1] != column]
    indexes = [
        sql
        for (sql,) in connection.execute(
            "SELECT sql FROM sqlite_master WHERE tbl_name = 'rows' AND type = 'index'"
        )
    ]
    connection.execute("DROP VIEW exits")
    connection.execute(f"CREATE TABLE old (id INTEGER PRIMARY KEY, {', '.join(kept[1:])})")
    connection.execute(f"INSERT INTO old SELECT {', '.join(kept)} FROM rows")
    connection.execute("DROP TABLE rows")
    connection.execute("ALTER TABLE old RENAME TO rows")
    for sql in indexes:
        connection.execute(sql)
    connection.execute("CREATE VIEW exits AS SELECT id FROM rows")
    connection.execute("PRAGMA user_version=0")
    connection.close()


def test_an_older_recording_is_read_and_written(store: Path) -> None:
    record(store, exits(range(10)))
    without_column(store, "major_faults")
    expected = json_lines(exits(range(10), major_faults=None))
    assert json_lines(read(store)) == expected
    assert ask(store, "SELECT major_faults, pid FROM exits")
    recorder = writer(store)  # brings it to the version of today
    recorder.add(exits(range(10, 20)))
    recorder.close()
    assert json_lines(read(store)) == expected + json_lines(exits(range(10, 20)))


def test_an_upgrade_is_whole_or_not_at_all(store: Path) -> None:
    record(store, exits(range(10)))
    without_column(store, "major_faults")
    connection = directory.connect(segment_of(store))
    assert schema.version(connection) == schema.VERSION
    assert "major_faults" in schema.present(connection, "rows")
    assert set(schema.VIEW) == schema.present(connection, "exits")
    connection.close()


def test_recordings_of_released_versions_are_read(tmp_path: Path) -> None:
    """Each golden file makes the tables of its version; a segment of it must answer."""
    for golden in Path(__file__).parent.glob("schema-*.sql"):
        number = int(golden.stem.partition("-")[2])
        where = tmp_path / golden.stem
        record(where, exits(range(3)))
        old = segment_of(where)
        old.unlink()
        connection = sqlite3.connect(old, isolation_level=None)
        for statement in golden.read_text().split(";\n")[0].split("\nCREATE "):
            connection.execute(
                statement if statement.startswith("CREATE") else f"CREATE {statement}"
            )
        connection.execute("INSERT INTO about VALUES ('first_id', 1)")
        connection.execute(f"PRAGMA user_version={number}")
        connection.close()
        assert len(read(where)) == 0
        record(where, exits(range(5)))
        assert json_lines(read(where)) == json_lines(exits(range(5)))


def test_a_copy_is_a_recording(store: Path, tmp_path: Path) -> None:
    recorder = writer(store)
    recorder.add(exits(range(100)))
    recorder.commit()
    Recording(store).copy(tmp_path / "copy")
    recorder.add(exits(range(100, 200)))
    recorder.close()
    assert json_lines(read(tmp_path / "copy")) == json_lines(exits(range(100)))
    with pytest.raises(FileExistsError):
        Recording(store).copy(tmp_path / "copy")


def test_sql_can_only_read(store: Path, tmp_path: Path) -> None:
    record(store, exits(range(10)))
    connection = Recording(store).connect()
    for statement in (
        "DELETE FROM s1.rows",
        "CREATE TABLE x (a)",
        f"ATTACH '{tmp_path / 'new.db'}' AS new",
        "PRAGMA s1.journal_mode=WAL",
        "PRAGMA query_only=0",
        "DROP VIEW exits",
    ):
        with pytest.raises(sqlite3.DatabaseError):
            connection.execute(statement)
    assert connection.execute("SELECT count(*) FROM exits").fetchone() == (10,)
    connection.close()
    assert not (tmp_path / "new.db").exists()


def test_the_queries_of_the_document_run(store: Path) -> None:
    record(store, exits(range(100)))
    document = (Path(__file__).parents[2] / "docs" / "recorder.md").read_text()
    queries = re.findall(r"```sql\n(.*?)```", document, re.DOTALL)
    assert queries
    connection = sqlite3.connect(f"file:{segment_of(store)}?mode=ro", uri=True)
    for query in queries:
        connection.execute(query).fetchall()
    connection.close()


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("SELECT count(*) FROM exits", {"id"}),
        ('SELECT Comm, "exe" FROM exits WHERE pid = 1', {"id", "comm", "exe", "pid"}),
        ("SELECT count( * ), max(wall_ns) FROM exits", {"id", "wall_ns"}),
        ("SELECT * FROM exits", set(schema.VIEW)),
        ("SELECT e.* FROM exits e", set(schema.VIEW)),
        ("SELECT 2*count(*) FROM exits -- all * of them", {"id"}),
        ("WITH f AS (SELECT pid, exe FROM exits) SELECT pid FROM f", {"id", "pid", "exe"}),
        ("SELECT a.pid FROM exits a JOIN exits b ON b.ppid = a.pid", {"id", "pid", "ppid"}),
    ],
)
def test_a_query_costs_the_columns_that_it_names(store: Path, sql: str, columns: set[str]) -> None:
    """SQLite would make all columns of every row to count them, over several files."""
    record(store, exits(range(10)))
    connection = Recording(store).connect(sql)
    assert schema.present(connection, "exits") == columns
    assert connection.execute(sql).fetchall() == ask(store, sql)
    connection.close()
