"""Recording: answers questions to a recording, for every user who may read its files."""

import contextlib
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, TypeVar

from exitsnoop.store import copies, coverage, holders, rollups, trouble, view
from exitsnoop.store.boots import Boot
from exitsnoop.store.coverage import Coverage, Covered, Filtered, Gap
from exitsnoop.store.directory import Directory
from exitsnoop.store.errors import NoStore
from exitsnoop.store.holders import Holder
from exitsnoop.store.opening import DAMAGED, Gone, Opened, Tick
from exitsnoop.store.query import Nothing, Query, groups, in_hours, similar
from exitsnoop.store.selection import File, Selection
from exitsnoop.store.view import ALWAYS, During

_T = TypeVar("_T")
_HOUR_NS = 3600 * 1_000_000_000
_ABOVE_ALL = (1 << 62) - 1


class Counted(NamedTuple):
    """How many exits of an hour ended in one way.

    Attributes:
        hour_ns: when the hour began, nanoseconds since the epoch.
        cause: the kind of cause; "" if it was not collected.
        status: the wait status.
        exits: how many.
    """

    hour_ns: int
    cause: str
    status: int
    exits: int


class Status(NamedTuple):
    """How a recording stands.

    Attributes:
        recorder: the PID of the process that records; None if none does, 0 if it is hidden.
        stuck: why what it sees is not on disk, as a Gap has it; None if it is.
        recorded: stretches in which all exits were seen; the last goes on if `recorder` is known.
        oldest_ns: from when on all exits are kept, nanoseconds since the epoch; None if none are.
        committed_ns: up to when exits are on disk; None if there are none.
        exits: about how many are kept.
        bytes: the size of all files.
        max_bytes: the bound for that.
        damaged: files that could not be read.
        readers: processes in a transaction on a file, which cannot be sealed until it ends.
    """

    recorder: int | None
    stuck: str | None
    recorded: list[Covered]
    oldest_ns: int | None
    committed_ns: int | None
    exits: int
    bytes: int
    max_bytes: int
    damaged: list[Path]
    readers: list[Holder]


class Recording:
    """A recording.

    Args:
        path: its directory.
        tick: is called again and again while something is read or copied.

    Raises:
        NoStore: there is no recording.
        NotReadable: this user may not read it.
    """

    def __init__(self, path: str | os.PathLike[str], tick: Tick | None = None) -> None:
        self._directory = Directory(path)
        self.path = self._directory.path
        self._tick = tick
        if not self._directory.segments():
            raise NoStore(
                f"there is no recording in {path}: start one with "
                "`exitsnoop record`, or name its directory (--store)"
            )
        self.unreadable: set[Path] = set(self._directory.damaged())

    def select(self, query: Query) -> Selection:
        """Return the exits that match a query."""

        def count_lost() -> int:
            since = 0 if query.since_ns is None else query.since_ns
            until = time.time_ns() if query.until_ns is None else query.until_ns
            return sum(gap.lost or 0 for gap in self.gaps(since, until))

        return Selection(self._files, query, count_lost, self._tick)

    def newest_id(self) -> int:
        """Return the id of the exit that was recorded last; 0 if there is none."""
        query = "SELECT ifnull(max(id), 0) FROM rows"
        found = self._each(
            lambda connection, _: int(connection.execute(query).fetchone()[0]), newest_first=True
        )
        return next(filter(None, found), 0)

    def oldest_id(self) -> int:
        """Return the least id from which on all exits are kept. Raises NotReadable."""
        return min(self._directory.segments(), default=1)

    def noted(self) -> list[coverage.Noted]:
        """Return what each file notes about losses and coverage, the newest file first.

        What is dropped meanwhile is then found in the file of kept failures.
        """
        answers = self._each(lambda connection, _: coverage.noted(connection), newest_first=True)
        return list(answers)

    def changes(self) -> object:
        """Return a value that is another one when something may have been recorded since."""
        try:
            return [
                (name, os.stat(self._directory.path / name).st_mtime_ns)
                for name in sorted(os.listdir(self._directory.path))
                if name.endswith((".db", "-wal"))
            ]
        except OSError:  # files come and go
            return time.monotonic_ns()

    def recorder(self) -> int | None:
        """Return the PID of the process that records; None if none does, 0 if it is hidden."""
        return holders.of_lock(self._directory.lock_file)

    def _files(self) -> list[File]:
        """Return the files, the oldest first, and which ids are to be taken from each."""
        segments = self._directory.segments()
        starts = sorted(segments)
        files = [
            File(segments[start], start, following - 1)
            for start, following in pairwise([*starts, _ABOVE_ALL + 1])
        ]
        if self._directory.kept.exists() and starts:
            files.insert(0, File(self._directory.kept, 0, starts[0] - 1))
        return files

    def _each(
        self, ask: Callable[[sqlite3.Connection, File], _T], *, newest_first: bool = False
    ) -> Iterator[_T]:
        """Ask each file the same question. Files that are gone or damaged do not answer."""
        for file in sorted(self._files(), key=lambda file: file.first, reverse=newest_first):
            for _ in range(3):
                try:
                    opened = Opened(file.path, self._tick)
                except Gone:
                    break
                except sqlite3.DatabaseError:
                    self.unreadable.add(file.path)
                    break
                try:
                    answer = ask(opened.connection, file)
                    if opened.is_valid():
                        yield answer
                        break
                except DAMAGED:
                    continue  # it may have been changed just then
                finally:
                    opened.close()
            else:
                self.unreadable.add(file.path)

    def coverage(self) -> Coverage:
        """Return what is known of when it was recorded: each file is opened once for all of it."""
        answers = list(
            self._each(
                lambda connection, _: (coverage.covered(connection), coverage.losses(connection))
            )
        )
        stretches = coverage.joined(stretch for stretch, _ in answers)
        lost = {gap for _, gaps in answers for gap in gaps}
        recorder = self.recorder()
        stuck = self._stuck(recorder)
        stretches = stretches if recorder is not None else copies.ended(stretches, self._directory)
        return Coverage(stretches, lost, recorder is not None, stuck, time.time_ns())

    def _stuck(self, recorder: int | None) -> str | None:
        """Return why what the recorder sees is not on disk, as a Gap has it; None if it is."""
        if recorder and holders.is_stopped(recorder):
            return "suspended"
        shown = None if recorder is None else holders.trouble(self._directory.lock_file)
        if shown is None:
            return None
        why = trouble.words(shown)
        return f"not on disk: {why}" if why else "not on disk"

    def recorded(self) -> list[Covered]:
        """Return the stretches of time in which all exits were seen, in the order of time."""
        return coverage.joined(self._each(lambda connection, _: coverage.covered(connection)))

    def gaps(self, from_ns: int, to_ns: int) -> list[Gap]:
        """Return what was not recorded between two times (nanoseconds since the epoch), and why."""
        return self.coverage().gaps(from_ns, to_ns)

    def filtered(self, from_ns: int, to_ns: int) -> list[Filtered]:
        """Return when between two times only exits that pass filters were recorded."""
        return self.coverage().filtered(from_ns, to_ns)

    def similar(self, text: str, most: int) -> list[str]:
        """Return names of processes, so many at most, that have a text in them, or are in it."""

        def ask(connection: sqlite3.Connection, _: File) -> list[str]:
            return similar(connection, text, most)

        found = (name for names in self._each(ask, newest_first=True) for name in names)
        return [*dict.fromkeys(found)][:most]

    def complete_since(self) -> int | None:
        """Return from when on all exits are kept, nanoseconds since the epoch.

        None if none were dropped. Only failures are left of those that were, or nothing.
        """
        if min(self._directory.segments(), default=1) == 1 or not self._directory.kept.exists():
            return None
        query = "SELECT wall_ns FROM exits WHERE id = (SELECT min(id) FROM rows)"

        def ask(connection: sqlite3.Connection, file: File) -> int | None:
            row = connection.execute(query).fetchone() if file.first else None
            return row and int(row[0])

        return next((wall_ns for wall_ns in self._each(ask) if wall_ns is not None), None)

    def boots(self) -> list[Boot]:
        """Return the boots that exits were recorded in, the oldest first."""
        query = "SELECT boot_id, kernel, hostname, machine_id, began_ns + stepped_ns FROM boots"
        found = {
            row[0]: Boot(*row)
            for rows in self._each(lambda connection, _: connection.execute(query).fetchall())
            for row in rows
        }
        return sorted(found.values(), key=lambda boot: boot.began_ns)

    def counted_since(self) -> int | None:
        """Return from when on all exits are in the counts by the hour, nanoseconds since the epoch.

        None if all are that were ever recorded. Older counts were dropped to make room, or could
        not be taken over from a segment because the disk was full.
        """
        if not self._directory.kept.exists():
            return None
        hour = next(self._each(lambda connection, _: rollups.counted_from(connection)), None)
        return None if hour is None else hour * _HOUR_NS

    def counts(self, query: Query) -> list[Counted]:
        """Return how many exits ended in which way, hour by hour, for up to a year.

        The query may have names, executables, units, containers, `failed` and times. Whole hours
        are counted. Exits whose names were forgotten for want of room match only a query without
        names; see nameless().
        """

        def terms(connection: sqlite3.Connection) -> str:
            return groups(connection, query)

        total: Counter[tuple[int, str, int]] = Counter()
        for hour, cause, status, count in self._counted(terms):
            total[hour, cause, status] += count
        return [
            Counted(hour * _HOUR_NS, cause, status, count)
            for (hour, cause, status), count in sorted(total.items())
        ]

    def nameless(self, since_ns: int, until_ns: int) -> int:
        """Return how many exits of some whole hours are counted without name, unit and container.

        Times are in nanoseconds since the epoch. Names are forgotten where very many come and go.
        """
        hours = in_hours(Query(since_ns=since_ns, until_ns=until_ns))
        terms = f"{rollups.NAMELESS} AND {hours}"
        return sum(count for *_, count in self._counted(lambda _: terms))

    def _counted(
        self, terms: Callable[[sqlite3.Connection], str]
    ) -> Iterator[tuple[int, str, int, int]]:
        """Iterate over the hour, the cause, the status and the count of what matches."""
        joined = 0

        def ask(connection: sqlite3.Connection, file: File) -> list[tuple[int, str, int, int]]:
            nonlocal joined
            if file.first == 0:
                joined = rollups.joined(connection)
            elif rollups.has(joined, file.first):
                return []
            try:
                matching = terms(connection)
            except Nothing:
                return []
            return connection.execute(
                "SELECT hour, cause, status, sum(count) FROM hours "
                f"WHERE {matching} AND segment <= ? GROUP BY hour, cause, status",
                (file.last,),  # of kept.db: what is not in a segment, too
            ).fetchall()

        for rows in self._each(ask):
            yield from rows

    def status(self, known: Coverage | None = None) -> Status:
        """Return how the recording stands. known: its coverage, if that was read before."""
        segments = self._directory.segments()
        known = self.coverage() if known is None else known
        recorded = known.stretches
        recorder = self.recorder()

        def ask(connection: sqlite3.Connection, file: File) -> tuple[int, int | None, int | None]:
            exits = connection.execute(
                "SELECT count(*) FROM rows"
                if file.first == 0
                else "SELECT ifnull(max(id) - min(id) + 1, 0) FROM rows"
            ).fetchone()[0]
            oldest = None
            if file.first:
                oldest = connection.execute(
                    "SELECT wall_ns FROM exits WHERE id = (SELECT min(id) FROM rows)"
                ).fetchone()
            bound = connection.execute("SELECT value FROM about WHERE key = 'max_bytes'").fetchone()
            return exits, oldest and oldest[0], bound and bound[0]

        answers = list(self._each(ask))
        bounds = [bound for *_, bound in answers if bound]
        oldest = [wall_ns for _, wall_ns, _ in answers if wall_ns is not None]
        return Status(
            recorder=recorder,
            stuck=known.stuck,
            recorded=recorded,
            oldest_ns=oldest[0] if oldest else None,
            committed_ns=recorded[-1].to_ns if recorded else None,
            exits=sum(exits for exits, *_ in answers),
            bytes=self._directory.bytes(),
            max_bytes=bounds[-1] if bounds else 0,
            damaged=sorted(self.unreadable),
            readers=holders.of_transactions([*segments.values(), self._directory.kept]),
        )

    def connect(
        self, sql: str = "SELECT * FROM exits", during: During = ALWAYS
    ) -> sqlite3.Connection:
        """Return a connection for SQL, read-only, with views over all files: `exits` and `hours`.

        `exits` has only the columns that the statement needs: this makes one that counts many times
        faster. By default it has all. `hours` has what view.HOURS names. `during` limits both to a
        time, `hours` to whole hours.

        Each file is a schema with its tables: "kept" for kept.db, "s1" for the oldest segment, "s2"
        for the next. A segment that is dropped stays until the connection is closed.

        Raises NotReadable, StoreTooNew. Statements that do more than read raise
        sqlite3.DatabaseError.
        """
        while True:
            with contextlib.suppress(Gone):  # then the list is made anew
                return view.connect(self._files(), sql, during, self.unreadable)

    def copy(self, to: str | os.PathLike[str]) -> None:
        """Write a copy to a directory, which must not exist; a recorder may go on meanwhile.

        A file that is damaged is left out, and is then among `unreadable`.

        Raises NotReadable, StoreTooNew, OSError, and sqlite3.Error if the disk is full.
        """
        target = Path(to)
        target.mkdir(mode=0o750)
        # The oldest last: what is dropped meanwhile goes to the file of kept failures.
        for file in reversed(self._files()):
            copied = target / file.path.name
            try:
                opened = Opened(file.path, self._tick)
            except Gone:
                continue
            except sqlite3.DatabaseError:
                self.unreadable.add(file.path)
                continue
            try:
                opened.connection.execute("VACUUM INTO ?", (str(copied),))
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                self.unreadable.add(file.path)
                copied.unlink(missing_ok=True)
            finally:
                opened.close()
