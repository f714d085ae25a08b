"""The files of a recording: their names, and how each is made and removed.

exits-000000000000001.db   a segment: the exits from this id on, up to the next segment's first
kept.db                    failures from segments that were dropped, and the counts by the hour
ballast                    space to release when the disk is full
lock                       held by the recorder

Beside a database lie its -wal, -shm and -journal. NAME.new is a segment that is not complete
yet, NAME.damaged a file that could not be read. While SQLite has a database open, the recorder must
not open that file by other means: closing it would drop the locks of SQLite.
"""

import contextlib
import fcntl
import grp
import os
import re
import sqlite3
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from exitsnoop.store import schema
from exitsnoop.store.damage import told_as_damage
from exitsnoop.store.errors import NotReadable, StoreBusy, StoreError

SEGMENTS = 8
KEPT = "kept.db"
_NAME = re.compile(r"exits-(\d{15})\.db")
_ESCAPED = re.compile(rb"[^\w/.~-]")
_BESIDE = ("", "-wal", "-shm", "-journal")
MALFORMED = "malformed database schema"
_CACHE_KIB = 1000
_BUSY_MS = 2000


class Directory:
    """A directory with a recording, as the recorder sees it.

    Attributes:
        path: the directory.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._lock: int | None = None

    @property
    def kept(self) -> Path:
        """The file for failures and counts from dropped segments; it may not exist."""
        return self.path / KEPT

    @property
    def lock_file(self) -> Path:
        """The file that the recorder holds locked."""
        return self.path / "lock"

    def make(self) -> None:
        """Make the directory, for root and the group adm. Raises StoreError."""
        try:
            if not self.path.is_dir():
                self.path.mkdir(mode=0o750, parents=True)
                give_to_adm(self.path)
        except OSError as error:
            raise StoreError(f"cannot make {self.path}: {error.strerror}") from error

    def lock(self) -> None:
        """Keep other recorders out. Raises StoreBusy, StoreError."""
        try:
            lock = os.open(self.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            give_to_adm(self.lock_file)
        except OSError as error:
            raise StoreError(f"cannot write to {self.path}: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise StoreBusy(
                f"another recorder writes to {self.path}: stop it, or give this one another "
                "directory (--store)"
            ) from error
        self.unlock()
        self._lock = lock
        with contextlib.suppress(OSError):  # a disk that is full; see copies.py
            os.ftruncate(lock, 0)
            os.pwrite(lock, b"%d" % os.fstat(lock).st_ino, 0)

    def unlock(self) -> None:
        """Let other recorders in. Harmless when not locked."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def show_trouble(self, number: int | None) -> None:
        """Let readers know why the recorder cannot write: a number of trouble.py; None if it can.

        By a lock, which takes no room.
        """
        if self._lock is not None:
            fcntl.lockf(self._lock, fcntl.LOCK_UN)
            if number is not None:
                fcntl.lockf(self._lock, fcntl.LOCK_EX, 1, number)

    def is_locked_here(self) -> bool:
        """Return whether the lock is still the directory's: the directory may have been removed."""
        try:
            return self._lock is not None and os.path.samestat(
                os.fstat(self._lock), os.stat(self.lock_file)
            )
        except FileNotFoundError:
            return False

    def segments(self) -> dict[int, Path]:
        """Return the segments by the first id, the oldest first. Raises NotReadable."""
        try:
            names = sorted(os.listdir(self.path))
        except FileNotFoundError:
            return {}
        except PermissionError as error:
            raise not_readable(self.path) from error
        found = ((_NAME.fullmatch(name), name) for name in names)
        return {int(match[1]): self.path / name for match, name in found if match}

    def damaged(self) -> list[Path]:
        """Return the files that were set aside, the oldest first."""
        times = {path: _changed_ns(path) for path in self.path.glob("*.damaged")}
        return sorted((path for path, at in times.items() if at), key=times.__getitem__)

    def bytes(self) -> int:
        """Return the size of all files together."""
        return sum(size for _, size in self._sizes())

    def _sizes(self) -> Iterator[tuple[str, int]]:
        with os.scandir(self.path) as entries:
            for entry in entries:
                try:
                    yield entry.name, entry.stat(follow_symlinks=False).st_size
                except FileNotFoundError:
                    continue

    def sweep(self) -> None:
        """Remove files that a recorder was making when it was killed."""
        for path in [*self.path.glob("*.new"), *self.path.glob("*.new-journal")]:
            path.unlink()

    def create(self, first_id: int) -> Path:
        """Make a segment and return its path. Raises sqlite3.Error, OSError."""
        return self._create(self.path / f"exits-{first_id:015}.db", first_id)

    def create_kept(self) -> Path:
        """Make kept.db unless it is there, and return its path. Raises sqlite3.Error, OSError."""
        return self.kept if self.kept.exists() else self._create(self.kept, 0, apart=True)

    def _create(self, path: Path, first_id: int, *, apart: bool = False) -> Path:
        new = path.with_name(f"{path.name}.new")
        for left in (new, new.with_name(f"{new.name}-journal")):
            left.unlink(missing_ok=True)
        os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640))
        give_to_adm(new)
        connection = sqlite3.connect(new, isolation_level=None)
        try:
            connection.execute("PRAGMA synchronous=FULL")
            schema.create(connection, first_id, apart=apart)
        finally:
            connection.close()
        new.rename(path)
        self.sync()
        return path

    def sync(self) -> None:
        """Sync the directory: new, renamed and removed files stay so. Raises OSError."""
        directory = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def remove(self, path: Path) -> None:
        """Remove a database with what lies beside it. Raises OSError."""
        for suffix in _BESIDE:
            path.with_name(path.name + suffix).unlink(missing_ok=True)

    def set_aside(self, path: Path) -> Path:
        """Rename a damaged database and what lies beside it; return its new path."""
        numbers = count(len(self.damaged()))
        names = (path.with_name(f"{path.name}.{nth}.damaged") for nth in numbers)
        to = next(name for name in names if not name.exists())
        for suffix in reversed(_BESIDE):
            beside = path.with_name(path.name + suffix)
            if beside.exists():
                beside.rename(to.with_name(to.name + suffix))
        return to


def _changed_ns(path: Path) -> int:
    """Return when a file was changed; 0 if it is gone."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def size(path: Path) -> int:
    """Return the size of a database and its log; 0 if it is not there."""
    total = 0
    for suffix in ("", "-wal"):
        try:
            total += os.stat(f"{path}{suffix}").st_size
        except FileNotFoundError:
            continue
    return total


def uri(path: Path, how: str) -> str:
    """Return what SQLite opens a file by, with parameters such as "mode=ro".

    Since Python 3.13, Path.as_uri() imports modules, which a recorder without privileges perhaps
    may not read.
    """
    name = _ESCAPED.sub(lambda found: b"%%%02x" % found[0][0], os.fsencode(path.absolute()))
    return f"file://{name.decode()}?{how}"


def connect(path: Path, cache_kib: int = _CACHE_KIB, busy_ms: int = _BUSY_MS) -> sqlite3.Connection:
    """Open a database to write to it, in WAL mode. Each commit is synced.

    Args:
        path: the file.
        cache_kib: how much of it is kept in memory, at most.
        busy_ms: how long to wait for a reader.

    Raises sqlite3.DatabaseError if it is damaged, OperationalError if it cannot be written,
    StoreTooNew.
    """
    connection = sqlite3.connect(
        uri(path, "mode=rw"),
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=64,
    )
    try:
        with told_as_damage():
            connection.execute(f"PRAGMA busy_timeout={busy_ms}")
            schema.upgrade(connection)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA cache_size=-{cache_kib}")
            connection.execute("PRAGMA journal_size_limit=4194304")
    except BaseException:
        connection.close()
        raise
    return connection


def seal(connection: sqlite3.Connection) -> bool:
    """Move everything into the one file and close it. Then the right to read is enough to read it.

    Returns False, and leaves it open, if a reader prevents that.
    """
    connection.execute("PRAGMA busy_timeout=100")
    try:
        mode = connection.execute("PRAGMA journal_mode=DELETE").fetchone()[0]
    except sqlite3.OperationalError:
        mode = "wal"
    if mode != "delete":
        return False
    connection.close()
    return True


def not_readable(path: Path) -> NotReadable:
    """Return the error for a recording that this user may not read."""
    try:
        found = path.stat()
    except OSError:
        found = None
    if found is None or found.st_gid == adm():
        return NotReadable(
            f"may not read {path}: only root and the group adm may (sudo, or usermod -aG adm USER)"
        )
    return NotReadable(
        f"may not read {path}: only its owner (uid {found.st_uid}), its group (gid {found.st_gid}) "
        "and root may"
    )


def give_to_adm(path: Path) -> None:
    """Let the group adm read a file or directory, if we may decide that."""
    group = adm() if os.geteuid() == 0 else None
    if group is None:
        return
    try:
        os.chown(path, -1, group)
    except OSError:
        pass  # then it is root's alone


def adm() -> int | None:
    """Return the number of the group that may read recordings; None if there is no such group."""
    try:
        return grp.getgrnam("adm").gr_gid
    except KeyError:
        return None
