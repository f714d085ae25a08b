"""Rows go into a table in blocks: none is missing, and none is there twice."""

import sqlite3
from contextlib import closing

import pytest

from exitsnoop.store.inserts import Inserts

BLOCK = 333  # rows of three values


def inserted(rows: list[tuple[int | str, ...]]) -> list[tuple[int | str, ...]]:
    """Insert rows, and return the table."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE some (id INTEGER PRIMARY KEY, a, b, c)")
        connection.execute("CREATE INDEX some_a ON some (a)")
        waiting = Inserts({"some": {"c": 7}})
        waiting["some", ("a", "b")] += rows
        connection.execute("BEGIN")
        waiting.insert(connection)
        connection.execute("COMMIT")
        assert not waiting
        return connection.execute("SELECT * FROM some ORDER BY id").fetchall()


@pytest.mark.parametrize("count", [1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 2 * BLOCK + 5])
def test_all_rows_arrive(count: int) -> None:
    """Whole blocks, and what is left."""
    rows: list[tuple[int | str, ...]] = [(at, at % 9, f"text {at}") for at in range(count)]
    assert inserted(rows) == [(*row, 7) for row in rows]


@pytest.mark.parametrize("where", [0, BLOCK - 1, BLOCK, 2 * BLOCK + 4])
def test_a_number_that_makes_no_sense_costs_no_row(where: int) -> None:
    """The greatest that fits is stored, wherever it comes, and all others as they are."""
    rows: list[tuple[int | str, ...]] = [(at, at % 9, f"text {at}") for at in range(2 * BLOCK + 5)]
    rows[where] = (where, 1 << 63, "too much")
    expected = [(*row, 7) for row in rows]
    expected[where] = (where, (1 << 63) - 1, "too much", 7)
    assert inserted(rows) == expected


def test_a_row_that_is_there_undoes_the_commit() -> None:
    """It is all or nothing, and the rows wait to be inserted elsewhere."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE some (id INTEGER PRIMARY KEY, a)")
    connection.execute(f"INSERT INTO some VALUES ({BLOCK}, 0)")
    waiting = Inserts({})
    waiting["some", ("a",)] += [(at, 1) for at in range(2 * BLOCK)]
    connection.execute("BEGIN")
    with pytest.raises(sqlite3.IntegrityError):
        waiting.insert(connection)
    assert len(waiting["some", ("a",)]) == 2 * BLOCK
    assert connection.execute("SELECT * FROM some").fetchall() == [(BLOCK, 0)]
    connection.close()
