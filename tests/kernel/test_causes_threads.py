"""Per thread: who ended the process has its cause; the others name that thread."""

import platform
import subprocess
import sys

import pytest
from support.causes import assert_only
from support.truth import recorded

from exitsnoop import Exit

WAITING = 3
PROGRAM = f"""
import ctypes, os, signal, threading
started = threading.Semaphore(0)
def wait():
    started.release()
    threading.Event().wait()
def start(does):
    threading.Thread(target=does, daemon=True).start()
for _ in range({WAITING}): start(wait)
for _ in range({WAITING}): started.acquire()
def say():
    os.write(1, b"%d\\n" % threading.get_native_id())
def in_thread(does):
    start(lambda: (say(), does()))
    threading.Event().wait()
"""
TERM_BY_ANOTHER = "os.spawnlp(os.P_NOWAIT, 'sh', 'sh', '-c', f'kill -TERM {os.getpid()}')"


def rows(does: str) -> tuple[subprocess.Popen[str], list[Exit], int]:
    """Run a program with threads; return it, its rows, and the TID of the thread that it names."""
    with recorded(why=True, per_thread=True) as exits:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM + does], stdout=subprocess.PIPE, text=True
        )
        out, _ = process.communicate(timeout=60)
    (tid,) = map(int, out.split())
    return process, [one for one in exits if one.pid == process.pid], tid


def assert_others(exits: list[Exit], tid: int, why: str) -> None:
    """Each of these was ended by this thread."""
    for one in exits:
        assert one.cause
        assert_only(one.cause, "other_thread")
        assert one.cause.thread
        assert one.cause.thread.tid == tid
        comm = one.cause.thread.comm
        assert comm == exits[0].comm
        assert one.cause.text == f"ended by thread {comm}[{tid}]: {why}"


ENDS = {
    "say(); os._exit(3)": (3, "exited", "exit 3"),
    "in_thread(lambda: os._exit(3))": (3, "exited", "exit 3"),
    "in_thread(os.abort)": (-6, "abort", "abort()"),
    "in_thread(lambda: signal.raise_signal(15))": (-15, "self", "sent itself SIGTERM"),
}


@pytest.mark.parametrize("does", ENDS)
def test_the_thread_that_ended_the_process(does: str) -> None:
    status, kind, why = ENDS[does]
    process, exits, tid = rows(does)
    assert process.returncode == status
    assert len(exits) == 1 + WAITING + ("in_thread" in does)
    (own,) = [one for one in exits if one.tid == tid]
    assert own.cause
    assert own.cause.kind == kind
    assert own.cause.text.startswith(why)
    others = [one for one in exits if one is not own]
    assert len(others) == len(exits) - 1
    assert_others(others, tid, why)


def test_a_thread_that_calls_exec() -> None:
    """It goes on with the PID of the first thread, so that this row is its own."""
    process, exits, tid = rows("in_thread(lambda: os.execvp('sh', ['sh', '-c', 'exit 5']))")
    assert process.returncode == 5
    (last,) = [one for one in exits if one.comm == "sh"]
    assert (last.tid, last.last_thread) == (process.pid, True)
    assert last.cause
    assert (last.cause.kind, last.cause.text) == ("exited", "exit 5")
    others = [one for one in exits if one is not last]
    assert len(others) == 1 + WAITING
    assert_others(others, tid, "exec")


def test_a_thread_that_leaves_by_itself() -> None:
    """Its code is its own; the process goes on until another one ends it."""
    number = 60 if platform.machine() == "x86_64" else 93
    process, exits, tid = rows(
        f"start(lambda: ctypes.CDLL(None).syscall(ctypes.c_long({number}), 7))\n"
        f"while len(os.listdir('/proc/self/task')) > {1 + WAITING}: os.sched_yield()\n"
        "say(); os._exit(3)"
    )
    assert process.returncode == 3
    texts = {one.tid: (one.status >> 8, one.cause and one.cause.text) for one in exits}
    assert len(texts) == 2 + WAITING
    assert texts.pop(tid) == (3, "exit 3")
    left = [own for own, (code, _) in texts.items() if code == 7]
    assert [texts.pop(own) for own in left] == [(7, "exit 7")]
    assert_others([one for one in exits if one.tid in texts], tid, "exit 3")


def test_what_came_before_is_with_the_one_that_exits() -> None:
    handler = "signal.signal(15, lambda *_: (say(), os._exit(9)))"
    process, exits, tid = rows(f"{handler}\n{TERM_BY_ANOTHER}\nsignal.pause()")
    assert process.returncode == 9
    (own,) = [one for one in exits if one.tid == tid]
    assert own.cause
    assert own.cause.after
    assert own.cause.after.signal_name == "SIGTERM"
    assert_others([one for one in exits if one.tid != tid], tid, "exit 9")


def test_a_signal_for_the_process_is_in_every_row() -> None:
    process, exits, _ = rows(f"say()\n{TERM_BY_ANOTHER}\nsignal.pause()")
    assert process.returncode == -15
    causes = [one.cause for one in exits]
    assert len(causes) == 1 + WAITING
    assert {cause and cause.kind for cause in causes} == {"killed"}
    (sender,) = {cause.sender.pid for cause in causes if cause and cause.sender}
    assert sender


def test_by_kind() -> None:
    with recorded(per_thread=True, causes=["abort"]) as aborted:
        process = subprocess.Popen(
            [sys.executable, "-c", f"{PROGRAM}in_thread(os.abort)"], stdout=subprocess.PIPE
        )
        out, _ = process.communicate(timeout=60)
    assert [one.tid for one in aborted if one.pid == process.pid] == [int(out)]
    with recorded(per_thread=True, causes=["other_thread"]) as ended:
        process = subprocess.Popen(
            [sys.executable, "-c", f"{PROGRAM}say(); os._exit(3)"], stdout=subprocess.PIPE
        )
        process.communicate(timeout=60)
    tids = {one.tid for one in ended if one.pid == process.pid}
    assert len(tids) == WAITING
    assert process.pid not in tids


ASKED = 300
ASKED_PROGRAM = f"""
import os, signal, threading
for _ in range({ASKED}):
    if not (pid := os.fork()):
        signal.signal(15, lambda *_: os._exit(9))
        for _ in range(6):
            threading.Thread(target=signal.pause, daemon=True).start()
        signal.raise_signal(15)
    os.waitpid(pid, 0)
"""


def test_what_came_before_is_known_in_whatever_order_threads_end() -> None:
    """Before Linux 6.16, the thread that exits may be reported after the last one."""
    with recorded(why=True, per_thread=True) as exits:
        process = subprocess.Popen([sys.executable, "-c", ASKED_PROGRAM])
        assert process.wait() == 0
    causes = [one.cause for one in exits if one.cause and one.ppid == process.pid]
    own = [cause for cause in causes if cause.kind == "exited"]
    assert len(own) == ASKED
    assert [cause.after and cause.after.signal_name for cause in own] == ["SIGTERM"] * ASKED
