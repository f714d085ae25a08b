"""Rows that wait to be inserted into one file.

Python's SQLite looks for an adapter for each value that is not an int, a float or a text. So a NULL
or a bool takes ten times as long as a number, and a row is inserted with the columns that have a
value.

A statement that inserts one row opens the table and each of its indexes anew, which is a third of
what the row costs. So a statement inserts as many rows as it may have values.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

from exitsnoop.store.schema import quoted

Row = tuple[Any, ...]
Shape = tuple[str, tuple[str, ...]]
"""A table, and its columns that have a value, besides the id."""

_MOST_VALUES = 999  # that every SQLite takes in a statement


class Inserts(defaultdict[Shape, list[Row]]):
    """Rows to insert, by their shape: the id, and numbers, texts or blobs for the columns.

    Args:
        usual: by table: values for columns that may be left out. Others that are left out are
            NULL.
    """

    def __init__(self, usual: Mapping[str, Mapping[str, int | str]]) -> None:
        super().__init__(list)
        self._usual = usual

    def insert(self, connection: sqlite3.Connection) -> None:
        """Insert all, and forget them.

        Raises sqlite3.Error, and keeps them then; what the transaction did may be rolled back.
        """
        for (table, columns), rows in self.items():
            usual = tuple(self._usual.get(table, {}).items())
            at_once = _MOST_VALUES // (1 + len(columns))
            in_blocks = len(rows) // at_once * at_once
            try:
                block = _statement(table, columns, usual, at_once)
                for at in range(0, in_blocks, at_once):
                    connection.execute(block, [*chain.from_iterable(rows[at : at + at_once])])
                connection.executemany(_statement(table, columns, usual), rows[in_blocks:])
            except OverflowError:  # a counter of 64 bits that makes no sense
                again = _statement(table, columns, usual, instead="REPLACE")
                connection.executemany(again, map(_fitting, rows))
        self.clear()


@lru_cache(maxsize=256)
def _statement(
    table: str,
    columns: Sequence[str],
    usual: Sequence[tuple[str, int | str]],
    count: int = 1,
    *,
    instead: str = "ROLLBACK",
) -> str:
    """Return the statement that inserts so many rows.

    instead: what to do if a row is there already. Where it is ROLLBACK, SQLite need not copy each
    page before it is changed, to undo the statement alone.
    """
    left_out = [(name, repr(value)) for name, value in usual if name not in columns]
    names = ["id", *columns, *[name for name, _ in left_out]]
    values = ["?"] * (1 + len(columns)) + [literal for _, literal in left_out]
    rows = ", ".join([f"({', '.join(values)})"] * count)
    return f"INSERT OR {instead} INTO {table} ({', '.join(map(quoted, names))}) VALUES {rows}"


def _fitting(row: Row) -> Row:
    return tuple(
        cell if not isinstance(cell, int) else max(-(1 << 63), min(cell, (1 << 63) - 1))
        for cell in row
    )
