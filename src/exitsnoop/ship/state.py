"""The cursor of a destination: up to where its records are delivered. It survives a loss of power.

It is one small file for each destination, in a directory that belongs to `exitsnoop ship`. It is
written to another file first, synced and renamed.
"""

import fcntl
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

from exitsnoop.store.following import Marks, Missing

_MOST_PENDING = 200


class InUse(Exception):
    """Another process delivers to the same destination, with the same cursor."""


@dataclass
class Cursor:
    """Up to where everything is delivered, or was counted as given up.

    Attributes:
        id: the exit.
        boot_ns: its time by the boot clock, by which it is recognised; None if that is unknown.
        marks: up to where what is missing was read.
        pending: what was given up or is missing, which the destination has yet to hear.
        damaged: files of the recording that were reported as damaged.
        series: a random word, another one for each recording.
        kept: what the destination keeps with it.
        counted: how many records had each outcome; see tally.OUTCOMES.
    """

    id: int
    boot_ns: int | None = None
    marks: Marks = field(default_factory=Marks)
    pending: list[Missing] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    series: str = field(default_factory=lambda: uuid4().hex)
    kept: Any = None
    counted: dict[str, int] = field(default_factory=dict)

    def owe(self, missing: Iterable[Missing]) -> None:
        """Add to what is pending. If that becomes much, what has the same reason is joined."""
        self.pending += missing
        if len(self.pending) > _MOST_PENDING:
            by_reason: dict[str, Missing] = {}
            for one in self.pending:
                before = by_reason.get(one.why)
                by_reason[one.why] = one if before is None else joined(before, one)
            self.pending = list(by_reason.values())


def joined(one: Missing, other: Missing) -> Missing:
    """Return two that have the same reason as one."""
    counts = (one.count, other.count)
    starts = [at for at in (one.from_ns, other.from_ns) if at is not None]
    ends = [at for at in (one.to_ns, other.to_ns) if at is not None]
    return Missing(
        one.key,
        one.why,
        None if None in counts else sum(filter(None, counts)),
        min(starts, default=None),
        max(ends, default=None),
    )


class State:
    """The file with the cursor of a destination. It is locked while this exists.

    Args:
        directory: where the file lies; it is made if it is not there.
        kind: the kind of the destination.
        where: its address.

    Raises OSError if the directory cannot be written to, InUse.

    Attributes:
        path: the file.
        cursor: as it was written last; None if there is none yet, or if it is damaged.
        is_damaged: whether there is a file that cannot be understood.
    """

    def __init__(self, directory: Path, kind: str, where: str) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._where = where
        self.path = directory / f"{kind}-{sha256(where.encode()).hexdigest()[:16]}.json"
        lock = self.path.with_suffix(".lock")
        self._lock = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise InUse(lock) from error
        self.is_damaged = False
        self.cursor = self._read()

    def _read(self) -> Cursor | None:
        try:
            return _from_plain(json.loads(self.path.read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, LookupError, AttributeError):
            self.is_damaged = True
            return None

    def write(self, cursor: Cursor) -> None:
        """Write the cursor; when it returns, it is on disk. Raises OSError."""
        new = self.path.with_suffix(".new")
        text = json.dumps({"where": self._where, **_plain(cursor)}) + "\n"
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.rename(self.path)
        directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        self.cursor = cursor
        self.is_damaged = False

    def close(self) -> None:
        """Let another process have it."""
        os.close(self._lock)


def _plain(cursor: Cursor) -> dict[str, Any]:
    return {
        "id": cursor.id,
        "boot_ns": cursor.boot_ns,
        "loss": cursor.marks.loss,
        "stretch": cursor.marks.stretch,
        "pending": [asdict(one) for one in cursor.pending],
        "damaged": cursor.damaged,
        "series": cursor.series,
        "kept": cursor.kept,
        "counted": cursor.counted,
    }


def _from_plain(given: dict[str, Any]) -> Cursor:
    """Raises ValueError, TypeError, LookupError, AttributeError if it is not a cursor."""
    numbers = [given["id"], *given["loss"], *given["stretch"]]
    if not all(type(number) is int for number in numbers) or len(numbers) != 5:
        raise ValueError(given)
    return Cursor(
        given["id"],
        given["boot_ns"],
        Marks(tuple(given["loss"]), tuple(given["stretch"])),
        [Missing(**one) for one in given["pending"]],
        [str(name) for name in given["damaged"]],
        str(given["series"]),
        given["kept"],
        {str(name): int(count) for name, count in given.get("counted", {}).items()},
    )
