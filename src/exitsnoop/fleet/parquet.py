"""Parquet files by date and machine: DIR/date=2026-11-27/host=web1/*.parquet."""

from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import pyarrow
import pyarrow.parquet

from exitsnoop.fleet.columns import EXITS, Column, Rows, Type
from exitsnoop.fleet.covered import BESIDE, COVERAGE, Stretch
from exitsnoop.fleet.machine import Machine
from exitsnoop.fleet.pending import Pending
from exitsnoop.model.derived import timestamps

_GROUP_ROWS = 1 << 16
_GROUP_BYTES = 32 << 20
"""A row group is written once it has so many rows or bytes: so much is kept in memory."""
_DAY = 86_400_000_000
_PLAIN = {
    "time": pyarrow.timestamp("us", tz="UTC"),
    "word": pyarrow.string(),
    "text": pyarrow.string(),
    "uuid": pyarrow.string(),
    "int": pyarrow.int64(),
    "float": pyarrow.float64(),
    "flag": pyarrow.bool_(),
}


def schema(columns: "tuple[Column, ...]") -> pyarrow.Schema:
    """Return the columns of a file: texts are strings, numbers have 64 bits and a sign.

    The last one is in the path, which readers look at; some refuse a column that is there twice.
    """
    return pyarrow.schema(
        [pyarrow.field(one.name, _arrow(one.type), nullable=one.optional) for one in columns[:-1]]
    )


def _arrow(type_: Type) -> Any:
    if type_.name == "list":
        return pyarrow.list_(_arrow(type_.of[0]))
    if type_.name == "record":
        return pyarrow.struct([(name, _arrow(part)) for name, part in type_.of])
    return _PLAIN[type_.name]


_OF_EXITS, _OF_COVERAGE = schema(EXITS), schema(COVERAGE)


class _File:
    """A file with exits of one date."""

    def __init__(self, pending: Pending, directory: Path, of: pyarrow.Schema) -> None:
        self._pending = pending
        self._file: BinaryIO = pending.new(directory)
        self._writer = pyarrow.parquet.ParquetWriter(self._file, of, compression="zstd")
        self._held: list[pyarrow.RecordBatch] = []
        self._rows = self._bytes = 0
        self._count = 0
        self.first, self.last = 1 << 62, 0

    def add(self, batch: pyarrow.RecordBatch, times: "list[int]") -> None:
        """Add rows; times are theirs."""
        self._held.append(batch)
        self._rows += batch.num_rows
        self._count += batch.num_rows
        self._bytes += batch.nbytes
        self.first, self.last = min(self.first, *times), max(self.last, *times)
        if self._rows >= _GROUP_ROWS or self._bytes >= _GROUP_BYTES:
            self._write()

    def _write(self) -> None:
        if self._held:
            self._writer.write_table(pyarrow.Table.from_batches(self._held))
            self._held = []
            self._rows = self._bytes = 0

    def close(self, host_id: str) -> None:
        """Write what is left; the file gets its name when all are published.

        The same rows of a machine have the same name; fewer of the same time do not.
        """
        self._write()
        self._writer.close()
        whose = quote(host_id, safe="")[:12]
        name = f"{whose}-{self.first}-{self.last}-{self._count}.parquet"
        self._pending.name(self._file, name)


class Parquet:
    """Writes exits, and what was recorded, to files below a directory.

    The name of a file says which machine and times are in it, and how many exits: the same exits
    again replace it.

    Args:
        directory: where the files go.
        pending: makes them, and publishes them.
    """

    reader = None

    def __init__(self, directory: Path, pending: Pending) -> None:
        self._directory = directory
        self._pending = pending
        self._at: tuple[str, Machine] | None = None
        self._file: _File | None = None

    def add(self, rows: Rows) -> None:
        """Write exits of one boot. Raises OSError."""
        cells = rows.columns()
        arrays = [
            pyarrow.array(values, type=field.type)
            for values, field in zip(cells[:-1], _OF_EXITS, strict=True)
        ]
        batch = pyarrow.record_batch(arrays, schema=_OF_EXITS)
        times = list(cells[0])
        begun = 0
        for at in range(1, len(times) + 1):  # in order, except where the clock stepped
            if at == len(times) or times[at] // _DAY != times[begun] // _DAY:
                self._of(times[begun], rows.machine).add(batch[begun:at], times[begun:at])
                begun = at

    def _of(self, micros: int, machine: Machine) -> _File:
        """Return the file for a time and a machine."""
        at = (_date(micros), machine)
        if self._file is None or at != self._at:
            self._end()
            self._at = at
            self._file = _File(
                self._pending, self._directory / _place(at[0], machine.host), _OF_EXITS
            )
        return self._file

    def _end(self) -> None:
        if self._file is not None and self._at is not None:
            self._file.close(self._at[1].host_id)
            self._file = None

    def end(self, covered: "list[Stretch]", from_us: int, to_us: int) -> None:
        """Write the rest, and what was recorded between two times. Raises OSError."""
        self._end()
        if not covered:
            return
        at = covered[-1]
        directory = self._directory / BESIDE / _place(_date(to_us), at.host)
        file = _File(self._pending, directory, _OF_COVERAGE)
        arrays = [
            pyarrow.array(column.values(covered), type=field.type)
            for column, field in zip(COVERAGE[:-1], _OF_COVERAGE, strict=True)
        ]
        file.add(pyarrow.record_batch(arrays, schema=_OF_COVERAGE), [from_us, to_us])
        file.close(at.host_id)


def _date(micros: int) -> str:
    (text,) = timestamps([micros * 1000])
    return text[:10]


def _place(date: str, host: str) -> str:
    """Return the directory for a date and a machine, in the form that Hive began with."""
    return f"date={date}/host={quote(host, safe='') or '__HIVE_DEFAULT_PARTITION__'}"
