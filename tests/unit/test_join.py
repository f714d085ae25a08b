"""What is kept of processes until their exits: none gets what belongs to another."""

import os
import tracemalloc

import pytest
from support.blocks import EXIT, note, pack

from exitsnoop import layout
from exitsnoop.decode.exits import decode
from exitsnoop.host import kernel_log
from exitsnoop.model.cause import Cause, Thread
from exitsnoop.tracing.join import Clues

PID, START, LATER = 4242, 77, 99


def oom(start_boot_ns: int) -> bytes:
    return note(
        layout.OOM_EVIDENCE,
        pid=PID,
        start_boot_ns=start_boot_ns,
        anon_pages=3,
    )


def killed(start_boot_ns: int) -> bytes:
    return note(
        layout.SIGNAL_EVIDENCE,
        pid=PID,
        start_boot_ns=start_boot_ns,
        flags=layout.EVIDENCE_SEEN | layout.EVIDENCE_OOM | layout.EVIDENCE_KERNEL,
    )


def cause(clues: Clues, start_boot_ns: int) -> Cause:
    ended = pack(
        EXIT,
        pid=PID,
        tid=PID,
        start_boot_ns=start_boot_ns,
        status=9,
        last_thread=1,
    )
    (found,) = clues.complete(decode(ended, 0)).column("cause")
    assert isinstance(found, Cause)
    assert found.kind == "oom"
    return found


def test_figures_of_the_oom_killer_are_those_of_the_process() -> None:
    clues = Clues(frozenset({"why"}))
    clues.add([oom(START), killed(START)])
    assert cause(clues, START).oom


def test_figures_left_behind_are_not_given_to_who_has_the_pid_later() -> None:
    """The rest of what was known of the first was lost, as the buffer was full."""
    clues = Clues(frozenset({"why"}))
    clues.add([oom(START)])
    clues.add([killed(LATER)])
    assert cause(clues, LATER).oom is None


LOG = [
    "deaths invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
    "memory: usage 32768kB, limit 32768kB, failcnt 26",
    "Memory cgroup stats for /full:",
    "anon 33423360",
    "file 4096",
    "shmem 4096",
]
CHOSEN = "oom-kill:constraint={},nodemask=(null),oom_memcg=/full,task=deaths,pid={},uid=0"


@pytest.mark.parametrize(
    ("constraint", "cgroup", "limit"),
    [("CONSTRAINT_MEMCG", "/full", 32 << 20), ("CONSTRAINT_NONE", None, None)],
)
def test_the_kernel_s_log_has_the_limit_where_none_seemed_full(
    monkeypatch: pytest.MonkeyPatch, constraint: str, cgroup: str | None, limit: int | None
) -> None:
    """Others gave memory back after the OOM killer had chosen."""
    reading, writing = os.pipe2(os.O_DIRECT)  # a record a read, as /dev/kmsg has it
    monkeypatch.setattr(kernel_log, "_LOG", f"/dev/fd/{reading}")
    clues = Clues(frozenset({"why"}))
    clues.look_around()
    for line in [*LOG, CHOSEN.format(constraint, PID)]:
        os.write(writing, f"6,1,2,-;{line}\n".encode())
    clues.add([oom(START), killed(START)])
    found = cause(clues, START).oom
    clues.close()
    os.close(reading)
    os.close(writing)
    assert found
    assert (found.cgroup, found.limit, found.usage) == (cgroup, limit, limit)
    assert found.cgroup_anon == (33423360 if cgroup else None)


def test_where_a_process_crashed_that_is_not_reported_is_forgotten() -> None:
    """Each has a part of the stack: with a filter, others may crash for months."""
    clues = Clues(frozenset({"why", "args", "exe"}))
    stack_bytes = layout.SITE_STACK_BYTES
    tracemalloc.start()
    try:
        for pid in range(1, 200):
            crash = note(
                layout.CRASH_SITE, pid=pid, start_boot_ns=START, stack_bytes=stack_bytes
            ) + bytes(stack_bytes)
            clues.add([crash, note(layout.GONE, pid=pid, start_boot_ns=START)])
        del crash
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 10 * stack_bytes


def of_thread(tid: int, status: int, last_thread: int = 0) -> bytes:
    return pack(
        EXIT, pid=PID, tid=tid, start_boot_ns=START + tid, status=status, last_thread=last_thread
    )


def causes(notes: list[bytes], ended: bytes) -> list[Cause]:
    clues = Clues(frozenset({"why"}), per_thread=True)
    clues.add(notes)
    return list(clues.complete(decode(ended, 0)).column("cause"))


def test_who_ended_a_thread_may_be_unknown() -> None:
    """With thousands of threads; then it does not count as one that called exit."""
    ended = note(
        layout.THREAD_END, pid=PID, start_boot_ns=START + 7, how=layout.ENDED_BY_EXIT_GROUP
    )
    by_itself, by_another = causes([ended], of_thread(6, 3 << 8) + of_thread(7, 3 << 8, 1))
    assert (by_itself.kind, by_itself.text) == ("exited", "exit 3")
    assert (by_another.kind, by_another.text) == ("other_thread", "ended by another thread: exit 3")
    assert by_another.thread is None


def test_the_name_of_a_thread_cannot_forge_a_sentence() -> None:
    ended = note(
        layout.THREAD_END,
        pid=PID,
        start_boot_ns=START + 7,
        how=layout.ENDED_BY_EXIT_GROUP,
        by=6,
        comm=b"a[1]: exit 0",
    )
    (cause,) = causes([ended], of_thread(7, 3 << 8, 1))
    assert cause.thread == Thread(6, "a[1]: exit 0")
    assert cause.text == "ended by thread 'a[1]: exit 0'[6]: exit 3"


def test_a_thread_that_another_ended_has_none_of_its_place() -> None:
    taken = note(
        layout.SIGNAL_EVIDENCE,
        pid=PID,
        start_boot_ns=START + 7,
        flags=layout.EVIDENCE_SEEN | layout.EVIDENCE_SELF | layout.EVIDENCE_OF_OTHER,
        signal=11,
        si_code=1,
        address=8,
        thread=6,
        thread_comm=b"io",
    )
    (cause,) = causes([taken], of_thread(7, 11, 1))
    assert cause == Cause(
        "other_thread",
        "ended by thread io[6]: segfault at 0x8 (SEGV_MAPERR)",
        thread=Thread(6, "io"),
    )
