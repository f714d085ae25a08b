"""Bytes of the ring: what is well-formed reads as what was sent, and all else is an error."""

import os
import struct
from functools import partial
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from support.blocks import ANCESTOR_BYTES, EXIT, LAYOUTS, PARTS, Layout, feed, note, pack, sizes

from exitsnoop import layout
from exitsnoop.causes.rules import judge
from exitsnoop.decode.signals import Evidence, Memory, Trap
from exitsnoop.model.cause import Sender, Thread
from exitsnoop.model.exit import Exit

PAGE = os.sysconf("SC_PAGESIZE")
U16, U32, U64 = (st.integers(0, 2**bits - 1) for bits in (16, 32, 64))
NAME = st.binary(min_size=1, max_size=40).map(
    lambda name: name.replace(b"\0", b"0").replace(b"/", b"-")
)
COMM = st.binary(max_size=15).map(lambda name: name.replace(b"\0", b"0"))
PID, START = 4242, 77
EXIT_BYTES = sum(sizes(EXIT).values())


def text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def path_of(names: list[bytes]) -> bytes:
    """Return the names from the root on as a path is sent."""
    return b"".join(name + b"\0" for name in reversed(names)) + b"\0"


def one_exit(*notes: bytes, **known: Any) -> Exit:
    made = feed(
        pack(
            EXIT,
            **{"pid": PID, "tid": PID, "start_boot_ns": START, "boot_ns": START, "last_thread": 1}
            | known,
        ),
        list(notes),
    )
    assert made is not None
    (ended,) = made
    return ended


def _little(size: int, number: int) -> bytes:
    return number.to_bytes(size, "little")


def any_record(record: Layout, kind: int) -> st.SearchStrategy[bytes]:
    fields = {name: st.binary(min_size=n, max_size=n) for name, n in sizes(record).items()}
    fields["kind"] = st.just(kind.to_bytes(8, "little"))
    # Lengths that can be: else only few would be well-formed.
    for length in PARTS.get(kind, ()):
        few = st.integers(0, 60)
        if length == "ancestors_bytes":
            few = st.integers(0, 3).map(lambda number: number * ANCESTOR_BYTES) | few
        fields[length] = few.map(partial(_little, sizes(record)[length]))
    head = st.fixed_dictionaries(fields).map(lambda values: pack(record, **values))
    return st.tuples(head, st.binary(max_size=130)).map(b"".join) | head


RECORD = st.one_of([any_record(fields, kind) for kind, fields in LAYOUTS.items()])


@given(RECORD, st.lists(RECORD, max_size=3), st.data())
def test_what_is_malformed_is_refused_and_nothing_else(
    record: bytes, others: list[bytes], data: st.DataObject
) -> None:
    """Cut short, grown, or with bytes changed: an error, or as event.h has it after all."""
    exits = data.draw(st.binary(min_size=EXIT_BYTES, max_size=EXIT_BYTES) | st.binary(max_size=200))
    at = data.draw(st.integers(0, len(record) - 1))
    changed = data.draw(st.binary(min_size=1, max_size=8))
    for one in (record, record[:at], record + changed, record[:at] + changed + record[at + 1 :]):
        feed(exits, [one, *others])


@given(st.binary(max_size=600), st.lists(st.binary(max_size=300)))
@example(b"", [b""])
@example(b"", [bytes(15)])
@example(b"\0", [])
def test_any_bytes_end(exits: bytes, notes: list[bytes]) -> None:
    feed(exits, notes)


@given(U64, U64, U32, U32, U32, U16, st.booleans(), COMM)
def test_an_exit_reads_as_it_was_sent(
    boot_ns: int, age: int, pid: int, tid: int, ppid: int, status: int, last: bool, comm: bytes
) -> None:
    ended = one_exit(
        boot_ns=boot_ns,
        start_boot_ns=max(0, boot_ns - age),
        pid=pid,
        tid=tid,
        ppid=ppid,
        status=status,
        last_thread=last,
        wanted=1,
        raw_comm=comm,
    )
    assert (ended.boot_ns, ended.pid, ended.tid, ended.ppid) == (boot_ns, pid, tid, ppid)
    assert (ended.status, ended.last_thread, ended.wanted) == (status, last, True)
    assert ended.comm == text(comm)
    assert ended.age == (boot_ns - max(0, boot_ns - age)) // 1000 / 1_000_000
    assert (ended.exit_code is None) == bool(status & 0x7F)


@given(st.lists(NAME, max_size=6), COMM, st.lists(st.tuples(U32, COMM), max_size=32), st.data())
def test_a_context_reads_as_it_was_sent(
    names: list[bytes], hostname: bytes, above: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    counts = {
        name: data.draw(U64)
        for name in (
            *("read_bytes", "write_bytes", "minor_faults", "major_faults"),
            *("voluntary_switches", "involuntary_switches"),
        )
    }
    ids = {name: data.draw(U32) for name in ("uid", "nspid")}
    run, share = data.draw(st.integers(0, 2**50)), data.draw(st.integers(0, 1000))
    cgroup, host = path_of(names), hostname + b"\0"
    record = note(
        layout.EXIT_CONTEXT,
        tid=PID,
        start_boot_ns=START,
        cgroup_bytes=len(cgroup),
        hostname_bytes=len(host),
        ancestors_bytes=len(above) * ANCESTOR_BYTES,
        parent_comm=hostname,
        run_ns=run,
        user_ns=share,
        system_ns=1000 - share,
        peak_pages=3,
        flags=layout.CONTEXT_OWN_PEAK,
        **counts,
        **ids,
    )
    record += cgroup + host + b"".join(struct.pack("=I16s", *one) for one in above)
    ended = one_exit(record)
    assert ended.cgroup == "/" + "/".join(map(text, names))
    assert ended.hostname == ended.parent_comm == text(hostname)
    assert ended.ancestors == tuple((pid, text(comm)) for pid, comm in above)
    assert {name: getattr(ended, name) for name in counts | ids} == counts | ids
    assert ended.max_rss == 3 * PAGE
    assert ended.cpu_user is not None
    assert ended.cpu_system is not None
    assert abs(ended.cpu_user + ended.cpu_system - run / 1e9) < 1e-6 * max(1, run / 1e9)


@given(st.lists(NAME, max_size=6), st.lists(st.binary(max_size=30), max_size=6), st.booleans())
def test_an_image_reads_as_it_was_sent(names: list[bytes], args: list[bytes], more: bool) -> None:
    """And is that of a child that was forked from it, but not of whoever has its PID then."""
    args = [arg.replace(b"\0", b"0") for arg in args]
    exe, words = path_of(names), b"".join(arg + b"\0" for arg in args)
    ids = {"pid": PID, "start_boot_ns": START, "exec_id": 5}
    record = note(
        layout.EXEC_IMAGE,
        exe_bytes=len(exe),
        args_bytes=len(words),
        all_args_bytes=len(words) + more,
        **ids,
    )
    fork = note(
        layout.FORKED,
        pid=PID + 1,
        start_boot_ns=START + 1,
        parent_pid=PID,
        parent_start_boot_ns=START,
        exec_id=5,
    )
    contexts = [
        note(layout.EXIT_CONTEXT, tid=pid, start_boot_ns=at, exec_id=5)
        for pid, at in ((PID, START), (PID + 1, START + 1), (PID, START + 1))
    ]
    notes = [record + exe + words, fork, *contexts]
    parent, child = (
        one_exit(*notes),
        one_exit(*notes, pid=PID + 1, tid=PID + 1, start_boot_ns=START + 1),
    )
    for ended in (parent, child):
        assert ended.exe == "/" + "/".join(map(text, names))
        assert ended.args == tuple(map(text, args))
        assert ended.args_truncated == more
    stranger = one_exit(*notes, start_boot_ns=START + 1)
    assert (stranger.exe, stranger.args) == (None, None)


@given(COMM, st.lists(COMM.filter(bool), max_size=6), U32, U32, U32, U32, st.integers(1, 64))
def test_a_sender_reads_as_it_was_sent(
    comm: bytes, args: list[bytes], pid: int, tid: int, ppid: int, uid: int, signal: int
) -> None:
    words = b"".join(arg + b"\0" for arg in args)
    record = note(
        layout.SIGNAL_EVIDENCE,
        pid=PID,
        start_boot_ns=START,
        flags=layout.EVIDENCE_SEEN,
        sender_pid=pid,
        sender_tid=tid,
        sender_ppid=ppid,
        sender_uid=uid,
        sender_comm=comm,
        sender_args=words,
        sender_args_bytes=len(words),
    )
    cause = one_exit(record, status=signal).cause
    assert cause
    assert (cause.kind, cause.how, cause.si_code) == ("killed", "kill", "SI_USER")
    kept = tuple(map(text, args)) or None
    assert cause.sender
    assert cause.sender._replace(user=None) == Sender(
        pid, ppid, text(comm), uid, kept, False, None if tid == pid else tid
    )


@given(st.lists(NAME, min_size=1, max_size=6), *[st.integers(0, 2**40)] * 4)
def test_the_figures_of_the_oom_killer_read_as_they_were_sent(
    names: list[bytes], anon: int, file: int, shmem: int, limit: int
) -> None:
    path = path_of(names)
    oom = note(
        layout.OOM_EVIDENCE,
        pid=PID,
        start_boot_ns=START,
        cgroup=path,
        cgroup_bytes=len(path),
        anon_pages=anon,
        file_pages=file,
        shmem_pages=shmem,
        limit_pages=limit,
    )
    ids = {"pid": PID, "start_boot_ns": START, "sender_pid": 9}
    seen = note(
        layout.SIGNAL_EVIDENCE,
        flags=layout.EVIDENCE_SEEN | layout.EVIDENCE_OOM | layout.EVIDENCE_KERNEL,
        **ids,
    )
    cause = one_exit(oom, seen, status=9).cause
    assert cause
    assert cause.oom
    group = "/" + "/".join(map(text, names))
    found = cause.oom
    assert (found.anon, found.file, found.shmem) == (anon * PAGE, file * PAGE, shmem * PAGE)
    assert (found.cgroup, found.limit) == (group, limit * PAGE)
    assert cause.oom.trigger.pid == 9
    # Of a signal that was not kept, only the flags are sent: the rest is whatever was there before.
    unseen = note(layout.SIGNAL_EVIDENCE, flags=layout.EVIDENCE_OOM, sender_comm=b"wrong", **ids)
    cause = one_exit(oom, unseen, status=9).cause
    assert cause
    assert (cause.kind, cause.text, cause.oom) == ("oom", "out of memory", None)


@given(
    U16,
    st.builds(
        Evidence,
        U32,
        st.builds(Sender, U32, U32, st.text(max_size=15), U32),
        st.integers(-(2**31), 2**31 - 1) | st.sampled_from([0x80, -1, -2, -6, 1, 2]),
        U64,
        st.integers(-(2**31), 2**31 - 1),
        U32,
        st.none() | U64,
        U64,
        st.text(max_size=15),
        st.none() | st.builds(Memory, *[U64] * 4, st.none() | st.text(), *[st.none() | U64] * 2),
        st.none() | st.builds(Thread, U32, st.text(max_size=15)),
        st.none() | st.builds(Trap, U32, U64, U64, U64, st.binary(min_size=16, max_size=16), U64),
    ),
)
def test_any_evidence_has_a_cause_and_a_sender_only_where_there_is_one(
    status: int, evidence: Evidence
) -> None:
    cause = judge(status, evidence)
    assert cause.text
    if cause.sender is not None:
        assert evidence.flags & layout.EVIDENCE_SEEN
        assert cause.sender[:-1] == evidence.sender[:-1]  # a rule may add what it was meant for
    if not status & 0x7F:
        assert cause.kind == "exited"
