"""What a power cut leaves on a disk: worked out from what a recorder did, as shim.c noted it.

What was not synced may be there, in part, or not at all: of each write, each sector by itself.
Names come and go in their order, up to any point after the last time that the directory was synced.
"""

import random
import re
from collections.abc import Iterator
from pathlib import Path

SECTOR = 512
_LINE = re.compile(rb"([A-Z])(?: (\S+))?(?: (\S+))?(?: (\S+))?\n")

Note = tuple[str, list[str], bytes]


class _File:
    """A file: what is safe, and what was done since."""

    def __init__(self) -> None:
        self.safe = bytearray()
        self.since: list[tuple[int, bytes | None]] = []  # where, what; None: its size was set

    def sync(self) -> None:
        for at, data in self.since:
            _apply(self.safe, at, data)
        self.since.clear()

    def after_cut(self, chance: random.Random) -> bytes:
        content = bytearray(self.safe)
        survives = chance.choice([0.0, 0.5, 0.9, 1.0])
        for at, data in self.since:
            if data is None:
                if chance.random() < survives:
                    _apply(content, at, None)
                continue
            for start in range(0, len(data), SECTOR):
                if chance.random() < survives:
                    _apply(content, at + start, data[start : start + SECTOR])
        return bytes(content)


def _apply(content: bytearray, at: int, data: bytes | None) -> None:
    if data is None:
        del content[at:]
        content.extend(bytes(at - len(content)))
        return
    content.extend(bytes(max(0, at - len(content))))
    content[at : at + len(data)] = data


def notes(log: Path) -> list[Note]:
    """Return what was noted."""
    return list(_notes(log.read_bytes()))


def _notes(text: bytes) -> Iterator[Note]:
    at = 0
    while at < len(text):
        line = _LINE.match(text, at)
        if line is None:  # the recorder was ended while it wrote that
            return
        kind, *words = (word.decode() for word in line.groups() if word is not None)
        at = line.end()
        data = b""
        if kind == "W":
            data = text[at : at + int(words[2])]
            at += len(data) + 1
        yield kind, words, data


def cut(done: list[Note], at: int, directory: Path, chance: random.Random) -> int:
    """Make the directory as a power cut after so many notes may leave it.

    Returns the number that was last acknowledged before it, 0 if none was.
    """
    files: dict[str, _File] = {}
    safe: dict[str, _File] = {}
    names: dict[str, _File] = {}
    since: list[dict[str, _File]] = []
    acknowledged = 0
    for kind, words, data in done[:at]:
        if kind == "A":
            acknowledged = int(words[0])
        elif kind == "C":
            files[words[0]] = names[words[1]] = _File()
        elif kind == "W":
            files[words[0]].since.append((int(words[1]), data))
        elif kind == "T":
            files[words[0]].since.append((int(words[1]), None))
        elif kind == "S":
            files[words[0]].sync()
        elif kind == "R":
            names[words[1]] = names.pop(words[0])
        elif kind == "U":
            del names[words[0]]
        elif kind == "D":
            safe, since = dict(names), []
        if kind in "CRU":
            since.append(dict(names))
    left = chance.choice([safe, *since])
    directory.mkdir()
    for name, file in left.items():
        (directory / name).write_bytes(file.after_cut(chance))
    return acknowledged
