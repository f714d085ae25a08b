"""Open a file of the recording to read it, with only the right to read.

In WAL mode, SQLite wants to write files beside the database even to read it. The ways around that
depend on which files are there, and these may change at any moment: the recorder seals segments,
removes them, stops.
"""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from exitsnoop.store import schema
from exitsnoop.store.directory import MALFORMED, not_readable, uri

INSTRUCTIONS = 200_000
"""So many of SQLite's machine are some milliseconds: how often it says that it works."""
Tick = Callable[[], None]
"""Called again and again while SQLite works."""
DAMAGED = (sqlite3.DatabaseError, UnicodeDecodeError)
"""What a damaged file can raise: SQLite quotes a damaged schema, which may be no text."""
_TRIES = 4


class Gone(Exception):
    """The file has been removed."""


class Opened:
    """A file that is open for reading.

    Attributes:
        connection: to it. Statements raise sqlite3.Error.
        path: of the file.
    """

    def __init__(self, path: Path, tick: Tick | None = None) -> None:
        """Open it; tick is called while it is read.

        Raises Gone, NotReadable, StoreTooNew, sqlite3.DatabaseError.
        """
        self.path = path
        self._how = "mode=ro"
        self._stamp: tuple[int, int, int] | None = None
        self.connection = self._open()
        if tick:
            self.connection.set_progress_handler(tick, INSTRUCTIONS)

    def _open(self) -> sqlite3.Connection:
        problem: sqlite3.OperationalError | None = None
        for _ in range(_TRIES):
            try:
                return _checked(self.path, "mode=ro")
            except sqlite3.OperationalError as error:
                problem = error
            if not self.path.exists():
                raise Gone(self.path)
            if not os.access(self.path, os.R_OK):
                raise not_readable(self.path)
            try:
                if not _log_bytes(self.path):
                    return self._unchanging()
                if not Path(f"{self.path}-shm").exists():  # a copy
                    self._how = "mode=ro&vfs=unix-none"
                    return _checked(self.path, self._how, exclusive=True)
            except sqlite3.OperationalError as error:
                problem = error
        raise problem or Gone(self.path)

    def _unchanging(self) -> sqlite3.Connection:
        self._stamp = _stamp(self.path)
        self._how = "immutable=1"
        connection = _checked(self.path, self._how)
        if not self.is_valid():
            connection.close()
            raise sqlite3.OperationalError("it changed while it was opened")
        return connection

    def is_valid(self) -> bool:
        """Return whether what was read so far is right.

        It may be wrong if the file was opened as one that does not change, but did change.
        """
        if self._stamp is None:
            return True
        return self._stamp == _stamp(self.path) and not _log_bytes(self.path)

    @property
    def is_alone(self) -> bool:
        """Whether it is opened exclusively, as a copy with a log must be."""
        return "unix-none" in self._how

    def lacks_log(self) -> bool:
        """Return whether it is in the mode with a log, but has none, or an empty one."""
        if self._stamp is not None:  # only then it could not be opened as others
            return True
        mode = self.connection.execute("PRAGMA journal_mode").fetchone()[0]
        return bool(mode == "wal" and not _log_bytes(self.path))

    def attach(self, connection: sqlite3.Connection, name: str) -> None:
        """Attach the file to another connection in the same way.

        Those that are alone must be attached before the others.
        """
        if self.is_alone:  # the mode must be set before the file is read; it then cannot change
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("ATTACH ? AS " + name, (uri(self.path, self._how),))
        if self.is_alone:
            connection.execute("PRAGMA locking_mode=NORMAL")

    def close(self) -> None:
        """Close it."""
        self.connection.close()


def _checked(path: Path, how: str, *, exclusive: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(uri(path, how), uri=True, isolation_level=None, timeout=2)
    connection.text_factory = text
    try:
        if exclusive:
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        schema.version(connection)
        connection.execute("SELECT 1 FROM about").fetchone()
    except UnicodeDecodeError as error:
        connection.close()
        raise sqlite3.DatabaseError(MALFORMED) from error
    except BaseException:
        connection.close()
        raise
    return connection


def text(content: bytes) -> str:
    """Return a text, also if it is damaged."""
    return content.decode("utf-8", "replace")


def _log_bytes(path: Path) -> int:
    try:
        return os.stat(f"{path}-wal").st_size
    except FileNotFoundError:
        return 0


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
