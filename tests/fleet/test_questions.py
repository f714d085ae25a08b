"""The ten questions of `exitsnoop schema --queries`, asked of DuckDB over Parquet of machines."""

import sqlite3
from pathlib import Path

import duckdb
import pytest
from support.fleet import HOSTS, in_sqlite, record_fleet
from support.fleet_answers import check

from exitsnoop.cli import main
from exitsnoop.fleet.queries import QUESTIONS, filled


class Fleet:
    """Parquet files of some machines, and the same exits in SQLite."""

    def __init__(self, directory: Path) -> None:
        stores = record_fleet(directory / "stores")
        self.parquet = directory / "fleet"
        for store in stores * 2:  # a second export replaces the first
            words = ["--store", str(store), "--parquet", str(self.parquet), "--cluster", "c1"]
            assert main(["export", *words]) == 74  # exits were lost
        words = ["--store", str(stores[0]), "--parquet", str(self.parquet), "--cluster", "c1"]
        assert main(["export", "-x", "--since", "9d", *words]) in (0, 74)  # some are there twice
        self.truth: sqlite3.Connection = in_sqlite(stores)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    return Fleet(tmp_path_factory.mktemp("fleet"))


@pytest.fixture
def tables(fleet: Fleet, capfd: pytest.CaptureFixture[str]) -> duckdb.DuckDBPyConnection:
    capfd.readouterr()
    assert main(["schema", "duckdb", "--parquet", str(fleet.parquet)]) == 0
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(capfd.readouterr().out)
    return connection


def test_the_document_has_the_ten() -> None:
    document = (Path(__file__).parents[2] / "docs" / "fleet.md").read_text()
    assert len(QUESTIONS) == 10
    for one in QUESTIONS:
        assert f"{one.question}\n\n```sql\n{filled(one, final=True)}\n```\n" in document


@pytest.mark.parametrize("nth", range(10))
def test_the_answer_is_that_of_the_recordings(
    fleet: Fleet, tables: duckdb.DuckDBPyConnection, nth: int
) -> None:
    check(nth, tables.execute(filled(QUESTIONS[nth], final=False)).fetchall(), fleet.truth)


def test_an_exit_that_was_exported_twice_is_there_once(
    fleet: Fleet, tables: duckdb.DuckDBPyConnection
) -> None:
    files = f"{fleet.parquet}/date=*/host=*/*.parquet"
    (written,) = tables.execute(f"SELECT count(*) FROM read_parquet('{files}')").fetchall()[0]
    (seen,) = tables.execute("SELECT count(*) FROM exits").fetchall()[0]
    (recorded,) = fleet.truth.execute("SELECT count(*) FROM exits").fetchone()
    assert seen == recorded < written


def test_a_machine_is_known_by_the_path(tables: duckdb.DuckDBPyConnection) -> None:
    rows = tables.execute("SELECT DISTINCT host, host_id, cluster FROM exits ORDER BY 2").fetchall()
    assert rows == [(host, f"id-{number}", "c1") for number, host in enumerate(HOSTS)]


def test_the_queries_are_printed(capfd: pytest.CaptureFixture[str]) -> None:
    """Those for ClickHouse let duplicates collapse as they are read; DuckDB has views for that."""
    assert main(["schema", "clickhouse", "--queries"]) == 0
    printed = capfd.readouterr().out
    assert printed.count(";\n") == printed.count(" FINAL") == 10
    assert main(["schema", "duckdb", "--queries"]) == 0
    assert capfd.readouterr().out == printed.replace(" FINAL", "")
