"""What was recorded, and what was not: stretches of time, with what ended each."""

import sqlite3
from collections.abc import Iterable
from typing import Any, NamedTuple

from exitsnoop.store.schema import present

_COVERED = (
    "SELECT r.boot_id, c.from_ns, max(c.to_ns), "
    "c.offset_ns + b.stepped_ns - r.stepped_ns, c.ended, {filters} FROM coverage c "
    "JOIN eras r ON r.id = c.era JOIN boots b ON b.boot_id = r.boot_id "
    "GROUP BY r.boot_id, c.from_ns"
)
_LOST = (
    "SELECT l.from_ns + l.offset_ns + b.stepped_ns - r.stepped_ns, "
    "l.to_ns + l.offset_ns + b.stepped_ns - r.stepped_ns, l.count, l.why FROM losses l "
    "JOIN eras r ON r.id = l.era JOIN boots b ON b.boot_id = r.boot_id"
)
_PLACED_LOSSES = (
    "SELECT l.segment, l.id, r.boot_id, l.from_ns, "
    "l.from_ns + l.offset_ns + b.stepped_ns - r.stepped_ns, "
    "l.to_ns + l.offset_ns + b.stepped_ns - r.stepped_ns, l.count, l.why FROM losses l "
    "JOIN eras r ON r.id = l.era JOIN boots b ON b.boot_id = r.boot_id"
)
_PLACED_STRETCHES = (
    "SELECT c.segment, c.id, r.boot_id, c.from_ns, "
    "c.from_ns + c.offset_ns + b.stepped_ns - r.stepped_ns, "
    "c.to_ns + c.offset_ns + b.stepped_ns - r.stepped_ns, c.ended FROM coverage c "
    "JOIN eras r ON r.id = c.era JOIN boots b ON b.boot_id = r.boot_id"
)
MOMENT_NS = 1_000_000
"""Shorter gaps are those between two reads of a clock."""


class Covered(NamedTuple):
    """A stretch of time in which the recorder saw every exit, or all that pass its filters.

    Attributes:
        boot_id: the boot.
        from_ns, to_ns: nanoseconds since the epoch.
        ended: "stopped", "killed", "reboot" or another reason; None if it goes on, or if nobody
            could note it.
        filters: those of the recorder, as options of the command line; None if it had none.
    """

    boot_id: str
    from_ns: int
    to_ns: int
    ended: str | None
    filters: str | None = None


class Filtered(NamedTuple):
    """A stretch of time in which only the exits that pass filters were recorded.

    Attributes:
        from_ns, to_ns: nanoseconds since the epoch.
        filters: as options of the command line.
    """

    from_ns: int
    to_ns: int
    filters: str


class Gap(NamedTuple):
    """A stretch of time in which exits were not recorded.

    Attributes:
        from_ns, to_ns: nanoseconds since the epoch.
        why: "not recording" (before the first recording), "stopped", "killed", "copied" (killed, or
            this copy was made then), "reboot", "overflow" (the buffer of the kernel), "disk full",
            "not on disk" (the recorder cannot write, and goes on trying; the reason may follow,
            after a colon), "suspended" (the recorder is stopped, and may go on), or what the system
            said.
        lost: how many exits are missing; None if nobody counted them.
    """

    from_ns: int
    to_ns: int
    why: str
    lost: int | None


class Coverage(NamedTuple):
    """What a recording knows of when it was made, at one moment.

    Attributes:
        stretches: when all exits were seen, in the order of time.
        lost: what is missing from these.
        live: whether a recorder goes on where the last stretch ends.
        stuck: why what it sees is not on disk, as a Gap has it; None if it is.
        now_ns: that moment, nanoseconds since the epoch.
    """

    stretches: list[Covered]
    lost: set[Gap]
    live: bool
    stuck: str | None
    now_ns: int

    def gaps(self, from_ns: int, to_ns: int) -> list[Gap]:
        """Return what was not recorded between two times, and why."""
        to_ns = min(to_ns, self.now_ns)
        return gaps(self.stretches, self.lost, from_ns, to_ns, live=self.live, stuck=self.stuck)

    def filtered(self, from_ns: int, to_ns: int) -> list[Filtered]:
        """Return when between two times only exits that pass filters were recorded."""
        return filtered(self.stretches, from_ns, min(to_ns, self.now_ns), live=self.live)


class Noted(NamedTuple):
    """What a file notes about its losses and its coverage, by the segment and the number of each.

    Attributes:
        losses: the boot; when the first was lost by the boot clock, and by the wall clock; when the
            last was; how many; why.
        coverage: the boot; when it began by the boot clock, and by the wall clock; when it ended;
            why.
    """

    losses: dict[tuple[int, int], tuple[Any, ...]]
    coverage: dict[tuple[int, int], tuple[Any, ...]]


def noted(connection: sqlite3.Connection) -> Noted:
    """Return what a file notes about losses and coverage."""
    losses, stretches = (
        {(segment, number): tuple(row) for segment, number, *row in connection.execute(query)}
        for query in (_PLACED_LOSSES, _PLACED_STRETCHES)
    )
    return Noted(losses, stretches)


def covered(connection: sqlite3.Connection) -> dict[tuple[str, int], Covered]:
    """Return the stretches that a file knows of, by boot and start."""
    found = {}
    filters = "c.filters" if "filters" in present(connection, "coverage") else "NULL"
    rows = connection.execute(_COVERED.format(filters=filters))
    for boot_id, from_ns, to_ns, ahead_ns, *more in rows:
        found[boot_id, from_ns] = Covered(boot_id, from_ns + ahead_ns, to_ns + ahead_ns, *more)
    return found


def losses(connection: sqlite3.Connection) -> set[Gap]:
    """Return the losses that a file knows of."""
    return {
        Gap(from_ns, to_ns, why, count) for from_ns, to_ns, count, why in connection.execute(_LOST)
    }


def joined(parts: Iterable[dict[tuple[str, int], Covered]]) -> list[Covered]:
    """Return the stretches of several files, in the order of time.

    Each file has the stretches in which it was written to, up to the time when it was full.
    """
    found: dict[tuple[str, int], Covered] = {}
    for part in parts:
        for key, stretch in part.items():
            if key not in found or found[key].to_ns <= stretch.to_ns:
                found[key] = stretch
    return sorted(found.values(), key=lambda stretch: stretch.from_ns)


def gaps(
    stretches: list[Covered],
    lost: Iterable[Gap],
    from_ns: int,
    to_ns: int,
    *,
    live: bool,
    stuck: str | None = None,
) -> list[Gap]:
    """Return the gaps between two times, in their order.

    live: whether a recorder goes on where the last stretch ends. stuck: why what it sees is not on
    disk, as a Gap has it; None if it is.
    """
    found = [gap for gap in lost if gap.to_ns >= from_ns and gap.from_ns <= to_ns]
    at, why = from_ns, "not recording"
    for place, stretch in enumerate(stretches):
        if stretch.from_ns > to_ns:
            break
        if stretch.from_ns - at > MOMENT_NS and stretch.from_ns > from_ns:
            found.append(Gap(at, stretch.from_ns, why, None))
        goes_on = live and place == len(stretches) - 1 and stretch.ended is None
        at = max(at, to_ns if goes_on and not stuck else stretch.to_ns)
        following = stretches[place + 1] if place + 1 < len(stretches) else None
        rebooted = following is not None and following.boot_id != stretch.boot_id
        ended = stuck if goes_on and stuck else stretch.ended
        why = why_after(ended, rebooted=rebooted)
    if to_ns - at > MOMENT_NS:
        found.append(Gap(at, to_ns, why, None))
    return sorted(found)


def filtered(stretches: list[Covered], from_ns: int, to_ns: int, *, live: bool) -> list[Filtered]:
    """Return when only the exits that pass filters were recorded, in the order of time.

    What follows on each other with the same filters is one. live: as for gaps().
    """
    found: list[Filtered] = []
    for place, stretch in enumerate(stretches):
        goes_on = live and place == len(stretches) - 1 and stretch.ended is None
        begin_ns, end_ns = max(stretch.from_ns, from_ns), to_ns if goes_on else stretch.to_ns
        end_ns = min(end_ns, to_ns)
        if not stretch.filters or begin_ns > end_ns:
            continue
        if found and stretches[place - 1].filters == stretch.filters:
            begin_ns = found.pop().from_ns
        found.append(Filtered(begin_ns, end_ns, stretch.filters))
    return found


def why_after(ended: str | None, *, rebooted: bool) -> str:
    """Return why nothing was recorded after a stretch that ended so.

    rebooted: whether the next stretch is in another boot.
    """
    why = ended or "killed"
    if not rebooted:
        return why
    return "reboot" if why in ("reboot", "killed") else f"{why}, then reboot"
