"""Recordings that were copied: where they end, and what may be missing from them."""

import os
import sqlite3
from pathlib import Path

from exitsnoop.store.coverage import Covered
from exitsnoop.store.directory import Directory
from exitsnoop.store.errors import StoreError
from exitsnoop.store.opening import Gone, Opened

COPIED = "copied"
"""Why nothing was recorded after a stretch whose end nobody noted, in a copy."""


def ended(stretches: list[Covered], directory: Directory) -> list[Covered]:
    """Return stretches of a recording that no recorder writes to; of a copy, the last one says so.

    In the place where it was recorded, a recorder that did not note its end was killed.
    """
    if not stretches or stretches[-1].ended is not None or not _is_copy(directory):
        return stretches
    return [*stretches[:-1], stretches[-1]._replace(ended=COPIED)]


def _is_copy(directory: Directory) -> bool:
    """Whether its recorder did not write here: it notes in its lock which file that is."""
    try:
        with open(directory.lock_file, "rb") as lock:
            noted, inode = lock.read(32), os.fstat(lock.fileno()).st_ino
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return noted not in (b"", b"%d" % inode)  # it is empty if an older version recorded


def without_log(path: Path) -> Path | None:
    """Return the newest segment of a recording, if a log of SQLite belongs to it that is not there.

    It was left out of a copy, or what opened the file to write has put it into the file.
    """
    newest = max(Directory(path).segments().items(), default=(0, None))[1]
    if newest is None:
        return None
    try:
        opened = Opened(newest)
    except (Gone, sqlite3.Error, StoreError):
        return None
    try:
        return newest if opened.lacks_log() else None
    finally:
        opened.close()
