"""Users: their names for their numbers, and the other way round."""

import os
import pwd
from functools import lru_cache

_LAST = 2**32 - 2  # the kernel's 2**32 - 1 is "no user"


@lru_cache(maxsize=1024)
def name(uid: int) -> str | None:
    """Return the name of a user, None if there is none. Asked of the system once.

    Invalid UTF-8 becomes U+FFFD.
    """
    try:
        return os.fsencode(pwd.getpwuid(uid).pw_name).decode("utf-8", "replace")
    except KeyError:
        return None


def uid(text: str) -> int:
    """Return the number of a user given by name, or by number, in decimal, of any user.

    Raises ValueError if it is neither.
    """
    try:
        return pwd.getpwnam(text).pw_uid
    except KeyError:
        pass
    if text.isascii() and text.isdecimal() and int(text) <= _LAST:
        return int(text)
    raise ValueError(f"no user {text}")
