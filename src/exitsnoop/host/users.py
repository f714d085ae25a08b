"""Users: numbers to names, and names to numbers."""

import os
import pwd
from functools import partial

from exitsnoop.host.aside import Aside

_LAST = 2**32 - 2  # to the kernel, 2**32 - 1 means no user
# How long to wait for names, all in all: so much at once, and then such a share of the time.
PATIENCE_S, PATIENCE_SHARE = 1.0, 0.1
_MOST = 1024  # names that are remembered, and names that may be waited for


class _Names:
    """Asks the name service on a thread of its own: it may answer late (LDAP), or never.

    Attributes:
        numbers_given: how often name() has given a number, as the name had not come.
    """

    def __init__(self) -> None:
        self.numbers_given = 0
        self._known: dict[int, str | None] = {}
        self._asked: set[int] = set()
        self._aside = Aside(PATIENCE_S, PATIENCE_S, PATIENCE_SHARE)

    def name(self, uid: int) -> str | None:
        """Return the name, None if there is none; or the number, if that is not known in time."""
        found = self.name_in_time(uid)
        if found is None and uid not in self._known:
            self.numbers_given += 1
            return str(uid)
        return found

    def name_in_time(self, uid: int) -> str | None:
        """Return the name; None if there is none, or if that is not known in time."""
        if uid not in self._known and (
            not self._aside.is_late or (uid not in self._asked and len(self._asked) < _MOST)
        ):
            self._asked.add(uid)
            self._aside.do(partial(_look_up, uid), partial(self._learn, uid))
        return self._known.get(uid)

    def _learn(self, uid: int, name: str | None) -> None:
        if len(self._known) >= _MOST:
            del self._known[next(iter(self._known))]
        self._known[uid] = name
        self._asked.discard(uid)


_names = _Names()


def name(uid: int) -> str | None:
    """Return the name of a user, None if there is none. Names are remembered.

    If the name service does not answer in time, that is the number, in decimal: see
    numbers_given(). Invalid UTF-8 becomes U+FFFD.
    """
    return _names.name(uid)


def name_in_time(uid: int) -> str | None:
    """Return the name of a user; None if there is none, or if it does not come in time."""
    return _names.name_in_time(uid)


def numbers_given() -> int:
    """Return how often name() has given a number instead: what was made of it will not last."""
    return _names.numbers_given


def _look_up(uid: int) -> str | None:
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
