"""Kills and aborts that repeat are judged once: each end has the cause that it has by itself."""

import tracemalloc
from itertools import product

import pytest
from support.blocks import EXIT, note, pack

from exitsnoop import layout
from exitsnoop.decode.exits import decode
from exitsnoop.host import containers, users
from exitsnoop.host.engines import Called
from exitsnoop.model.cause import Cause, Thread
from exitsnoop.tracing.join import Clues

SENDER, PARENT, CRON, OTHER = 50, 60, 70, 80
FIRST, SECOND = 101, 102
START = 7
ABRT, KILL, TERM = 6, 9, 15
NOT_KILL = 62  # a system call that is not kill()
WHY = frozenset({"why", "identity", "cgroup"})
WEB, DB = (b"docker-" + letter * 64 + b".scope" for letter in (b"a", b"b"))


def origin(number: int, *ancestors: int, cgroup: bytes = b"app", exe: bytes = b"") -> bytes:
    above = b"".join(pid.to_bytes(4, "little") + b"up".ljust(16, b"\0") for pid in ancestors)
    path = cgroup + b"\0system.slice\0\0"
    head = note(
        layout.SENDER_ORIGIN,
        origin=number,
        pid=SENDER,
        ancestors_bytes=len(above),
        cgroup_bytes=len(path),
        exe_bytes=len(exe),
    )
    return head + above + path + exe


def kill(pid: int, **parts: int | bytes) -> bytes:
    known: dict[str, int | bytes] = {
        "flags": layout.EVIDENCE_SEEN | layout.EVIDENCE_SENDER_CALL,
        "signal": TERM,
        "sender_pid": SENDER,
        "sender_comm": b"killer",
        "sender_call": 62,
        "sender_argument": pid,
        "sent_boot_ns": pid,
        "origin": 1,
    }
    return note(layout.SIGNAL_EVIDENCE, pid=pid, start_boot_ns=START, **{**known, **parts})


def abort(pid: int, **parts: int | bytes) -> bytes:
    known: dict[str, int | bytes] = {
        "flags": layout.EVIDENCE_SEEN | layout.EVIDENCE_SELF,
        "signal": ABRT,
        "si_code": -6 & 0xFFFFFFFF,
        "sender_pid": pid,
        "thread": pid,
        "thread_comm": b"worker",
    }
    return note(layout.SIGNAL_EVIDENCE, pid=pid, start_boot_ns=START, **{**known, **parts})


def context(pid: int, cgroup: bytes) -> bytes:
    path = cgroup + b"\0system.slice\0\0"
    head = note(layout.EXIT_CONTEXT, tid=pid, start_boot_ns=START, cgroup_bytes=len(path))
    return head + path


def ended(pid: int, status: int, ppid: int = PARENT) -> bytes:
    known = {"pid": pid, "tid": pid, "ppid": ppid, "start_boot_ns": START, "boot_ns": 1000 + pid}
    return pack(EXIT, status=status, last_thread=1, **known)


def cause(clues: Clues, notes: list[bytes], end: bytes) -> Cause:
    clues.add(notes)
    (found,) = clues.complete(decode(end, 0)).column("cause")
    assert isinstance(found, Cause)
    return found


def signals(pid: int) -> list[bytes]:
    every = layout.EVIDENCE_SEEN | layout.EVIDENCE_SENDER_CALL
    return [
        kill(pid),
        kill(pid, sender_argument=0),
        kill(pid, sender_argument=-1 & (1 << 64) - 1),
        kill(pid, sender_argument=-pid & (1 << 64) - 1),
        kill(pid, sender_call=NOT_KILL + 1),
        kill(pid, sender_call=424, sender_options=4),
        kill(pid, sender_call=424),
        kill(pid, flags=layout.EVIDENCE_SEEN),
        kill(pid, flags=every | layout.EVIDENCE_NO_INFO),
        kill(pid, flags=every | layout.EVIDENCE_SAME_CGROUPS),
        kill(pid, flags=every | layout.EVIDENCE_KERNEL),
        kill(pid, flags=every | layout.EVIDENCE_SEVERAL),
        kill(pid, flags=0),
        kill(pid, uid=5),
        kill(pid, si_code=-1 & 0xFFFFFFFF),
        kill(pid, thread=pid, thread_comm=b"io"),
        kill(pid, sender_comm=b"other"),
        kill(pid, sender_args=b"kill\0-9\0", sender_args_bytes=8),
        kill(pid, sender_tid=51),
        kill(pid, origin=2),
        kill(pid, origin=3),
        kill(pid, origin=4),
        kill(pid, sender_pid=OTHER),
        abort(pid),
        abort(pid, thread=103),
        abort(pid, thread_comm=b"main"),
        abort(pid, si_code=0),
        abort(pid, signal=TERM),
        abort(pid, flags=layout.EVIDENCE_SEEN | layout.EVIDENCE_SELF | layout.EVIDENCE_SEVERAL),
    ]


ORIGINS = [origin(1), origin(2, CRON, 1), origin(3, FIRST, PARENT), origin(4, CRON, cgroup=WEB)]


def test_each_end_has_the_cause_that_it_has_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers.NAMES, "of", lambda *which: Called(which[1] and "web-1"))
    used = Clues(WHY)
    used.add(ORIGINS)
    some = product([ABRT, KILL, TERM], [PARENT, SENDER, CRON], [b"app", WEB, DB], [FIRST, SECOND])
    ends = [
        ([context(pid, cgroup), sent], ended(pid, status, ppid))
        for status, ppid, cgroup, pid in some
        for sent in signals(pid)
    ]
    alone = [cause(Clues(WHY), [*ORIGINS, *notes], end) for notes, end in ends]
    for _ in range(2):
        assert [cause(used, notes, end) for notes, end in ends] == alone


def test_what_repeats_is_one_object() -> None:
    clues = Clues(WHY)
    clues.add(ORIGINS)
    made = [cause(clues, [kill(pid)], ended(pid, TERM)) for pid in range(100, 104)]
    assert made[0].text == "killed by killer[50] (SIGTERM)"
    assert made[0] == made[1]
    assert made[1] is made[2] is made[3]


def test_each_abort_has_its_own_thread() -> None:
    clues = Clues(WHY)
    made = [cause(clues, [abort(pid)], ended(pid, ABRT)) for pid in (7, 8, 9)]
    assert [one.thread for one in made] == [Thread(pid, "worker") for pid in (7, 8, 9)]
    assert {one.text for one in made} == {"abort()"}


def test_a_sender_that_is_reported_again_is_told_anew() -> None:
    clues = Clues(WHY)
    for pid, above in enumerate([CRON, CRON, CRON, OTHER, OTHER, CRON], start=100):
        found = cause(clues, [origin(1, above), kill(pid)], ended(pid, TERM))
        assert found.text == f"killed by killer[50] (SIGTERM), run by up[{above}]"


def test_a_name_of_the_sender_that_comes_late_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict[int, str] = {}
    monkeypatch.setattr(users, "name_in_time", names.get)
    clues = Clues(WHY)
    clues.add(ORIGINS)
    for pid in range(100, 103):
        found = cause(clues, [kill(pid, sender_uid=5)], ended(pid, TERM))
        assert found.text == "killed by killer[50] uid 5 (SIGTERM)"
    names[5] = "ann"
    found = cause(clues, [kill(104, sender_uid=5)], ended(104, TERM))
    assert found.text == "killed by killer[50] user ann (SIGTERM)"


def test_what_came_before_a_kill_that_repeats_is_told() -> None:
    clues = Clues(WHY)
    clues.add(ORIGINS)
    for pid in range(100, 103):
        asked = note(
            layout.HANDLED_SIGNAL,
            pid=pid,
            start_boot_ns=START,
            flags=layout.EVIDENCE_SEEN,
            signal=TERM,
            sender_pid=OTHER,
            sender_comm=b"asker",
        )
        found = cause(clues, [asked, kill(pid, signal=KILL)], ended(pid, KILL))
        assert found.text.startswith("killed by killer[50] (SIGKILL), ")
        assert "after SIGTERM from asker[80]" in found.text


def test_what_is_remembered_has_a_bound() -> None:
    """Others choose the paths of senders."""
    clues = Clues(WHY)
    notes = []
    for number in range(1, 1000):
        exe = b"%09d\0" % number + b"\xff" * 4000 + b"\0\0"
        notes.append([origin(number, exe=exe), *[kill(9, origin=number)] * 3])
    tracemalloc.start()
    try:
        for some in notes:
            cause(clues, some, ended(9, TERM))
            clues.add([origin(0)])
        clues._origins._known.clear()
        assert tracemalloc.get_traced_memory()[0] < 1 << 19
    finally:
        tracemalloc.stop()
