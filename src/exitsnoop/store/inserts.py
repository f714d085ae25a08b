"""Rows that wait to be inserted into one file.

Python's SQLite looks for an adapter for each value that is not an int, a float or a text. So a NULL
or a bool takes ten times as long as a number, and a row is inserted with the columns that have a
value.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from exitsnoop.store.schema import quoted

Row = tuple[Any, ...]
Shape = tuple[str, tuple[str, ...]]
"""A table, and its columns that have a value, besides the id."""


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
        """Insert all, and forget them. Raises sqlite3.Error, and keeps them then."""
        for (table, columns), rows in self.items():
            statement = _statement(table, columns, tuple(self._usual.get(table, {}).items()))
            try:
                connection.executemany(statement, rows)
            except OverflowError:  # a counter of 64 bits that makes no sense
                again = statement.replace("INSERT", "INSERT OR REPLACE", 1)
                connection.executemany(again, map(_fitting, rows))
        self.clear()


@lru_cache(maxsize=256)
def _statement(table: str, columns: Sequence[str], usual: Sequence[tuple[str, int | str]]) -> str:
    left_out = [(name, repr(value)) for name, value in usual if name not in columns]
    names = ["id", *columns, *[name for name, _ in left_out]]
    values = ["?"] * (1 + len(columns)) + [literal for _, literal in left_out]
    return f"INSERT INTO {table} ({', '.join(map(quoted, names))}) VALUES ({', '.join(values)})"


def _fitting(row: Row) -> Row:
    return tuple(
        cell if not isinstance(cell, int) else max(-(1 << 63), min(cell, (1 << 63) - 1))
        for cell in row
    )
