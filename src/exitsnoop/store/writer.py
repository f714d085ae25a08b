"""Writer: takes exits, and commits them in time."""

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from exitsnoop.host.clock import wall_offset_ns
from exitsnoop.model.batch import Exits
from exitsnoop.store import boots, trouble
from exitsnoop.store.boots import Boot
from exitsnoop.store.directory import Directory
from exitsnoop.store.eras import Eras
from exitsnoop.store.files import Files
from exitsnoop.store.limits import Limits, segment_bytes
from exitsnoop.store.redact import Kept
from exitsnoop.store.segment import LEAST_AT_ONCE, TooMuch

COMMIT_S = 1.0
MOST_PENDING = 4096
"""So many exits are committed at once, however soon: they take memory."""
MOST_PENDING_BYTES = 8 << 20
"""So many bytes of arguments are, too: an exit may have 16 KB."""
MOST_HELD = 16_384
"""So many exits are held while nothing can be written; further ones are lost, and counted."""
MOST_HELD_BYTES = 32 << 20
"""The same, of their arguments."""
_BYTES_AN_EXIT = 4096  # more than most take, so that a commit is much smaller than a segment
_PIPE = 13


class Writer:
    """Writes exits to a recording.

    The caller adds exits, and calls tick() when `due` is reached. While `due` is None there is
    nothing to do, and nothing is written.

    Args:
        path: the directory; it is made if it is not there.
        limits: by default those for the file system of the directory.
        kept: decides which arguments are written.
        boot: the boot that the exits belong to.
        since_ns: from when on the caller sees all exits, by the boot clock; now by default.
        clock: the clock of `due`, in seconds.
        meanwhile: a context for all that waits for the disk.
        filters: what the caller sees, as options of the command line; None if it sees all.

    Raises:
        StoreBusy: another recorder writes there.
        StoreTooNew: a newer exitsnoop wrote there.
        StoreError: the directory cannot be made or written to.

    Attributes:
        due: when to call tick(), by the clock; None if there is nothing to do.
        watermark_ns: up to when all exits are on disk, by the boot clock.
        lost: how many exits are missing: lost before, or not written.
        trouble: why it cannot write, for a person; None if it can.
        damaged: files that could not be read and were set aside.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        limits: Limits | None = None,
        kept: Kept | None = None,
        boot: Boot | None = None,
        since_ns: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        meanwhile: contextlib.AbstractContextManager[object] | None = None,
        filters: str | None = None,
    ) -> None:
        self.due: float | None = None
        self.lost = self.undecided = 0
        self.trouble: str | None = None
        self._closed = False
        self._clock = clock
        self._meanwhile = meanwhile or contextlib.nullcontext()
        self._filters = filters
        self._pending: list[tuple[Exits, int]] = []
        self._count = 0
        self._bytes = 0  # of their arguments, about
        self._losses: list[tuple[int, int, int, str]] = []
        self._directory = directory = Directory(path)
        directory.make()
        directory.lock()
        try:
            self._eras = Eras(boot or boots.this_boot())
            limits = limits or Limits.checked(directory.path)
            most = segment_bytes(limits.max_bytes) // _BYTES_AN_EXIT
            self._at_once = self._most_at_once = max(LEAST_AT_ONCE, most)
            self._files = Files(directory, limits, kept or Kept(), self._eras)
            self._since = boots.boot_clock_ns() if since_ns is None else since_ns
            self._files.open()
            if self._eras.see(self._since, self._eras.boot.began_ns):
                self._files.correct()
            self._seen = self._since
            self.watermark_ns = self._since
            self._store(None)
        except BaseException:
            directory.unlock()
            raise

    @property
    def damaged(self) -> list[Path]:
        """Files that could not be read and were set aside."""
        return self._files.damaged

    def add(self, exits: Exits, lost: int = 0, undecided: int = 0) -> None:
        """Take exits, in the order of their end.

        They are on disk when `watermark_ns` has passed them: at once if a signal other than SIGPIPE
        ended one of them, else within a second.

        lost: how many exits the kernel could not deliver since the last call.
        undecided: how many of those a filter could not decide about.
        """
        now = self._clock()
        urgent = False
        if len(exits):
            boot_ns = exits.column("boot_ns")
            offset_ns = exits.wall_offset_ns
            if offset_ns is None:
                offset_ns = exits.column("wall_ns")[0] - boot_ns[0]
            if self._eras.see(boot_ns[0], offset_ns):
                with self._meanwhile:
                    self._files.correct()
            until = max(boot_ns)
            self._note_losses(until, lost - undecided, undecided)
            if self.trouble and (
                self._count + len(exits) > MOST_HELD or self._bytes > MOST_HELD_BYTES
            ):
                self._lose(exits, until)
            else:
                self._pending.append((exits, self._eras.current))
                self._count += len(exits)
                self._bytes += _bytes_of_args(exits)
            self._seen = max(self._seen, until)
            urgent = any(status & 0x7F not in (0, _PIPE) for status in set(exits.column("status")))
        elif lost:
            self._note_losses(self._seen, lost - undecided, undecided)
        else:
            return
        self.lost += lost
        self.undecided += undecided
        is_much = self._count >= MOST_PENDING or self._bytes >= MOST_PENDING_BYTES
        if self.trouble is None and (urgent or is_much):
            self.due = now
        elif self.due is None:
            self.due = now + COMMIT_S
        self.tick()

    def tick(self) -> None:
        """Commit if it is due."""
        if self.due is not None and self.due <= self._clock():
            self._store(None)

    def look_at_clock(self) -> None:
        """Correct the times on disk if the wall clock was stepped."""
        if self._eras.see(boots.boot_clock_ns(), wall_offset_ns()):
            with self._meanwhile:
                self._files.correct()
            self._store(None)

    def commit(self) -> None:
        """Commit now."""
        self._store(None)

    def close(self, why: str = "stopped", seen_ns: int | None = None) -> int:
        """Commit, close the files, and let others record.

        Returns how many exits could not be written. Harmless when closed.

        Args:
            why: the reason for the gap that begins now.
            seen_ns: up to when the caller saw all exits, by the boot clock, if that was after the
                last of them.
        """
        if self._closed:
            return 0
        self._closed = True
        self._seen = max(self._seen, seen_ns or 0)
        self._store(why)
        unwritten = self._count
        self.lost += unwritten
        self._pending.clear()
        self._count = 0
        self.due = None
        self._files.close()
        return unwritten

    def _note_losses(self, until: int, too_fast: int, undecided: int) -> None:
        for count, why in ((too_fast, "overflow"), (undecided, "undecided")):
            if count:
                self._losses.append((self._seen, until, count, why))

    def _lose(self, exits: Exits, until: int) -> None:
        self.lost += len(exits)
        why = self.trouble or trouble.FULL
        if self._losses and self._losses[-1][3] == why:
            since, _, count, _ = self._losses.pop()
            self._losses.append((since, until, count + len(exits), why))
        else:
            self._losses.append((self._seen, until, len(exits), why))

    def _store(self, ended: str | None) -> None:
        with self._meanwhile:
            self._store_pending(ended)

    def _store_pending(self, ended: str | None) -> None:
        """Write what is pending, or as much of it as can be: in one commit, if it fits in one."""
        while True:
            part, is_last = self._part(self._at_once)
            until = self._seen if is_last else max(part[-1][0].column("boot_ns"))
            covered = (self._since, until, ended if is_last else None, self._filters)
            try:
                self._files.write(part, covered, self._losses if is_last else [])
            except TooMuch:
                self._at_once = max(LEAST_AT_ONCE, self._at_once // 2)
                continue
            except (sqlite3.Error, OSError) as error:
                is_full = self._files.is_full(error)
                if is_full and self._at_once > LEAST_AT_ONCE:  # the segment, or the disk
                    self._at_once = max(LEAST_AT_ONCE, self._at_once // 4)
                    continue
                if is_full and self._files.give_way():
                    continue
                self.trouble = trouble.FULL if is_full else str(error)
                self._directory.show_trouble(trouble.number(error, is_full=is_full))
                self.due = self._clock() + COMMIT_S
                return
            self._taken(sum(len(exits) for exits, _ in part))
            self.watermark_ns = until
            if is_last:
                break
        self._at_once = min(2 * self._at_once, self._most_at_once)
        if self.trouble:
            self.trouble = None
            self._directory.show_trouble(None)
        self._losses.clear()
        self.due = None if self._files.correct_left() else self._clock() + COMMIT_S

    def _part(self, at_once: int) -> tuple[list[tuple[Exits, int]], bool]:
        """Return the first of what is pending, so many exits at most, and whether that is all."""
        part = []
        for exits, era in self._pending:
            part.append((exits if len(exits) <= at_once else exits[:at_once], era))
            at_once -= len(exits)
            if at_once < 0:
                return part, False
            if not at_once:
                break
        return part, len(part) == len(self._pending)

    def _taken(self, count: int) -> None:
        """Drop the first of what is pending: it is on disk."""
        self._bytes -= self._bytes * count // (self._count or 1)
        self._count -= count
        while count:
            exits, era = self._pending.pop(0)
            if count < len(exits):
                self._pending.insert(0, (exits[count:], era))
            count -= min(count, len(exits))


def _bytes_of_args(exits: Exits) -> int:
    """Return about how many bytes the arguments take."""
    return sum([image.args_size for image in {*exits.shared("image")} if image])
