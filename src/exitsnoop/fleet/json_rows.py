"""Rows of a table as JSON lines, which ClickHouse calls JSONEachRow."""

from collections.abc import Sequence
from json import dumps
from typing import Any

from exitsnoop.fleet.columns import Column
from exitsnoop.model.derived import timestamps


def lines(columns: Sequence[Column], rows: Any) -> str:
    """Return a line for each row: an object that has the columns which are known.

    Times are RFC 3339, in UTC.
    """
    cells = [
        timestamps([micros * 1000 for micros in column.values(rows)])
        if column.type.name == "time"
        else column.values(rows)
        for column in columns
    ]
    names = [column.name for column in columns]
    return "".join(
        [
            dumps({name: cell for name, cell in zip(names, row, strict=True) if cell is not None})
            + "\n"
            for row in zip(*cells, strict=True)
        ]
    )
