"""ClickHouse's own engine takes the tables, the rows in both forms, and the ten questions."""

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chdb.session import Session
from support.fleet import HOSTS, in_sqlite, record_fleet
from support.fleet_answers import check

from exitsnoop.cli import main
from exitsnoop.fleet import ddl
from exitsnoop.fleet.queries import QUESTIONS, filled

DOCUMENT = Path(__file__).parents[2] / "docs" / "fleet.md"

STANDING = {"clickhouse-client": "clickhouse_client.py", "duckdb": "duckdb_shell.py"}


class Engine:
    """The tables with the exits of some machines, sent as JSON lines and again from Parquet."""

    def __init__(self, directory: Path) -> None:
        self.stores = record_fleet(directory / "stores")
        self.truth: sqlite3.Connection = in_sqlite(self.stores)
        self.lines: list[dict[str, Any]] = []
        self._session = Session(str(directory / "clickhouse"))
        for statement in ddl.clickhouse().split(";\n")[:-1]:
            self._session.query(statement)
        for store in self.stores:
            file = f"{directory}/{store.name}.jsonl"
            words = ["export", "--store", str(store), "--cluster", "c1"]
            assert main([*words, "--jsonl", file]) == 74  # exits were lost
            assert main([*words, "--parquet", str(directory / "fleet")]) == 74
            for table, end in (("exits", ""), ("coverage", ".coverage")):
                self._session.query(
                    f"INSERT INTO {table} FROM INFILE '{file}{end}' FORMAT JSONEachRow"
                )
            self.lines += map(json.loads, Path(file).read_text().splitlines())
        for statement in from_parquet():
            self._session.query(statement.replace("fleet/", f"{directory}/fleet/"))

    def rows(self, sql: str) -> list[Any]:
        """The rows that a query finds."""
        answer = json.loads(str(self._session.query(sql, "JSONCompact")))
        assert isinstance(answer["data"], list)
        return answer["data"]

    def records(self, sql: str) -> list[dict[str, Any]]:
        """The same as objects."""
        return [
            json.loads(line) for line in str(self._session.query(sql, "JSONEachRow")).splitlines()
        ]

    def close(self) -> None:
        self._session.close()


def from_parquet() -> list[str]:
    """The statements that docs/fleet.md shows."""
    (block,) = re.findall(r"```sql\n(INSERT.*?)```", DOCUMENT.read_text(), re.S)
    return [line for line in block.split(";\n") if line]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    made = Engine(tmp_path_factory.mktemp("engine"))
    yield made
    made.close()


def test_what_was_sent_twice_collapses(engine: Engine) -> None:
    (recorded,) = engine.truth.execute("SELECT count(*) FROM exits").fetchone()
    assert engine.rows("SELECT count() FROM exits") == [[2 * recorded]]
    assert engine.rows("SELECT count() FROM exits FINAL") == [[recorded]]
    twice, once = (
        engine.rows(
            f"SELECT count() FROM coverage {final} WHERE why = 'stopped' AND kind = 'recorded'"
        )
        for final in ("", "FINAL")
    )
    assert (twice, once) == ([[4 * len(HOSTS)]], [[2 * len(HOSTS)]])


@pytest.mark.parametrize("nth", range(10))
def test_the_answer_is_that_of_the_recordings(engine: Engine, nth: int) -> None:
    check(nth, engine.rows(filled(QUESTIONS[nth], final=True)), engine.truth)


@pytest.mark.parametrize("which", ["FINAL", "WHERE _part_offset >= 0"])
def test_every_field_is_there(engine: Engine, which: str) -> None:
    """From JSON lines and from Parquet alike; what is unknown is empty."""
    found = engine.records(f"SELECT * FROM exits {which} ORDER BY host_id, boot_ns, pid")
    times = 1 if which == "FINAL" else 2
    truth = sorted(engine.lines, key=lambda one: (one["host_id"], one["boot_ns"], one["pid"]))
    assert len(found) == times * len(truth)
    for row, one in zip(found, [one for one in truth for _ in range(times)], strict=True):
        row["time"] = row["time"].replace(" ", "T") + "Z"
        assert known(row) == known(one)


def known(row: dict[str, Any]) -> dict[str, Any]:
    return {name: cell for name, cell in row.items() if cell not in (None, "", [])}


def test_the_commands_of_the_document(engine: Engine, tmp_path: Path) -> None:
    """From Parquet on; the client is the engine alone, and DuckDB's shell its library."""
    programs = tmp_path / "bin"
    programs.mkdir()
    here = Path(__file__).parent
    for name, script in STANDING.items():
        (programs / name).write_text(f'#!/bin/sh\nexec {sys.executable} -B {here / script} "$@"\n')
        (programs / name).chmod(0o755)
    own = DOCUMENT.read_text().partition("## To Parquet")[2]
    blocks = [block for block in re.findall(r"```sh\n(.*?)```", own, re.S) if block[:3] != "pip"]
    assert len(blocks) == 3
    environment = {
        **os.environ,
        "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "EXITSNOOP_STORE": str(engine.stores[0]),
        "CHDB_PATH": str(tmp_path / "clickhouse"),
    }
    for block in blocks:
        script = f"set -o pipefail\n{block}"
        run = subprocess.run(["bash", "-ec", script], cwd=tmp_path, env=environment)
        assert run.returncode == 0, block
    tables = subprocess.check_output(
        [programs / "clickhouse-client", "-q", "SELECT count() > 0 FROM exits"],
        env=environment,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    assert tables == "1\n"


def test_the_benchmark_runs() -> None:
    """It compares each answer with the recordings; enough machines that each question has one."""
    root = Path(__file__).parents[2]
    out = subprocess.check_output(
        [sys.executable, "-B", root / "benchmarks" / "fleet.py", "12"],
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": str(root / "tests")},
    )
    assert out.startswith("12 machines, 14,400 exits, ")
    assert [f"| {one.question} |" in out for one in QUESTIONS] == [True] * 10
    assert "| 0 |" not in out
    assert "\nEach answer is that of the recordings. " in out
