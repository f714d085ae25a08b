"""What was recorded and what was not, as a table: so that no answer of a fleet hides a gap."""

from typing import NamedTuple

from exitsnoop.fleet.columns import INT, TEXT, TIME, WORD, Column, of_attribute
from exitsnoop.store.coverage import Gap
from exitsnoop.store.recording import Recording

BESIDE = "_coverage"
"""The directory of this table beside that of exits: readers of everything below leave it out."""
_ALL_NS = (1 << 63) - 1


class Stretch(NamedTuple):
    """A stretch of time on a machine.

    Attributes:
        cluster, host_id, host: the machine.
        kind: "recorded": every exit was seen. "nothing": nothing was recorded. "lost": some exits
            are missing.
        from_time, to_time: microseconds since the epoch.
        why: why nothing was recorded, or exits are missing, as Gap has it; what ended the stretch
            that was recorded, "" if it goes on.
        lost: how many exits are missing; None if nobody counted them.
    """

    cluster: str
    host_id: str
    kind: str
    from_time: int
    to_time: int
    why: str
    lost: int | None
    host: str


COVERAGE: tuple[Column, ...] = (
    of_attribute("cluster", WORD, "the cluster"),
    of_attribute("host_id", TEXT, "the machine, as in exits"),
    of_attribute("kind", WORD, "recorded, nothing (was recorded), or lost (some exits)"),
    of_attribute("from_time", TIME, "when it began"),
    of_attribute("to_time", TIME, "when it ended, or up to when that is known"),
    of_attribute("why", WORD, "why exits are missing, or what ended the recording"),
    of_attribute("lost", INT, "how many exits are missing, if they were counted", optional=True),
    of_attribute("host", WORD, "name of the machine"),
)
"""The columns of the table `coverage`: a row is a stretch of time. The last is as in EXITS."""


def stretches(recording: Recording, from_ns: int, to_ns: int, cluster: str) -> list[Stretch]:
    """Return what was recorded and what was not between two times, in the order of time.

    Stretches are whole, also where they begin before or end after: so those of two exports are the
    same, or the later one is longer.

    Args:
        recording: what is asked.
        from_ns: where the time begins, nanoseconds since the epoch.
        to_ns: where it ends.
        cluster: the name of the cluster; "" for none.

    Raises StoreError.
    """
    known = recording.recorded()
    if not known:
        return []
    boot = recording.boots()[-1]
    host = boot.hostname or ""
    found = [
        *(("recorded", Gap(part.from_ns, part.to_ns, part.ended or "", None)) for part in known),
        *(
            ("nothing" if gap.lost is None else "lost", gap)
            for gap in recording.gaps(known[0].from_ns, _ALL_NS)
        ),
    ]
    return [
        Stretch(
            *(cluster, boot.machine_id or host, kind),
            from_time=part.from_ns // 1000,
            to_time=part.to_ns // 1000,
            why=part.why,
            lost=part.lost,
            host=host,
        )
        for kind, part in sorted(found, key=lambda one: one[1][:2])
        if part.from_ns <= to_ns and part.to_ns >= from_ns
    ]
