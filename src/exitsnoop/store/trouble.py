"""Why a recorder cannot write, as a number that it can show without writing.

It shows it by which byte of its lock file it has locked: that takes no room on a disk that is full.
"""

import os

FULL = "disk full"
_WORDS = (  # numbers are never given anew: recorders and readers may be of different versions
    "",
    FULL,
    "disk I/O error",
    "database is locked",
    "attempt to write a readonly database",
    "unable to open database file",
    "database disk image is malformed",
    "file is not a database",
    "locking protocol",
)
_OF_SYSTEM = 1000  # and the number of its error above that


def number(error: Exception, *, is_full: bool) -> int:
    """Return the number of an error; 0 if it has none."""
    words = FULL if is_full else str(error)
    if words in _WORDS:
        return _WORDS.index(words)
    return _OF_SYSTEM + (error.errno or 0) if isinstance(error, OSError) else 0


def words(shown: int) -> str:
    """Return what a number stands for; "" if that is unknown."""
    if shown > _OF_SYSTEM:
        return os.strerror(shown - _OF_SYSTEM)
    return _WORDS[shown] if shown < len(_WORDS) else ""
