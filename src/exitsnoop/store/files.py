"""The files that the recorder writes to: it begins and drops segments, and keeps the bounds."""

import contextlib
import errno
import os
import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from exitsnoop.model.batch import Exits
from exitsnoop.store import directory as store_directory
from exitsnoop.store.ballast import Ballast
from exitsnoop.store.checks import Check, is_sound, is_sound_file, was_killed
from exitsnoop.store.damage import told_as_damage
from exitsnoop.store.directory import SEGMENTS, Directory
from exitsnoop.store.eras import Eras
from exitsnoop.store.errors import StoreError
from exitsnoop.store.limits import Limits, segment_bytes
from exitsnoop.store.redact import Kept
from exitsnoop.store.retention import Retention
from exitsnoop.store.segment import Segment, TooMuch

_LEAST_BYTES_A_ROW = 16
_TRIES = 2
_NO_ROOM = 64 << 10
_BUSY_MS = 100  # exits wait meanwhile
_AGES = 8  # a segment has at most this part of the age that exits may have


class Files:
    """The files of a recording, as the recorder writes them.

    Attributes:
        damaged: files that could not be read and were set aside.
    """

    def __init__(self, directory: Directory, limits: Limits, kept: Kept, eras: Eras) -> None:
        self.damaged: list[Path] = []
        self._directory = directory
        self._limits = limits
        self._kept = kept
        self._eras = eras
        self._retention = Retention(directory)
        self._ballast = Ballast(directory.path, limits)
        self._dropping: threading.Thread | None = None
        self._active: Segment | None = None
        self._unsealed: list[Segment] = []
        self._uncorrected: list[Path] = []
        self._check: Check | None = None
        self._made_ns = 0

    def open(self) -> None:
        """Continue where the last recorder stopped. Raises StoreError, StoreTooNew."""
        directory = self._directory
        directory.sweep()
        try:
            segments = directory.segments()
            if segments:
                self._active = self._last(segments[max(segments)])
            if self._active is None:
                self._active = self._new(self._next_id())
            self._seal_left()
            self._active.cover_anew()
            self._ballast.make()
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"cannot write to {directory.path}: {error}") from error
        if self._eras.stepped_ns:
            self.correct()

    def _seal_left(self) -> None:
        """Seal segments that a recorder left as it was killed, or as a reader was in the way."""
        for path in self._sealed():
            if path.with_name(f"{path.name}-wal").exists():
                try:
                    segment = Segment(path, self._most_bytes(), self._kept)
                except sqlite3.OperationalError:
                    continue
                except sqlite3.DatabaseError:
                    self._set_aside(path)
                    continue
                if not segment.seal():
                    segment.end()
                    self._unsealed.append(segment)

    def _last(self, path: Path) -> Segment | None:
        """Open the newest segment, and go on with its eras.

        Returns None if it was damaged, and is out of the way.
        """
        segment = None
        try:
            segment = Segment(path, self._most_bytes(), self._kept)
            with told_as_damage():
                must_check = was_killed(segment.connection)
                if must_check and not is_sound(segment.connection):
                    raise sqlite3.DatabaseError  # noqa: TRY301 - as if found while opening
                self._eras.load(segment.connection)
                _end_coverage(segment.connection, self._eras.boot.boot_id)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            if segment is not None:
                segment.abandon()
            self._set_aside(path)
            return None
        if not must_check:
            self._check = Check(path)
        self._made_ns = segment.about("made_ns") or time.time_ns()
        return segment

    def _next_id(self) -> int:
        """Return an id above all that were given."""
        above = 1
        for path in [*self._directory.segments().values(), self._directory.kept]:
            if path.exists():
                with (
                    contextlib.suppress(sqlite3.Error),
                    contextlib.closing(store_directory.connect(path)) as connection,
                ):
                    query = "SELECT ifnull(max(id), 0) + 1 FROM rows"
                    above = max(above, connection.execute(query).fetchone()[0])
        for path in self._directory.damaged():
            name = path.name.partition(".")[0]
            if name.startswith("exits-"):
                rows = store_directory.size(path) // _LEAST_BYTES_A_ROW + 1
                above = max(above, int(name.removeprefix("exits-")) + rows)
        return above

    def _new(self, first_id: int) -> Segment:
        path = self._directory.create(first_id)
        segment = Segment(path, self._most_bytes(), self._kept)
        self._made_ns = time.time_ns()
        about = [("max_bytes", self._limits.max_bytes), ("made_ns", self._made_ns)]
        segment.connection.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", about)
        return segment

    def _most_bytes(self) -> int:
        return segment_bytes(self._limits.max_bytes)

    def write(
        self,
        batches: Sequence[tuple[Exits, int]],
        covered: tuple[int, int, str | None, str | None],
        losses: Sequence[tuple[int, int, int, str]],
    ) -> None:
        """Write to the active segment, or to the next one if it is full, in one commit.

        Raises sqlite3.Error, OSError if nothing was written; the caller may try again. If there was
        no room (see is_full), give_way() may help. Raises TooMuch if there are too many exits.
        """
        tries = _TRIES
        while True:
            tries -= 1
            try:
                segment = self._ready()
                segment.write(batches, self._eras, covered, losses)
            except sqlite3.OperationalError as error:
                self._reopen_later()
                if not tries or "full" in str(error):
                    raise
            except sqlite3.DatabaseError:
                self._reopen_later()
                if not tries:
                    raise
                self._quarantine()
            except (OSError, TooMuch):
                self._reopen_later()
                raise
            else:
                return

    def _reopen_later(self) -> None:
        if self._active is not None:
            self._active.abandon()
            self._active = None

    def _quarantine(self) -> None:
        """Set aside the newest segment, which is damaged."""
        segments = self._directory.segments()
        if segments:
            self._set_aside(segments[max(segments)])

    def _set_aside(self, path: Path) -> None:
        self.damaged.append(self._directory.set_aside(path))

    def _ready(self) -> Segment:
        """Return the segment to write to, with room. Raises sqlite3.Error, OSError."""
        if not self._directory.is_locked_here():  # somebody has removed it all
            self._reopen_later()
            self._unsealed.clear()
            self._directory.make()
            self._directory.lock()
        if self._check is not None and self._check.has_found_damage:
            self._check = None
            self._reopen_later()
            self._quarantine()
        segment = self._active
        if segment is not None and not segment.is_there():
            self._reopen_later()
            segment = None
        if segment is None:
            segments = self._directory.segments()
            if segments:
                path = segments[max(segments)]
                segment = Segment(path, self._most_bytes(), self._kept)
                segment.cover_anew()
            else:
                segment = self._new(self._next_id())
            self._active = segment
        used = self._directory.bytes()
        allowed = self._limits.allowed(self._directory.path, used)
        size = segment.bytes()
        full = segment_bytes(allowed)
        age_s = (time.time_ns() - self._made_ns) / 1e9
        if size >= full or age_s > self._limits.max_age_s / _AGES:
            segment = self._rotate(segment)
            size = 0
        self._keep_bound(allowed, full - size)
        return segment

    def _rotate(self, segment: Segment) -> Segment:
        """Begin the next segment."""
        self._eras.write(segment.connection)  # a step may not have been written yet
        following = self._new(segment.next_id)
        self._active = following
        self._eras.write(following.connection)
        segment.end()
        self._unsealed.append(segment)
        self._unsealed = [left for left in self._unsealed if left.is_there() and not left.seal()]
        self._expire()
        self._ballast.make()
        return following

    def _keep_bound(self, allowed: int, room: int) -> None:
        """Drop segments while all files together take too much.

        room: how much the active segment will still grow.
        """
        if self._dropping is not None and not self._dropping.is_alive():
            self._dropping = None
        full = segment_bytes(allowed)
        for count, path in enumerate(self._sealed(), start=-len(self._sealed()) - 1):
            used = self._directory.bytes()
            if used + full // 2 > allowed or -count > SEGMENTS:
                self._wait_for_drop()
                if path.exists():
                    self._let_go(path)
                    self._drop(path, allowed)
                continue
            late = -count == SEGMENTS and room < full // 2
            if self._dropping is None and (late or used + room > allowed):
                self._let_go(path)  # in time, beside the recording
                self._dropping = threading.Thread(
                    target=self._drop, args=(path, allowed), kwargs={"must": False}
                )
                self._dropping.start()
            return

    def _sealed(self) -> list[Path]:
        """Return the segments that are not written to, the oldest first."""
        active = self._active.path if self._active else None
        return [path for path in self._directory.segments().values() if path != active]

    def _wait_for_drop(self) -> None:
        if self._dropping is not None:
            self._dropping.join()
            self._dropping = None

    def _let_go(self, path: Path) -> None:
        """Close a segment that could not be sealed, whoever reads it."""
        for segment in self._unsealed:
            if segment.path == path:
                segment.abandon()
        self._unsealed = [segment for segment in self._unsealed if segment.path != path]

    def _drop(self, path: Path, allowed: int, *, failures: bool = True, must: bool = True) -> None:
        """Drop a segment. must: remove it even if its failures cannot be kept."""
        for _ in range(2):
            try:
                self._retention.drop(path, allowed, failures=failures)
            except (sqlite3.OperationalError, OSError):
                break
            except sqlite3.DatabaseError:  # one of the two is damaged
                kept = self._directory.kept
                if not kept.exists() or is_sound_file(kept):
                    must = True
                    break
                self._set_aside(kept)
            else:
                return
        if must:
            with contextlib.suppress(OSError):
                self._directory.remove(path)

    def _expire(self) -> None:
        """Drop what is too old."""
        before = time.time() - self._limits.max_age_s
        self._wait_for_drop()  # or what it removes would be looked at
        for path in self._sealed():
            if path.stat().st_mtime >= before:
                break
            self._let_go(path)
            self._drop(path, self._limits.max_bytes, failures=False)
        with contextlib.suppress(sqlite3.Error):
            self._retention.expire(int(before * 1e9))

    def is_full(self, error: Exception) -> bool:
        """Return whether an error means that there was no room.

        SQLite does not always say so: it may only report that it cannot open a file.
        """
        if "full" in str(error) or (isinstance(error, OSError) and error.errno == errno.ENOSPC):
            return True
        with contextlib.suppress(OSError):
            found = os.statvfs(self._directory.path)
            return found.f_frsize * found.f_bavail < _NO_ROOM
        return False

    def give_way(self) -> bool:
        """Free some of the disk; return whether anything was left to free."""
        with contextlib.suppress(OSError):
            if self._ballast.release():
                return True
            self._wait_for_drop()
            damaged = self._directory.damaged()
            sealed = self._sealed()
            newest = max(self._directory.segments().values(), default=None)
            for path in damaged:
                self._directory.remove(path)
                return True
            for path in sealed:
                if path != newest:
                    self._let_go(path)
                    self._drop(path, self._limits.max_bytes)
                    return True
        return False

    def correct(self) -> None:
        """Correct the times of this boot in the files that are not written to."""
        self._wait_for_drop()
        self._uncorrected = [*self._sealed(), self._directory.kept]
        self.correct_left()

    def correct_left(self) -> bool:
        """Correct them in those that a reader held; return whether none is left."""
        if self._uncorrected:
            self._wait_for_drop()
            self._uncorrected = [path for path in self._uncorrected if not self._corrected(path)]
        return not self._uncorrected

    def _corrected(self, path: Path) -> bool:
        """Correct the times in a file; return whether there is nothing more to do."""
        if not path.exists():
            return True
        try:
            connection = store_directory.connect(path, busy_ms=_BUSY_MS)
        except (sqlite3.Error, StoreError) as error:
            return not isinstance(error, sqlite3.OperationalError)
        try:
            self._eras.correct(connection)
        except sqlite3.Error as error:
            return not isinstance(error, sqlite3.OperationalError)
        finally:
            if not store_directory.seal(connection):
                connection.close()
        return True

    def close(self) -> None:
        """Seal all and let others record."""
        self._wait_for_drop()
        if self._check is not None:
            self._check.end()
        for segment in [*self._unsealed, *([self._active] if self._active else [])]:
            segment.seal()  # or leave it open: a reader holds it, and can go on
        self._unsealed.clear()
        self._active = None
        self._directory.unlock()


def _end_coverage(connection: sqlite3.Connection, boot_id: str) -> None:
    """Note why the last recorder stopped, if it could not."""
    connection.execute(
        "UPDATE coverage SET ended = (SELECT CASE boot_id WHEN ? THEN 'killed' ELSE 'reboot' END "
        "FROM eras WHERE eras.id = coverage.era) "
        "WHERE ended IS NULL AND id = (SELECT max(id) FROM coverage)",
        (boot_id,),
    )
