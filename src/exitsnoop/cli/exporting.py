"""Exits of a recording as Parquet or JSON lines, for `exitsnoop export`."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from exitsnoop.cli import garbage
from exitsnoop.cli.hiding import hidden
from exitsnoop.cli.matching import Matching, query
from exitsnoop.cli.options import refuse, wanted
from exitsnoop.cli.output import CannotWrite, Output, complain
from exitsnoop.cli.progress import Progress
from exitsnoop.cli.recording import opened
from exitsnoop.cli.show import kept_arguments
from exitsnoop.cli.statuses import EX_NOT_RECORDED
from exitsnoop.cli.stretch import Stretch, asked, stretch
from exitsnoop.filters.recorded import RecordedFilters
from exitsnoop.fleet.columns import EXITS, Rows
from exitsnoop.fleet.covered import COVERAGE, stretches
from exitsnoop.fleet.covered import Stretch as Covered
from exitsnoop.fleet.json_rows import lines
from exitsnoop.fleet.machine import machine
from exitsnoop.fleet.pending import Pending
from exitsnoop.store.recording import Recording

if TYPE_CHECKING:
    from exitsnoop.cli.verbs import Given

EX_USAGE = 2


class _Table(Protocol):
    """What takes exits, and at the end what was recorded.

    Attributes:
        reader: the writing end of a pipe: all ends when its reader is gone.
    """

    @property
    def reader(self) -> int | None:
        """The descriptor; None if there is none."""

    def add(self, rows: Rows) -> None:
        """Write exits of one boot."""

    def end(self, covered: list[Covered], from_us: int, to_us: int) -> None:
        """Write the rest."""


def run(options: "Given") -> int:
    """Write the exits; return the exit status.

    Raises UsageError, StoreError, CannotWrite, BrokenPipeError.
    """
    if options.coverage is not None and options.jsonl is None:
        refuse("argument --coverage: it belongs to --jsonl")
    filters = wanted(options, RecordedFilters)
    kept_arguments(options)  # a mistake is reported before anything is written
    moments = asked(options)
    if options.parquet is not None and not _has_pyarrow():
        return EX_USAGE
    recording = opened(options)
    time = stretch(moments, recording)
    if time.was_not_recorded(recording):
        return EX_NOT_RECORDED
    matching = Matching(recording, filters)
    garbage.enable()
    try:
        with _ended_by_signals(), Pending(private=not options.no_args) as pending:
            table = _table(options, pending)
            _write(options, table, matching, recording, time)
            pending.publish()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CannotWrite(error) from None
    recording.unreadable |= matching.unreadable
    matching.say_what_is_undecided()
    time.say_what_is_missing(recording)
    lost = any(gap.lost for gap in recording.gaps(time.from_ns, time.to_ns))
    return os.EX_IOERR if lost or recording.unreadable else os.EX_OK


def _has_pyarrow() -> bool:
    """Return whether Parquet can be written, and say what is missing."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "pyarrow":
            raise
        complain("--parquet needs pyarrow, which is missing: pip install 'exitsnoop[parquet]'")
        return False
    return True


def _table(options: "Given", pending: Pending) -> _Table:
    if options.parquet is None:
        return _JsonLines(options.jsonl, options.coverage, pending)
    from exitsnoop.fleet.parquet import Parquet

    return Parquet(Path(options.parquet), pending)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the process so that what is half written is removed."""

    def end(number: int, _frame: object) -> None:
        sys.exit(128 + number)

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler == signal.SIG_DFL:
            signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _write(
    options: "Given", table: _Table, matching: Matching, recording: Recording, time: Stretch
) -> None:
    kept = kept_arguments(options)
    hides = options.no_args or options.redact
    asked_for = query(matching.filters, time)
    progress, count = Progress(), 0
    try:
        for boot in recording.boots():
            if time.boot_id not in (None, boot.boot_id):
                continue
            where = machine(boot, options.cluster)
            for exits in matching.batches(replace(asked_for, boot_id=boot.boot_id), table.reader):
                table.add(Rows(hidden(exits, kept) if hides else exits, where))
                count += len(exits)
                progress.say(f"{count:,} exits written; Ctrl-C ends it, and leaves no file")
    finally:
        progress.end()
    covered = stretches(recording, time.from_ns, time.to_ns, options.cluster)
    table.end(covered, time.from_ns // 1000, time.to_ns // 1000)


class _JsonLines:
    """Writes JSON lines to a file, or to standard output.

    Args:
        path: of the file; "-" for standard output.
        beside: of the file for what was recorded; None for the usual one.
        pending: makes the files.
    """

    def __init__(self, path: str, beside: str | None, pending: Pending) -> None:
        self._pending = pending
        self._path = Path(path)
        self._beside = beside or (None if _is_stream(path) else f"{path}.coverage")
        self._stream = Output(None if path == "-" else path) if _is_stream(path) else None
        self.reader = self._stream.fileno() if self._stream else None
        self._file = None if self._stream else pending.new(self._path.parent)

    def add(self, rows: Rows) -> None:
        """Write exits of one boot. Raises OSError, CannotWrite."""
        text = lines(EXITS, rows)
        if self._stream:
            self._stream.write(text)
        elif self._file:
            self._file.write(text.encode())

    def end(self, covered: list[Covered], _from_us: int, _to_us: int) -> None:
        """Write the rest, and what was recorded. Raises OSError."""
        if self._file:
            self._pending.name(self._file, self._path.name)
        if self._beside:
            beside = Path(self._beside)
            file = self._pending.new(beside.parent)
            file.write(lines(COVERAGE, covered).encode())
            self._pending.name(file, beside.name)


def _is_stream(path: str) -> bool:
    """Return whether it is standard output, or a pipe or device: nothing that can be replaced."""
    return path == "-" or (Path(path).exists() and not Path(path).is_file())
