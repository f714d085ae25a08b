"""A trace that ui.perfetto.dev opens: a track a process, below that of its parent.

These are Perfetto's TrackEvents, in Protocol Buffers; the numbers of their fields are those of
protos/perfetto/trace/ in https://github.com/google/perfetto (track_event/track_event.proto,
track_event/track_descriptor.proto, track_event/debug_annotation.proto, clock_snapshot.proto). All
strings are escaped. A time is one of the clock on the wall, in nanoseconds since the epoch.
"""

from collections.abc import Iterator
from itertools import count

from exitsnoop.model.outcomes import OUTCOMES
from exitsnoop.reports.gaps import reason
from exitsnoop.reports.timeline.timeline import WELL, Timeline, ended
from exitsnoop.reports.timeline.told import args, how, named
from exitsnoop.reports.timeline.tree import Process
from exitsnoop.reports.verdicts import brief
from exitsnoop.sinks.escape import escape
from exitsnoop.sinks.protobuf import fixed, message, number, real, text

_PACKET = 1  # of Trace
_CLOCKS, _TIMESTAMP, _SEQUENCE, _EVENT, _FLAGS, _TRACK = 6, 8, 10, 11, 13, 60  # of TracePacket
_BEGIN, _END, _INSTANT = 1, 2, 3  # of TrackEvent.Type
_REALTIME, _BOOTTIME = 1, 6  # of BuiltinClock
_CLEARED = 1  # of SequenceFlags: all that the sequence needs comes after this
_CHRONOLOGICAL, _APART = 2, 2  # of ChildTracksOrdering; of SiblingMergeBehavior: NONE
_ROOT, _PATH, _GAPS = 1, 2, 3  # numbers of tracks; those of processes come after these
_WORDS = {one.name: one.words for one in OUTCOMES} | {WELL: "ended well", "": "not known"}
_MOST_ARGS = 1024  # characters


def trace(of: Timeline) -> Iterator[bytes]:
    """Return the trace, in parts."""
    yield _packet(number(_FLAGS, _CLEARED), _clocks(of))
    yield _track(_ROOT, None, escape(of.about.title, spaces=False), "made by exitsnoop timeline")
    if of.path:
        yield _track(_PATH, _ROOT, "critical path", "what had to be faster")
    if of.about.gaps:
        yield _track(_GAPS, _ROOT, "not recorded", "nobody looked")
    tracks = _Tracks(of)
    yield from tracks.described()
    events = [*tracks.events(), *_path(of), *_gaps(of)]
    events.sort(key=lambda one: one[:2])
    for wall_ns, _, event in events:
        yield _packet(number(_TIMESTAMP, wall_ns), event)


Event = tuple[int, int, bytes]
"""When, the order among those of the same time, and the event."""


def _packet(*parts: bytes) -> bytes:
    return message(_PACKET, number(_SEQUENCE, 1), *parts)


def _clocks(of: Timeline) -> bytes:
    """Return a snapshot that says that both clocks are the same: the times are those of a wall."""
    clocks = (
        message(1, number(1, clock), number(2, of.from_ns)) for clock in (_BOOTTIME, _REALTIME)
    )
    return message(_CLOCKS, *clocks)


def _track(uuid: int, above: int | None, name: str, description: str) -> bytes:
    parts = [number(1, uuid), text(2, name), text(14, description)]
    if above is not None:
        parts.append(number(5, above))
    parts += [number(11, _CHRONOLOGICAL), number(15, _APART)]
    return _packet(message(_TRACK, *parts))


def _event(kind: int, track: int, *parts: bytes) -> bytes:
    return message(_EVENT, number(9, kind), number(11, track), *parts)


def _named(name: str, outcome: str) -> list[bytes]:
    """Return the name of a slice, and what gives it its color: those with the same have the same.

    Traces name no colors.
    """
    return [text(23, name), text(22, _WORDS[outcome]), text(53, _WORDS[outcome])]


class _Tracks:
    """The tracks of processes."""

    def __init__(self, of: Timeline) -> None:
        self._of = of
        # A parent's track comes before that of its child, so it has to have a number by then.
        self._all = [*of.tree.others, *of.tree.ended]
        self._uuids = {one: nth for nth, one in enumerate(self._all, start=_GAPS + 1)}
        self._flows = count(1)

    def described(self) -> Iterator[bytes]:
        """Return what says which tracks there are."""
        for one in self._all:
            above = self._uuids[one.above] if one.above else _ROOT
            what = how(one) or "its end is not known"
            yield _track(self._uuids[one], above, named(one), what)

    def events(self) -> Iterator[Event]:
        """Return what happened on them: lives, starts of children, kills."""
        for one in self._all:
            if one.exit is not None:
                yield from self._life(one)
            for child in one.below:
                yield from self._started(one, child)

    def _life(self, one: Process) -> Iterator[Event]:
        uuid = self._uuids[one]
        begin_ns = max(one.begin_ns, self._of.from_ns)
        end_ns = max(one.end_ns, begin_ns + 1)
        outcome = ended(one)
        details = [_detail(name, value) for name, value in _details(self._of, one)]
        is_started = one.above is not None and one.begin_ns >= self._of.from_ns
        arrow = fixed(48, self._flow(one)) if is_started else b""
        name = escape(one.comm or "?", spaces=False)
        yield begin_ns, 1, _event(_BEGIN, uuid, *_named(name, outcome), arrow, *details)
        if one.killer:
            flow = next(self._flows)
            signal = one.exit.signal_name if one.exit else ""
            told = f"kills {named(one)} ({signal})"
            sent = _named(told, outcome)
            yield end_ns, 0, _event(_INSTANT, self._uuids[one.killer], *sent, fixed(47, flow))
            told = f"killed by {named(one.killer)}"
            yield end_ns, 2, _event(_INSTANT, uuid, *_named(told, outcome), fixed(48, flow))
        yield end_ns, 3, _event(_END, uuid)

    def _started(self, one: Process, child: Process) -> Iterator[Event]:
        """Return the mark on the track of a parent from which the arrow to its child goes."""
        if child.begin_ns < self._of.from_ns:
            return
        flow = fixed(47, self._flow(child))
        name = _named(f"starts {named(child)}", ended(child))
        yield child.begin_ns, 0, _event(_INSTANT, self._uuids[one], *name, flow)

    def _flow(self, child: Process) -> int:
        """Return the number of the arrow to a process from its parent."""
        return self._uuids[child] + (1 << 32)


def _details(of: Timeline, one: Process) -> Iterator[tuple[str, str | int | float | bool | None]]:
    exit_ = one.exit
    assert exit_ is not None  # noqa: S101 - only these have details
    yield "pid", exit_.pid
    yield "ppid", exit_.ppid
    yield "ended", brief(exit_)
    yield "outcome", _WORDS[ended(one)]
    yield "exit_code", exit_.exit_code
    yield "signal", exit_.signal_name
    yield "core_dumped", exit_.core_dumped or None
    yield "args", args(one, _MOST_ARGS) or None
    for name in ("exe", "cwd", "user", "hostname", "unit", "cgroup"):
        value = getattr(exit_, name)
        yield name, None if value is None else escape(value, spaces=False)
    yield "container", exit_.container and escape(exit_.container.id, spaces=False)
    yield "lived_s", round(exit_.age, 6)
    for name in ("cpu_user", "cpu_system", "max_rss", "read_bytes", "write_bytes"):
        yield name, getattr(exit_, name)
    yield "began_before", True if one.begin_ns < of.from_ns else None


def _detail(name: str, value: str | int | float | bool | None) -> bytes:
    if value is None:
        return b""
    if isinstance(value, bool):
        return message(4, text(10, name), number(2, value))
    if isinstance(value, int):
        return message(4, text(10, name), number(4, value))
    if isinstance(value, float):
        return message(4, text(10, name), real(5, value))
    return message(4, text(10, name), text(6, value))


def _path(of: Timeline) -> Iterator[Event]:
    for step in of.path:
        begin_ns = max(step.from_ns, of.from_ns)
        if step.to_ns > begin_ns:
            named_ = _named(named(step.process), ended(step.process))
            yield begin_ns, 1, _event(_BEGIN, _PATH, *named_)
            yield step.to_ns, 0, _event(_END, _PATH)


def _gaps(of: Timeline) -> Iterator[Event]:
    for gap in of.about.gaps:
        why = reason(gap.why)
        begin_ns, end_ns = max(gap.from_ns, of.from_ns), min(gap.to_ns, of.to_ns)
        if gap.lost:
            told = _named(f"{gap.lost:,} exits lost ({why})", "")
            yield end_ns, 0, _event(_INSTANT, _GAPS, *told)
        elif end_ns > begin_ns:
            yield begin_ns, 1, _event(_BEGIN, _GAPS, *_named(why, ""))
            yield end_ns, 0, _event(_END, _GAPS)
