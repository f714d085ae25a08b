"""How often it happened before: counts by cause, crash loops, and when it first was seen."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from exitsnoop.host.clock import SECOND_NS
from exitsnoop.model.exit import Exit
from exitsnoop.reports.cascade import place
from exitsnoop.reports.loops import SHORT_NS, SOON_NS, Loop, ended, loops, runs
from exitsnoop.store.query import Query
from exitsnoop.store.recording import Counted, Recording

SPAN_NS = 7 * 86_400 * SECOND_NS
"""How far back the counts go."""
_HOUR_NS = 3600 * SECOND_NS
_MOST = 1000
_LOOKED_THROUGH = 100


class Group(NamedTuple):
    """The deaths that are of one kind: an executable, where it runs.

    Attributes:
        exe: the executable; None if it is unknown, and the name stands for it.
        name: the name.
        unit, pod: where it ran; None if that says nothing.
        container: the same: the name of the container, or its id if the name is unknown.
        parent: the name of the parent, if it ran nowhere else.
    """

    exe: str | None
    name: str
    unit: str | None
    container: str | None
    pod: str | None
    parent: str | None

    def query(self) -> Query:
        """Return what finds the deaths of the group, and maybe others: see has()."""
        return Query(
            exes=[_literally(self.exe)] if self.exe else (),
            names=() if self.exe and not self.parent else [_literally(self.name)],
            units=[_literally(self.unit)] if self.unit else (),
            containers=[_literally(self.container)] if self.container and not self.pod else (),
        )

    def has(self, exit_: Exit) -> bool:
        """Return whether a death that the query found belongs to the group."""
        return exit_.last_thread and group(exit_) == self


def group(exit_: Exit) -> Group:
    """Return the group of an exit."""
    unit, container, pod = place(exit_)
    somewhere = unit or container
    return Group(
        exit_.exe,
        "" if exit_.exe and somewhere else exit_.comm,
        unit,
        None
        if pod
        else exit_.container_name or container,  # each start of a container of a pod has another id
        pod,
        None if somewhere else exit_.parent_comm,
    )


class History(NamedTuple):
    """What happened to a group in the last seven days.

    Attributes:
        group: the group.
        since_ns: from when on it is counted.
        total: how many ended; of a group below a parent, also those that had another parent.
        failed: how many of these did not end with exit(0).
        by_cause: how many ended for each kind of cause, and with which wait status.
        first_seen_ns: when one was first seen to end, up to a year ago; None if it is unknown.
        loops: crash loops, the newest last.
        nameless: how many exits of that time are counted without a name, for want of room: the
            group may have ended so many times more.
        counted_ns: from when on all exits are counted; None if all are.
    """

    group: Group
    since_ns: int
    total: int
    failed: int
    by_cause: dict[tuple[str, int], int]
    first_seen_ns: int | None
    loops: list[Loop]
    nameless: int = 0
    counted_ns: int | None = None


def history(recording: Recording, of: Exit, id_: int, until_ns: int) -> History:
    """Return the history of the group of an exit.

    Args:
        recording: where it is from.
        of: the exit.
        id_: its id.
        until_ns: up to when it is counted.
    """
    which = group(of)
    since_ns = until_ns - SPAN_NS
    counted = recording.counts(replace(which.query(), until_ns=until_ns))
    by_cause: Counter[tuple[str, int]] = Counter()
    if which.pod:  # the counts by the hour do not have it
        read = [one for one in _before(recording, which, until_ns) if which.has(one)]
        deaths = [one for one in read if one.wall_ns >= since_ns]
        by_cause.update((one.cause.kind if one.cause else "", one.status) for one in deaths)
    else:
        for hour in counted:
            if hour.hour_ns + _HOUR_NS > since_ns:
                by_cause[hour.cause, hour.status] += hour.exits
    return History(
        group=which,
        since_ns=since_ns,
        total=sum(by_cause.values()),
        failed=sum(count for (_, status), count in by_cause.items() if status),
        by_cause=dict(by_cause.most_common()),
        first_seen_ns=_first_seen(recording, which, counted),
        loops=_loops(recording, which, of, id_, counted),
        nameless=0 if which.pod else recording.nameless(since_ns, until_ns),
        counted_ns=recording.counted_since(),
    )


def _before(recording: Recording, which: Group, until_ns: int) -> list[Exit]:
    query = replace(which.query(), until_ns=until_ns, newest_first=True, limit=_MOST)
    return _read(recording, query)


def _read(recording: Recording, query: Query) -> list[Exit]:
    return [one for batch in recording.select(query).batches() for one in batch]


def _first_seen(recording: Recording, which: Group, counted: Sequence[Counted]) -> int | None:
    oldest = next((one for one in _read(recording, replace(which.query(), limit=1))), None)
    found = [oldest.wall_ns] if oldest else []
    if counted and (not oldest or counted[0].hour_ns + _HOUR_NS <= oldest.wall_ns):
        # The clock may have been set forward since: then the hour is from before the recording.
        begun = recording.recorded()
        found.append(max(counted[0].hour_ns, begun[0].from_ns if begun else 0))
    return min(found, default=None)


def _loops(
    recording: Recording, which: Group, of: Exit, id_: int, counted: Sequence[Counted]
) -> list[Loop]:
    """Return the loops among the failures before and after a death."""
    failures = replace(which.query(), failed=True, limit=_MOST)
    earlier = _read(recording, replace(failures, before_id=id_ + 1, newest_first=True))
    later = _read(recording, replace(failures, after_id=id_))
    deaths = _same([*reversed(earlier), *later], which, of)
    found = loops([*map(ended, deaths)])
    if found and len(earlier) == _MOST and found[0].from_ns == deaths[0].wall_ns:
        found[0] = _longer(recording, which, of, found[0], counted)
    return [loop._replace(good=_good(recording, which, loop)) for loop in found]


def _longer(
    recording: Recording, which: Group, of: Exit, loop: Loop, counted: Sequence[Counted]
) -> Loop:
    """Return a loop that began before what was read: the counts by the hour tell since when."""
    hours: Counter[int] = Counter()
    for hour in counted:
        hours[hour.hour_ns] += hour.exits if hour.status else 0
    last_ns = loop.to_ns // _HOUR_NS * _HOUR_NS
    start_ns = loop.from_ns // _HOUR_NS * _HOUR_NS
    while hours[start_ns - _HOUR_NS] * loop.every_s > _HOUR_NS / SECOND_NS / 2:
        start_ns -= _HOUR_NS
    deaths = sum(hours[at] for at in range(start_ns, last_ns + 1, _HOUR_NS))
    query = replace(which.query(), failed=True, newest_first=True, limit=_MOST)
    begun = _same(
        _read(recording, replace(query, since_ns=start_ns - _HOUR_NS, until_ns=start_ns)), which, of
    )
    (*_, run) = runs([*map(ended, begun[::-1])])
    if run and start_ns - run[-1].wall_ns <= SOON_NS + 10 * loop.every_s * SECOND_NS:
        from_ns, deaths = run[0].wall_ns, deaths + len(run)
    else:
        oldest_first = replace(query, newest_first=False, since_ns=start_ns)
        within = _read(recording, replace(oldest_first, until_ns=loop.from_ns, limit=1))
        from_ns = min([loop.from_ns, *(one.wall_ns for one in within)])
    if deaths <= loop.deaths:
        return loop
    every_s = round((loop.to_ns - from_ns) / (deaths - 1) / SECOND_NS, 3)
    return loop._replace(from_ns=from_ns, deaths=deaths, every_s=every_s)


def _same(deaths: Sequence[Exit], which: Group, of: Exit) -> list[Exit]:
    """Return those of the group that were started in the same way.

    A list of jobs that fail, one after the other, is not a crash loop.
    """
    return [one for one in deaths if which.has(one) and one.args == of.args]


def _good(recording: Recording, which: Group, loop: Loop) -> Exit | None:
    """Return the last that ended before a loop began and had lived long."""
    query = replace(which.query(), until_ns=loop.from_ns, newest_first=True, limit=_LOOKED_THROUGH)
    for one in _read(recording, query):
        if which.has(one) and ended(one).lived_ns > SHORT_NS:
            return one
    return None


def _literally(text: str) -> str:
    """Return the pattern that matches a text alone."""
    if not any(character in text for character in "*?["):
        return text
    return "".join(f"[{character}]" if character in "*?[" else character for character in text)
