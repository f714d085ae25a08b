"""The trace, read by Perfetto's own descriptions of its messages (the package perfetto).

The program that reads traces, trace_processor, is not a package: the rules that it has for these
messages (https://perfetto.dev/docs/reference/synthetic-track-event) are checked here.
"""

from collections import Counter, defaultdict
from typing import Any, NamedTuple

import pytest
from google.protobuf.unknown_fields import UnknownFieldSet
from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as protos
from support.builds import BUILD, Life, ended, line

from exitsnoop.model.cause import Cause, Sender
from exitsnoop.pages.timeline.trace import trace
from exitsnoop.reports.timeline.timeline import Timeline
from exitsnoop.store.coverage import Gap

BEGIN, END, INSTANT = 1, 2, 3
LIVES: list[Life] = [
    *BUILD,
    (20, 10, 3, 3.5, "kill"),
    (21, 10, 2, 4, "test"),
    (21, 10, 4.5, 5, "again"),
    (22, 900, 1, 2, "child"),
]
STATUS = [512, 0, 0, 256, 0, 0, 9, 0, 0]
KILLED = Cause("killed", "killed by kill[20]", Sender(20, 10, "kill", 0), "kill")
CAUSES = [
    *(Cause("exited", "exit code"),) * 6,
    KILLED,
    *(Cause("exited", "exit code 0"),) * 2,
]


class Read(NamedTuple):
    """A trace, as it is read.

    Attributes:
        packets: all of it.
        tracks: the descriptors, by the number of the track.
        events: the time and the event, by the number of the track.
    """

    packets: Any
    tracks: dict[int, Any]
    events: dict[int, list[tuple[int, Any]]]

    def named(self, name: str) -> int:
        (uuid,) = (uuid for uuid, track in self.tracks.items() if track.name == name)
        return uuid

    def life(self, name: str) -> tuple[int, int, Any]:
        events = self.events[self.named(name)]
        ((begin_ns, event),) = ((at, one) for at, one in events if one.type == BEGIN)
        ((end_ns, _),) = ((at, one) for at, one in events if one.type == END)
        return begin_ns, end_ns, event


def read(of: Timeline) -> Read:
    return parsed(b"".join(trace(of)))


def parsed(content: bytes) -> Read:
    packets = protos.Trace.FromString(content).packet
    tracks = {one.track_descriptor.uuid: one.track_descriptor for one in packets}
    events = defaultdict(list)
    for one in packets:
        if one.HasField("track_event"):
            events[one.track_event.track_uuid].append((one.timestamp, one.track_event))
    tracks.pop(0)  # packets of other kinds
    return Read(packets, tracks, events)


@pytest.fixture(scope="module")
def build() -> Timeline:
    gap_ns = line(ended(LIVES)).from_ns
    gaps = [Gap(gap_ns + 10**9, gap_ns + 2 * 10**9, "reboot", None)]
    return line(ended(LIVES, status=STATUS, cause=CAUSES), gaps=gaps)


@pytest.fixture(scope="module")
def found(build: Timeline) -> Read:
    return read(build)


def unknown(message: Any) -> list[int]:
    """The numbers of fields in a message, and in those in it, that are not described."""
    fields: Any = UnknownFieldSet(message)
    numbers = [one.field_number for one in fields]
    for field, value in message.ListFields():
        if field.message_type:
            for one in value if field.is_repeated else [value]:
                numbers += unknown(one)
    return numbers


def test_every_field_is_described(found: Read) -> None:
    assert len(found.packets) > 40
    assert [number for packet in found.packets for number in unknown(packet)] == []


def test_the_rules_of_the_format(found: Read) -> None:
    """Tracks are described before they are used; times go up; each slice ends, in its order."""
    assert found.packets[0].sequence_flags == 1
    assert {packet.trusted_packet_sequence_id for packet in found.packets} == {1}
    described: set[int] = set()
    last = 0
    for packet in found.packets:
        if packet.HasField("track_descriptor"):
            assert packet.track_descriptor.uuid not in described
            described.add(packet.track_descriptor.uuid)
        elif packet.HasField("track_event"):
            assert packet.track_event.track_uuid in described
            assert packet.timestamp >= last
            last = packet.timestamp
    above = {uuid: track.parent_uuid for uuid, track in found.tracks.items()}
    assert {uuid for uuid in above.values() if uuid} <= described
    for events in found.events.values():
        depth = 0
        for _, event in events:
            depth += {BEGIN: 1, END: -1, INSTANT: 0}[event.type]
            assert 0 <= depth <= 1
        assert depth == 0
    clocks = {one.clock_id: one.timestamp for one in found.packets[0].clock_snapshot.clocks}
    assert len({*clocks.values()}) == 1
    assert {*clocks} == {1, 6}, "of the boot clock, which times are of, and of the wall"


def test_a_track_a_process_below_its_parent(build: Timeline, found: Read) -> None:
    names = Counter(track.name for track in found.tracks.values())
    for one in build.tree.ended:
        assert names[f"{one.comm}[{one.pid}]"] == 1
    above = {
        track.name: found.tracks[track.parent_uuid].name
        for track in found.tracks.values()
        if track.parent_uuid
    }
    assert above["cc1[12]"] == "cc[11]"
    assert above["cc[11]"] == "make[10]"
    assert above["again[21]"] == above["test[21]"] == "make[10]"
    assert above["child[22]"] == "sh[900]"
    assert found.tracks[found.named("sh[900]")].description == "its end is not known"
    assert {track.sibling_merge_behavior for track in found.tracks.values()} == {2}, (
        "none is one with another that has the same name"
    )


def test_lives(build: Timeline, found: Read) -> None:
    for one in build.tree.ended:
        begin_ns, end_ns, event = found.life(f"{one.comm}[{one.pid}]")
        assert (begin_ns, end_ns) == (one.begin_ns, one.end_ns)
        assert event.name == one.comm
    details = {one.name: one for one in found.life("cc1[12]")[2].debug_annotations}
    assert details["pid"].int_value == 12
    assert details["args"].string_value == "job 12"
    assert details["lived_s"].double_value == pytest.approx(4.5)
    assert details["max_rss"].int_value == 4096


def test_the_color_is_that_of_the_outcome(found: Read) -> None:
    colors = {
        name: found.life(name)[2].correlation_id_str
        for name in ("make[10]", "cc[13]", "test[21]", "ld[14]")
    }
    assert colors == {
        "make[10]": "failed with a code",
        "cc[13]": "failed with a code",
        "test[21]": "killed by a process",
        "ld[14]": "ended well",
    }


def test_arrows(found: Read) -> None:
    """From a parent when it starts a child, and from a killer when its victim ends."""
    sources: dict[int, tuple[int, int]] = {}
    targets: dict[int, tuple[int, int]] = {}
    for uuid, events in found.events.items():
        for at_ns, event in events:
            sources |= dict.fromkeys(event.flow_ids, (uuid, at_ns))
            targets |= dict.fromkeys(event.terminating_flow_ids, (uuid, at_ns))
    arrows = {
        (found.tracks[uuid].name, found.tracks[targets[flow][0]].name): (at_ns, targets[flow][1])
        for flow, (uuid, at_ns) in sources.items()
    }
    begin_ns = found.life("cc1[12]")[0]
    assert arrows["cc[11]", "cc1[12]"] == (begin_ns, begin_ns)
    end_ns = found.life("test[21]")[1]
    assert arrows["kill[20]", "test[21]"] == (end_ns, end_ns)
    assert len(arrows) == len(sources) == 10
    assert {*sources} == {*targets}


def test_the_critical_path_and_gaps(build: Timeline, found: Read) -> None:
    steps = [
        (at, event.name)
        for at, event in found.events[found.named("critical path")]
        if event.type == BEGIN
    ]
    named = [(step.from_ns, f"{step.process.comm}[{step.process.pid}]") for step in build.path]
    assert steps == named
    gap, end = found.events[found.named("not recorded")]
    assert (gap[1].name, end[0] - gap[0]) == ("reboot", 10**9)


def test_hostile_names() -> None:
    names = ["\x1b[2J", "a\nb", "\u202etxt", '"\\</x>', ""]
    lives = [(20 + n, 10, n, n + 1, name) for n, name in enumerate(names)]
    found = read(line(ended(lives, args=[(name, "\x1b]0;x\x07") for name in names])))
    texts = [track.name + track.description for track in found.tracks.values()]
    for events in found.events.values():
        for _, event in events:
            texts.append(event.name)
            texts += [one.string_value for one in event.debug_annotations]
    assert all(text.isprintable() for text in texts)
    assert r"\033[2J[20]" in {track.name for track in found.tracks.values()}


def test_what_began_before_is_cut() -> None:
    whole = line(ended(BUILD))
    from_ns = whole.from_ns + 5 * 10**9
    found = read(line(ended(BUILD), command=None, from_ns=from_ns))
    begin_ns, _, event = found.life("cc1[12]")
    assert begin_ns == from_ns
    assert "began_before" in {one.name for one in event.debug_annotations}
    assert found.life("ld[14]")[0] > from_ns
