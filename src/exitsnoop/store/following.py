"""What was recorded after a point that was noted, for whoever delivers all of it elsewhere.

A point is a place in the recording that can be written down: the id of an exit, and up to where
what is missing was read. What retention dropped before it was read is counted, never passed over.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from exitsnoop.model.batch import Exits
from exitsnoop.store import coverage
from exitsnoop.store.query import Query
from exitsnoop.store.recording import Recording

Place = tuple[int, int]
"""A row of the tables `losses` and `coverage`: its segment and its number there. They ascend."""
START: Place = (0, 0)
_TRIES = 20


class Page(NamedTuple):
    """Exits after an id, at most 500.

    Attributes:
        exits: they; none if those of the page are all dropped, damaged, or not wanted.
        last_id: up to which id the page goes.
        dropped: how many exits retention dropped before they could be read; where only failures
            are wanted, it may count others among them.
        damaged: how many exits cannot be read, at most, as after a damaged file some ids are left
            out; None if nobody can count them.
        unreadable: files that cannot be read, or were set aside as damaged, also earlier.
    """

    exits: Exits
    last_id: int
    dropped: int
    damaged: int | None
    unreadable: tuple[Path, ...]


@dataclass(frozen=True, order=True)
class Missing:
    """Exits that are not in the recording.

    Attributes:
        key: names it, the same each time that it is read.
        why: as a Gap has it.
        count: how many; None if nobody counted them.
        from_ns, to_ns: when they ended, nanoseconds since the epoch; None if that is unknown.
    """

    key: str
    why: str
    count: int | None
    from_ns: int | None
    to_ns: int | None


@dataclass(frozen=True)
class Marks:
    """Up to where what is missing was read: the last loss, the last stretch of coverage."""

    loss: Place = field(default=START)
    stretch: Place = field(default=START)


def page_after(recording: Recording, after_id: int, *, failed: bool = False) -> Page | None:
    """Return what was recorded after an exit; None if nothing was.

    The files are closed again when it returns, so the recorder never waits for its reader.

    failed: only exits that did not end with exit(0).

    Raises NotReadable, StoreTooNew.
    """
    for _ in range(_TRIES):
        oldest = recording.oldest_id()
        newest = recording.newest_id()
        if newest <= after_id:
            return None
        query = Query(after_id=after_id, before_id=newest + 1, failed=failed)
        selection = recording.select(query)
        batches = selection.batches()
        exits = next(batches, None)
        batches.close()  # type: ignore[attr-defined]
        if recording.oldest_id() == oldest:
            break  # nothing was dropped while it was read
    ids = [] if exits is None else exits.column("id")
    last_id = ids[-1] if ids else newest
    below = max(0, min(last_id, oldest - 1) - after_id)
    dropped = below - sum(number < oldest for number in ids)
    unreadable = tuple(dict.fromkeys([*selection.unreadable, *sorted(recording.unreadable)]))
    damaged: int | None = last_id - after_id - dropped - len(ids)
    if failed:
        damaged = None if unreadable else 0
    return Page(Exits({}) if exits is None else exits, last_id, dropped, damaged, unreadable)


def id_before(recording: Recording, since_ns: int) -> int:
    """Return the id after which all exits are that ended since then.

    since_ns: nanoseconds since the epoch. Raises NotReadable, StoreTooNew.
    """
    newest = recording.newest_id()
    selection = recording.select(Query(since_ns=since_ns, limit=1))
    for _ in selection.batches():
        return selection.last_id - 1
    return newest


def boot_ns_of(recording: Recording, number: int) -> int | None:
    """Return when an exit was by the boot clock, which tells it from any other with its id.

    None if it is not in the recording, or no longer. Raises NotReadable, StoreTooNew.
    """
    query = Query(after_id=number - 1, before_id=number + 1, limit=1)
    for exits in recording.select(query).batches():
        return int(exits.column("boot_ns")[0])
    return None


def missing_after(recording: Recording, marks: Marks) -> tuple[list[Missing], Marks]:
    """Return what is missing that was noted after the marks, and the marks after it.

    That is what was lost while it was recorded, and the time between two stretches of recording.
    A stretch in which nothing is recorded is there once the next one has begun.

    Raises NotReadable, StoreTooNew.
    """
    losses: dict[Place, Missing] = {}
    stretches: dict[Place, _Stretch] = {}
    for found in recording.noted():
        losses |= {place: _lost(place, *row) for place, row in found.losses.items()}
        stretches |= {place: _Stretch(*row) for place, row in found.coverage.items()}
    new = [losses[place] for place in sorted(losses) if place > marks.loss]
    new += _between(stretches, marks.stretch)
    return new, Marks(max([marks.loss, *losses]), max([marks.stretch, *stretches]))


class _Stretch(NamedTuple):
    boot_id: str
    from_boot_ns: int
    from_ns: int
    to_ns: int
    ended: str | None

    @property
    def key(self) -> str:
        return f"{self.boot_id}/{self.from_boot_ns}"


def _lost(place: Place, boot_id: str, boot_ns: int, *known: Any) -> Missing:
    from_ns, to_ns, count, why = known
    segment, number = place
    return Missing(f"{boot_id}/{boot_ns}/{segment}.{number}", why, count, from_ns, to_ns)


def _between(stretches: dict[Place, _Stretch], after: Place) -> Iterable[Missing]:
    """Return the gaps before the stretches that were noted after a place."""
    before: _Stretch | None = None
    for place in sorted(stretches):
        stretch = stretches[place]
        is_next = before is not None and stretch.key != before.key and place > after
        if before and is_next and stretch.from_ns - before.to_ns > coverage.MOMENT_NS:
            why = coverage.why_after(before.ended, rebooted=before.boot_id != stretch.boot_id)
            yield Missing(f"{stretch.key}/gap", why, None, before.to_ns, stretch.from_ns)
        before = stretch
