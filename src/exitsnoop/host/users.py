"""Users: numbers to names, and names to numbers."""

import os
import pwd
from functools import lru_cache

_LAST = 2**32 - 2  # to the kernel, 2**32 - 1 means no user


@lru_cache(maxsize=1024)
def name(uid: int) -> str | None:
    """Return the name of a user, None if there is none. Results are cached.

    Invalid UTF-8 becomes U+FFFD.
    """
    try:
        return os.fsencode(pwd.getpwuid(uid).pw_name).decode("utf-8", "replace")
    except KeyError:
        return None


def uid(text: str) -> int:
    """Return the number of a user, from the name or from any number in decimal.

    Raises ValueError if the text is neither.
    """
    try:
        return pwd.getpwnam(text).pw_uid
    except KeyError:
        pass
    if text.isascii() and text.isdecimal() and int(text) <= _LAST:
        return int(text)
    raise ValueError(f"no user {text}")
