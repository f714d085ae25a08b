"""Users: numbers to names, and names to numbers."""

import os
import pwd
import threading
import time
from queue import SimpleQueue

_LAST = 2**32 - 2  # to the kernel, 2**32 - 1 means no user
# How long to wait for names, all in all: so much at once, and then such a share of the time.
PATIENCE_S, PATIENCE_SHARE = 1.0, 0.1
_MOST = 1024  # names that are remembered, and names that may be waited for


class _Names:
    """Asks the name service in a thread of its own: it may answer late (LDAP), or never.

    Attributes:
        numbers_given: how often name() has given a number, as the name had not come.
    """

    def __init__(self) -> None:
        self.numbers_given = 0
        self._known: dict[int, str | None] = {}
        self._asked: set[int] = set()
        self._questions: SimpleQueue[int] = SimpleQueue()
        self._answered = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_stuck = False  # since a question was not answered in time
        self._patience_s = PATIENCE_S
        self._waited_at = time.monotonic()

    def name(self, uid: int) -> str | None:
        """Return the name, None if there is none; or the number, if that is not known in time."""
        if uid in self._known:
            return self._known[uid]
        with self._answered:
            if self._ask(uid):
                self._wait_for(uid)
            if uid in self._known:
                return self._known[uid]
        self.numbers_given += 1
        return str(uid)

    def _ask(self, uid: int) -> bool:
        """Ask; return whether it makes sense to wait for the answer."""
        if uid not in self._asked:
            if len(self._asked) >= _MOST:
                return False
            self._asked.add(uid)
            self._questions.put(uid)
        if self._thread is None:
            thread = threading.Thread(target=self._answer, name="users", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # there may be no more threads
                return False
            self._thread = thread
        return not self._is_stuck

    def _wait_for(self, uid: int) -> None:
        began = time.monotonic()
        earned = PATIENCE_SHARE * (began - self._waited_at)
        self._patience_s = min(PATIENCE_S, self._patience_s + earned)
        self._is_stuck = not self._answered.wait_for(lambda: uid in self._known, self._patience_s)
        self._waited_at = time.monotonic()
        self._patience_s -= self._waited_at - began

    def _answer(self) -> None:
        while True:
            uid = self._questions.get()
            found = _look_up(uid)
            with self._answered:
                if len(self._known) >= _MOST:
                    del self._known[next(iter(self._known))]
                self._known[uid] = found
                self._asked.discard(uid)
                self._is_stuck = False
                self._answered.notify_all()


_names = _Names()


def _forget() -> None:
    """In a child: the thread stays with the parent."""
    global _names
    _names = _Names()


os.register_at_fork(after_in_child=_forget)


def name(uid: int) -> str | None:
    """Return the name of a user, None if there is none. Names are remembered.

    If the name service does not answer in time, that is the number, in decimal: see
    numbers_given(). Invalid UTF-8 becomes U+FFFD.
    """
    return _names.name(uid)


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
