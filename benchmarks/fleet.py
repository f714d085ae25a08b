"""A fleet that is made up: what its exits take on disk, and how long queries take.

    make bench-fleet MACHINES=1000
    PYTHONPATH=tests python benchmarks/fleet.py [MACHINES [HOURS]]      the same; 24 hours

Each machine has a recording of its own: 50 failed exits an hour, of 200 workloads, with arguments,
senders, figures and stacks. `exitsnoop export` writes it as Parquet and as JSON lines. The engine
of ClickHouse (chdb) takes both, so that it gets each exit twice; DuckDB reads the Parquet files.
They answer the queries of `exitsnoop schema` as of the time when the recordings end. Each answer,
without its LIMIT, is compared with what SQLite says of the recordings.

Times are seconds of CPU, of all threads: what else the machine does changes them least.
"""

import json
import math
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
from chdb.session import Session
from machines import AN_HOUR, host, lost, record
from support.fleet import add_exits, empty
from support.fleet_answers import ANSWERS, plain

from exitsnoop.cli import main as exitsnoop
from exitsnoop.fleet import ddl
from exitsnoop.fleet.queries import QUESTIONS, filled

AT_ONCE = 100
"""So many machines are sent to ClickHouse at a time."""
ON_DISK = "SELECT sum(data_compressed_bytes) FROM system.parts WHERE active AND table = 'exits'"
Rows = list[tuple[Any, ...]]


def files(directory: Path) -> list[int]:
    """The size of each file below a directory."""
    return [path.stat().st_size for path in directory.rglob("*") if path.is_file()]


class Fleet:
    """The exits of all machines: in files, in ClickHouse, and in SQLite.

    Attributes:
        spent: seconds of CPU, or bytes, by what they were for.
    """

    def __init__(self, directory: Path, count: int) -> None:
        self.parquet = directory / "fleet"
        self.spent: defaultdict[str, float] = defaultdict(float)
        self.truth = empty()
        self.session = Session(f"{directory}/clickhouse")
        self._lines = directory / "lines"
        self._store = directory / "store"
        self._count = count
        self._now_ns = time.time_ns()
        self.at_s = self._now_ns // 10**9 + 1
        for statement in ddl.clickhouse().split(";\n")[:-1]:
            self.session.query(statement)

    @contextmanager
    def _measured(self, what: str) -> Iterator[None]:
        begun = time.process_time()
        yield
        self.spent[what] += time.process_time() - begun

    def add(self, numbers: range) -> None:
        """Record machines, export what they have, and send it; only Parquet files stay."""
        self._lines.mkdir()
        for number in numbers:
            self._add(number)
        name = f"{host(numbers[0])[:-2]}*"  # that of a hundred machines
        for table, place, end in (("exits", "", "jsonl"), ("coverage", "_coverage/", "coverage")):
            source = f"file('{self.parquet}/{place}date=*/host={name}/*.parquet')"
            with self._measured("ClickHouse, from Parquet"):
                self.session.query(f"INSERT INTO {table} SELECT * EXCEPT date FROM {source}")
            source = f"INFILE '{self._lines}/*.{end}'"
            with self._measured("ClickHouse, from JSON lines"):
                self.session.query(f"INSERT INTO {table} FROM {source} FORMAT JSONEachRow")
        self.spent["JSON lines"] += sum(files(self._lines))
        shutil.rmtree(self._lines)

    def _add(self, number: int) -> None:
        record(self._store, number, self._count, self._now_ns)
        recorded = self._store.glob("exits-*.db")
        self.spent["recordings"] += sum(path.stat().st_size for path in recorded)
        forms = {"--parquet": self.parquet, "--jsonl": self._lines / f"{number}.jsonl"}
        for form, to in forms.items():
            with self._measured(f"export {form}"):
                status = exitsnoop(["export", "--store", str(self._store), form, str(to)])
            assert status == (74 if lost(number) else 0)
        add_exits(self.truth, host(number), self._store, lambda unit: unit or "")
        shutil.rmtree(self._store)

    def clickhouse(self, query: str) -> Rows:
        """What ClickHouse answers, as of the time when the recordings end."""
        query = query.replace("now()", f"toDateTime({self.at_s}, 'UTC')")
        found = json.loads(str(self.session.query(query, "JSONCompact")))["data"]
        return [tuple(row) for row in found]

    def in_sqlite(self, nth: int, machines: int) -> Rows:
        """What is the answer to a question."""
        statement = ANSWERS[nth]
        if statement is not None:
            statement = statement.replace("LIMIT 20", "")
            return self.truth.execute(statement, {"now": self.at_s}).fetchall()
        stopped = [(host(one), "nothing", "stopped", 1, None) for one in range(machines)]
        numbers = filter(lost, range(machines))
        return [*stopped, *((host(one), "lost", "overflow", 1, lost(one)) for one in numbers)]


class Files:
    """DuckDB, over the Parquet files."""

    def __init__(self, fleet: Fleet) -> None:
        self._at = f"to_timestamp({fleet.at_s})"
        self._shell = duckdb.connect()
        self._shell.execute("SET TimeZone = 'UTC'")
        self._shell.execute(ddl.duckdb(str(fleet.parquet)))

    def ask(self, query: str) -> Rows:
        """What DuckDB answers."""
        return self._shell.execute(query.replace("now()", self._at)).fetchall()


def compared(nth: int, rows: Rows) -> Rows:
    """The cells that recordings know, in an order, so that equal answers are equal."""
    found = plain(rows)
    if nth == 4 and found and len(found[0]) == 6:
        found = [(*row[:4], row[5]) for row in found]  # how long was when it was exported
    if nth == 5:
        found = [(row[0], row[2]) for row in found]  # the id is not in a recording's view
    return sorted(found, key=lambda row: [str(cell) for cell in row if not isinstance(cell, float)])


def same(one: Rows, other: Rows) -> bool:
    """Whether two answers are equal; sums may differ by the order of their numbers."""
    return len(one) == len(other) and all(
        math.isclose(cell, known, rel_tol=1e-6)
        if isinstance(cell, float) and isinstance(known, float | int)
        else cell == known
        for row, truth in zip(one, other, strict=True)
        for cell, known in zip(row, truth, strict=True)
    )


def asked(ask: Callable[[str], Rows], query: str, nth: int, truth: Rows) -> float:
    """Return the seconds of CPU that a query takes. Raises ValueError for a wrong answer."""
    begun = time.process_time()
    rows = ask(query)
    taken = time.process_time() - begun
    every = compared(nth, ask(query.removesuffix(" LIMIT 20")))
    if not same(every, truth):
        wrong = [pair for pair in zip(every, truth, strict=False) if pair[0] != pair[1]]
        raise ValueError(f"{query}: {len(every)} rows, not {len(truth)}: {wrong[:3]}")
    if len(rows) != min(20, len(truth)):
        raise ValueError(f"{query}: {len(rows)} rows of {len(truth)}")
    return taken


def show_sizes(fleet: Fleet, machines: int, exits: int) -> None:
    """Print what an exit takes."""
    sizes = files(fleet.parquet)
    print(
        f"{machines:,} machines, {exits:,} exits, {len(sizes):,} Parquet files\n\n| | |\n|---|---|"
    )
    in_clickhouse = int(str(fleet.session.query(ON_DISK, "TSV")))
    rows = {
        "in a recording": fleet.spent["recordings"],
        "in Parquet": sum(sizes),
        "as JSON lines": fleet.spent["JSON lines"],
        "in ClickHouse": in_clickhouse,
    }
    for label, size in rows.items():
        print(f"| {label} | {size / exits:,.0f} bytes an exit |")
    for what, spent in fleet.spent.items():
        if what not in ("recordings", "JSON lines"):
            print(f"| {what} | {spent / exits * 1e6:,.0f} µs of CPU an exit |")


def show_queries(fleet: Fleet, machines: int) -> None:
    """Ask each question, and print how long it took."""
    print("\n| query | rows | ClickHouse, s | DuckDB, s |\n|---|---|---|---|")
    over_files = Files(fleet)
    for nth, one in enumerate(QUESTIONS):
        truth = compared(nth, fleet.in_sqlite(nth, machines))
        fast = asked(fleet.clickhouse, filled(one, final=True), nth, truth)
        taken = asked(over_files.ask, filled(one, final=False), nth, truth)
        print(f"| {one.question} | {len(truth):,} | {fast:.2f} | {taken:.1f} |", flush=True)


def main() -> None:
    """Do what the arguments say, and print tables."""
    given = [int(word) for word in sys.argv[1:]]
    machines, hours = [*given, *(1000, 24)[len(given) :]]
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="exitsnoop-fleet-") as name:
        fleet = Fleet(Path(name), AN_HOUR * hours)
        for first in range(0, machines, AT_ONCE):
            fleet.add(range(first, min(first + AT_ONCE, machines)))
            print(f"{first + AT_ONCE} machines are sent", file=sys.stderr)
        (recorded,) = fleet.truth.execute("SELECT count(*) FROM exits").fetchone()
        for table in ("exits", "coverage"):
            fleet.session.query(f"OPTIMIZE TABLE {table} FINAL")
        if fleet.clickhouse("SELECT count() FROM exits") != [(recorded,)]:
            raise ValueError("what was sent twice did not collapse")
        show_sizes(fleet, machines, recorded)
        show_queries(fleet, machines)
        fleet.session.close()
    print(f"\nEach answer is that of the recordings. {time.monotonic() - begun:,.0f} s.")


if __name__ == "__main__":
    main()
