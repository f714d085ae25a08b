"""Is a file of the recording sound?"""

import contextlib
import sqlite3
import threading
from pathlib import Path

from exitsnoop.store.damage import told_as_damage
from exitsnoop.store.directory import uri


def was_killed(connection: sqlite3.Connection) -> bool:
    """Whether the recorder that wrote last did not stop as it should."""
    query = "SELECT ended IS NULL FROM coverage ORDER BY id DESC LIMIT 1"
    return bool((connection.execute(query).fetchone() or (False,))[0])


def is_sound(connection: sqlite3.Connection) -> bool:
    """Whether SQLite finds no damage in a file."""
    try:
        with told_as_damage():
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
    except sqlite3.OperationalError:  # it could not look: a reader, the disk
        return True
    except sqlite3.DatabaseError:
        return False


def is_sound_file(path: Path) -> bool:
    """Whether SQLite finds no damage in a file that nobody has open."""
    with contextlib.closing(sqlite3.connect(uri(path, "mode=ro"), uri=True)) as file:
        return is_sound(file)


class Check:
    """Checks a file beside the recording: that may take seconds.

    Attributes:
        has_found_damage: whether it has.
    """

    def __init__(self, path: Path) -> None:
        self.has_found_damage = False
        self._file = sqlite3.connect(uri(path, "mode=ro"), uri=True, check_same_thread=False)
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self) -> None:
        self.has_found_damage = not is_sound(self._file)
        self._file.close()

    def end(self) -> None:
        """Look no further. Harmless if it has ended."""
        with contextlib.suppress(sqlite3.Error):
            self._file.interrupt()
        self._thread.join()
