"""Shell patterns for process names, as an automaton that the BPF program runs.

A pattern is a sequence of elements. Each takes one byte of the name, or any number of bytes (a
star). Bit i of the state is set if the elements before i can take the part of the name read so far.
"""

import os
import re
import string
import struct
from collections.abc import Iterable
from typing import NamedTuple

from exitsnoop.layout import COMM_BYTES, STRUCTS
from exitsnoop.layout import GLOB_WORDS as _WORDS

NAME_BYTES = COMM_BYTES - 1  # less the NUL

_WORD_BITS = 64
_SET = struct.Struct("=" + "".join(STRUCTS["glob_set"].values()))
_PART_BYTES = 24
_NEVER_ESCAPED = string.ascii_letters + string.digits + "_."
_ANY = bytes(range(1, 256))

_ELEMENT = re.compile(
    rb"(?P<star>\*+)|(?P<any>\?)"
    rb"|\[(?:(?P<none_of>[!^])|(?![!^]))(?P<set>(?:\]|\\.|[^\\\]])(?:\\.|[^\\\]])*)\]"
    rb"|\\(?P<escaped>.)|(?P<plain>[^\\[])",
    re.DOTALL,
)
_MEMBER = re.compile(rb"\\?(?P<first>.)(?:-\\?(?P<last>.))?", re.DOTALL)


class _Automaton(NamedTuple):
    """One pattern. Bit i of each number stands for element i."""

    accepts: list[int]  # for each byte
    stars: int
    elements: int


def compile_globs(patterns: Iterable[str]) -> bytes:
    r"""Return the automaton for names that match one of the patterns: a struct glob_set.

    `*` stands for any text, `?` for any byte, `[a-z_]` for one of these bytes and `[!a-z_]` for any
    other byte. A backslash makes the next character an ordinary one.

    Raises ValueError for a malformed pattern, for one that no name can match, and for too many.
    """
    return _packed([_automaton(pattern) for pattern in patterns])


def compile_parts(parts: Iterable[str]) -> bytes:
    """Return the automaton for texts that contain one of the parts.

    It compares only the first bytes of each part, and takes any text in place of a character that
    systemd may escape.

    Raises ValueError for an empty part, and for too many.
    """
    return _packed([_part(part) for part in parts])


def for_sqlite(pattern: str) -> str:
    """Return a pattern for SQLite's GLOB that takes every name that this pattern takes, and more.

    SQLite compares characters, not bytes, and writes sets in another way.
    """
    made, plain = "", b""
    for element in _ELEMENT.finditer(pattern.encode("utf-8", "surrogateescape")):
        literal = element["escaped"] or element["plain"]
        if literal:
            plain += literal
        else:
            made += f"{literal_for_sqlite(plain)}*"
            plain = b""
    return re.sub(r"\*+", "*", made + literal_for_sqlite(plain))


def literal_for_sqlite(text: bytes) -> str:
    """Return the pattern for SQLite's GLOB that takes this text."""
    try:
        return re.sub(r"[*?[]", r"[\g<0>]", text.decode())
    except UnicodeDecodeError:  # SQLite has U+FFFD there
        return "*"


def matches(compiled: bytes, name: bytes) -> bool:
    """Return whether a name matches, by the algorithm of the BPF program.

    Stars are never adjacent, so one step reaches the element after a star.
    """
    words = _SET.unpack(compiled)
    bytes_of = 256 * _WORDS
    accepts, rest = words[:bytes_of], words[bytes_of:]
    stars, starts, ends = (rest[at : at + _WORDS] for at in range(0, 3 * _WORDS, _WORDS))
    found = False
    for word in range(_WORDS):
        state = starts[word] | (starts[word] & stars[word]) << 1
        for byte in name:
            state = (state & accepts[byte * _WORDS + word]) << 1 | state & stars[word]
            state |= (state & stars[word]) << 1
        found = found or bool(state & ends[word])
    return found


def _packed(automata: list[_Automaton]) -> bytes:
    """Put the automata side by side into words, each with one more bit after its last element."""
    accepts = [0] * (256 * _WORDS)
    stars, starts, ends, used = ([0] * _WORDS for _ in range(4))
    for automaton in automata:
        room = [word for word in range(_WORDS) if used[word] + automaton.elements < _WORD_BITS]
        if not room:
            raise ValueError("these patterns are too many, or too long, to be used at once")
        word = room[0]
        at = used[word]
        for byte, elements in enumerate(automaton.accepts):
            accepts[byte * _WORDS + word] |= elements << at
        stars[word] |= automaton.stars << at
        starts[word] |= 1 << at
        ends[word] |= 1 << at + automaton.elements
        used[word] += automaton.elements + 1
    return _SET.pack(*accepts, *stars, *starts, *ends)


def _part(text: str) -> _Automaton:
    accepts = [0] * 256
    stars = elements = 1
    if not text:
        raise ValueError("an empty text matches everything")
    for byte in os.fsencode(text)[:_PART_BYTES]:
        if chr(byte) in _NEVER_ESCAPED:
            accepts[byte] |= 1 << elements
            elements += 1
        elif not stars >> elements - 1:
            stars |= 1 << elements
            elements += 1
    if not stars >> elements - 1:
        stars |= 1 << elements
        elements += 1
    return _Automaton(accepts, stars, elements)


def _automaton(pattern: str) -> _Automaton:
    text = pattern.encode("utf-8", "surrogateescape")
    if not text or b"\0" in text:
        raise ValueError(
            f"{pattern!r} is not a pattern: a name is never empty and never contains a NUL"
        )
    accepts = [0] * 256
    stars = shortest = elements = 0
    at = 0
    while at < len(text):
        element = _ELEMENT.match(text, at)
        if element is None:
            what = "a [ without a ]" if text[at:].startswith(b"[") else "a backslash at the end"
            raise ValueError(f"{pattern!r} is not a pattern: it has {what}")
        at = element.end()
        if element["star"]:
            stars |= 1 << elements
        else:
            shortest += 1
            if shortest > NAME_BYTES:
                raise ValueError(f"{pattern!r} is too long: a name has at most {NAME_BYTES} bytes")
            for byte in _accepted(element):
                accepts[byte] |= 1 << elements
        elements += 1  # at most 15 and the stars between them, which fit in a word
    return _Automaton(accepts, stars, elements)


def _accepted(element: "re.Match[bytes]") -> bytes:
    """Return the bytes that an element takes, if it is not a star."""
    if element["any"]:
        return _ANY
    members = element["set"]
    if members is None:
        plain: bytes = element["plain"] or element["escaped"]
        return plain
    if not members.isascii():
        raise ValueError(f"[{members.decode('utf-8', 'replace')}]: a set can only contain ASCII")
    if b"[:" in members:
        raise ValueError(
            f"[{members.decode()}]: character classes are not supported: write [0-9] or [a-z]"
        )
    accepted = set()
    for member in _MEMBER.finditer(members):
        first = member["first"][0]
        last = member["last"][0] if member["last"] else first
        if last < first:
            raise ValueError(f"[{members.decode()}]: the range {chr(first)}-{chr(last)} is empty")
        accepted |= set(range(first, last + 1))
    return bytes(set(_ANY) - accepted if element["none_of"] else accepted)
