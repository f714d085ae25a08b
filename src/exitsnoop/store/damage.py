"""Which errors mean that a file is damaged: SQLite says it by many, in words of its own."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

_OF_SYSTEM = (
    "full",
    "locked",
    "disk I/O error",
    "readonly",
    "unable to open",
    "locking protocol",
    "permission denied",
    "interrupted",
)
"""What an OperationalError has in its text if the disk, the system or a reader is the reason."""


def judged(error: sqlite3.Error) -> sqlite3.Error:
    """Return the error; a plain DatabaseError where the content is the reason.

    "no such column", "unsupported file format", a text that cannot be decoded: only damage makes
    that of a file that this program wrote.
    """
    is_of_system = any(words in str(error) for words in _OF_SYSTEM)
    if is_of_system or not isinstance(error, sqlite3.OperationalError):
        return error
    return sqlite3.DatabaseError(str(error))


@contextmanager
def told_as_damage() -> Iterator[None]:
    """Raise sqlite3.Error as judged(), also for values that are none of those that were written."""
    try:
        yield
    except sqlite3.Error as error:
        raise judged(error) from error
    except (TypeError, ValueError, OverflowError) as error:
        raise sqlite3.DatabaseError(f"damaged: {error}") from error
