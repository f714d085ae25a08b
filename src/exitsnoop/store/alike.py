"""Long arguments that differ little from earlier ones, as those of a compiler do.

A build runs the same command for one file after another, and names the file several times. So what
is stored is the earlier arguments, the word that became another, and what else is different.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

SHORT = 64
"""Arguments of fewer bytes are not worth it."""

_LONG = 4096  # longer ones would take too much memory
_MOST = 128
_HEAD = 24
_word: Callable[..., re.Match[bytes]] = re.compile(rb"[0-9A-Za-z_]*").match  # type: ignore[assignment]

BASE = ("base", "old", "new", "shared")
"""Columns of `images` that say how arguments are made of others; all NULL if they are not."""

OF_IMAGE = (
    "SELECT CASE WHEN i.base IS NULL THEN i.args ELSE "
    "substr(replace(b.args, i.old, i.new), 1, ifnull(i.shared, 1000000)) || i.args END "
    "FROM images i LEFT JOIN images b ON b.id = i.base WHERE i.id = {}"
)
"""The SQL that gives the arguments of an image."""


class Difference(NamedTuple):
    """How a text is made: replace `old` by `new` in another, take so much of it, add `rest`.

    `base` is the number of the other. `old` is "" if nothing is replaced.
    """

    base: int
    old: str
    new: str
    shared: int
    rest: str


class _Base:
    """Arguments that are stored in full.

    Attributes:
        number: where.
        raw: each ended by a NUL.
        text: what is stored, which has no escapes.
        word: a word that became another lately.
        old: the same as a text.
        parts: what is before, between and after the places where it is.
        at: where it is first.
        times: how often it is there.
        besides: how many bytes there are besides.
    """

    def __init__(self, number: int, raw: bytes, text: str) -> None:
        self.number = number
        self.raw = raw
        self.text = text
        self.word = b""
        self.old = ""
        self.parts: list[bytes] = []
        self.at = self.times = self.besides = 0

    def find_word(self, raw: bytes) -> bytes:
        """Find the first word that became another; return that."""
        at = _first_difference(raw, self.raw)
        at -= _word(raw[:at][::-1]).end()
        self.word = _word(self.raw, at).group()
        self.old = self.word.decode()
        self.parts = self.raw.split(self.word) if self.word else []
        self.at = self.raw.find(self.word)
        self.times = len(self.parts) - 1
        self.besides = sum(map(len, self.parts))
        return _word(raw, at).group()

    def difference(self, text: str, new: str) -> Difference:
        """Return how to make a text of this one, whose word became another."""
        plain = _first_difference(text.encode(), self.text.encode())
        if self.word:
            replaced = self.text.replace(self.old, new)
            shared = _first_difference(text.encode(), replaced.encode())
            if shared > plain:
                return Difference(self.number, self.old, new, shared, text[shared:])
        return Difference(self.number, "", "", plain, text[plain:])


class Alike:
    """The arguments of each kind that were stored last in full."""

    def __init__(self) -> None:
        self._bases: dict[tuple[str | None, bytes], _Base] = {}

    def again(self, kind: str | None, raw: bytes) -> tuple[int, str, str] | None:
        """Return how to make arguments if they differ in one word, as others did before.

        Returns the number of the base, the word, and what it becomes.
        """
        base = self._bases.get((kind, raw[:_HEAD]))
        if base is None or not base.parts:
            return None
        at = base.at
        new = raw[at : at + (len(raw) - base.besides) // base.times]
        if new.join(base.parts) != raw or not (new.isalnum() or _is_word(new)):
            return None
        return base.number, base.old, new.decode()

    def difference(self, kind: str | None, raw: bytes, text: str) -> Difference | None:
        """Return how to make arguments, in JSON; None if that would not be much shorter."""
        base = self._bases.get((kind, raw[:_HEAD]))
        if base is None or not _is_plain(text):
            return None
        found = base.difference(text, base.find_word(raw).decode())
        taken = len(found.old) + len(found.new) + len(found.rest)
        return found if 2 * taken <= len(text) else None

    def keep(self, kind: str | None, raw: bytes, text: str, number: int) -> None:
        """Take note of arguments that have been stored in full."""
        if _is_plain(text):
            if len(self._bases) >= _MOST:
                self._bases.clear()
            self._bases[kind, raw[:_HEAD]] = _Base(number, raw, text)


def _is_word(raw: bytes) -> bool:
    return raw != b"" and _word(raw).end() == len(raw)


def _is_plain(text: str) -> bool:
    """Whether the words are in a text of JSON as they are in the arguments."""
    return SHORT <= len(text) <= _LONG and text.isascii() and "\\" not in text


def _first_difference(one: bytes, other: bytes) -> int:
    """Return where the first byte is that differs."""
    bits = int.from_bytes(one, "little") ^ int.from_bytes(other, "little")
    least = min(len(one), len(other))
    return min(least, ((bits & -bits).bit_length() - 1) >> 3) if bits else least
