"""Who killed it, where several signals, or several processes with one PID, could be mixed up."""

import os
import random
from pathlib import Path
from signal import SIGCHLD, SIGINT, SIGKILL, SIGRTMIN, SIGTERM, SIGURG, SIGUSR1, SIGUSR2, SIGWINCH

import pytest
from support.causes import assert_killed, assert_only, cause_of
from support.machine import some
from support.stage import Stage
from support.truth import recorded

from exitsnoop import Tracer
from exitsnoop.kernel.features import tracepoints_are_preemptible

FLOOD = 10_000  # signals


def test_pending_while_blocked_is_the_first_sender_s(stage: Stage) -> None:
    """The second of the same signal is dropped by the kernel."""
    with recorded(why=True) as exits:
        victim, first, second = (stage.puppet() for _ in range(3))
        victim.ask("block", SIGTERM.value)
        first.kill(victim, SIGTERM)
        second.kill(victim, SIGTERM)
        victim.die("unblock", SIGTERM.value)
        assert victim.wait() == -SIGTERM
    assert_killed(cause_of(exits, victim), first)


def test_queued_while_blocked_is_the_first_sender_s(stage: Stage) -> None:
    """Realtime signals queue: the first one kills."""
    with recorded(why=True) as exits:
        victim, first, second = (stage.puppet() for _ in range(3))
        victim.ask("block", SIGRTMIN.value)
        first.kill(victim, SIGRTMIN)
        second.kill(victim, SIGRTMIN)
        victim.die("unblock", SIGRTMIN.value)
        assert victim.wait() == -SIGRTMIN
    assert_killed(cause_of(exits, victim), first)


@pytest.mark.parametrize("thread_s_own_first", [True, False])
def test_a_thread_s_own_signals_come_before_the_process_s(
    stage: Stage, thread_s_own_first: bool
) -> None:
    with recorded(why=True) as exits:
        victim, to_thread, to_process = (stage.puppet() for _ in range(3))
        victim.ask("block", SIGTERM.value)
        if thread_s_own_first:
            to_thread.kill(victim, SIGTERM, "tgkill")
        to_process.kill(victim, SIGTERM)
        if not thread_s_own_first:
            to_thread.kill(victim, SIGTERM, "tgkill")
        victim.die("unblock", SIGTERM.value)
        assert victim.wait() == -SIGTERM
    assert_killed(cause_of(exits, victim), to_thread, "tgkill")


def test_of_several_pending_signals_the_one_in_the_status(stage: Stage) -> None:
    with recorded(why=True) as exits:
        victim = stage.puppet()
        senders = {number: stage.puppet() for number in (SIGTERM, SIGUSR2, SIGUSR1, SIGINT)}
        for number, sender in senders.items():
            victim.ask("block", number.value)
            sender.kill(victim, number)
        victim.die("unblock_all")
        assert victim.wait() == -min(senders)
    assert_killed(cause_of(exits, victim), senders[min(senders)])


def test_signals_that_were_handled_and_ignored_before(stage: Stage) -> None:
    with recorded(why=True) as exits:
        victim, first, second, last = (stage.puppet() for _ in range(4))
        victim.ask("handle", SIGUSR1.value)
        victim.ask("ignore", SIGTERM.value)
        first.kill(victim, SIGUSR1)
        second.kill(victim, SIGTERM)
        victim.ask("default", SIGUSR1.value)
        victim.ask("default", SIGTERM.value)
        last.kill(victim, SIGTERM)
        assert victim.wait() == -SIGTERM
    assert_killed(cause_of(exits, victim), last)


def test_term_is_handled_and_kill_comes_later(stage: Stage) -> None:
    with recorded(why=True) as exits:
        victim, first, second = (stage.puppet() for _ in range(3))
        victim.ask("handle", SIGTERM.value)
        first.kill(victim, SIGTERM)
        second.kill(victim, SIGKILL)
        assert victim.wait() == -SIGKILL
    assert_killed(cause_of(exits, victim), second)


def test_term_is_blocked_and_kill_comes_later(stage: Stage) -> None:
    with recorded(why=True) as exits:
        victim, first, second = (stage.puppet() for _ in range(3))
        victim.ask("block", SIGTERM.value)
        first.kill(victim, SIGTERM)
        second.kill(victim, SIGKILL)
        assert victim.wait() == -SIGKILL
    assert_killed(cause_of(exits, victim), second)


@pytest.mark.parametrize("preparation", ["handle", "ignore", "block"])
def test_it_exits_after_a_signal(stage: Stage, preparation: str) -> None:
    with recorded(why=True) as exits:
        victim, sender = stage.puppet(), stage.puppet()
        victim.ask(preparation, SIGTERM.value)
        sender.kill(victim, SIGTERM)
        victim.die("exit", 3)
        assert victim.wait() == 3
    assert_only(cause_of(exits, victim), "exited", "after")


def test_a_signal_that_was_taken_is_not_the_next_one(stage: Stage) -> None:
    with recorded(why=True) as exits:
        victim, first, second = (stage.puppet() for _ in range(3))
        victim.ask("block", SIGTERM.value)
        first.kill(victim, SIGTERM)
        assert victim.ask("take", SIGTERM.value) == str(SIGTERM.value)
        victim.ask("unblock", SIGTERM.value)
        second.kill(victim, SIGTERM)
        assert victim.wait() == -SIGTERM
    assert_killed(cause_of(exits, victim), second)


def test_a_signal_that_was_discarded_is_not_the_next_one(stage: Stage) -> None:
    """To ignore a signal takes it from those that are pending."""
    with recorded(why=True) as exits:
        victim, first, second = (stage.puppet() for _ in range(3))
        victim.ask("block", SIGTERM.value)
        first.kill(victim, SIGTERM)
        victim.ask("ignore", SIGTERM.value)
        victim.ask("default", SIGTERM.value)
        second.kill(victim, SIGTERM)
        victim.die("unblock", SIGTERM.value)
        assert victim.wait() == -SIGTERM
    assert_killed(cause_of(exits, victim), second)


@pytest.mark.parametrize("preparation", ["handle", "ignore"])
def test_a_blocked_signal_whose_handling_ends_before_it_comes(
    stage: Stage, preparation: str
) -> None:
    """Blocked signals are kept even where they are ignored: the action may change."""
    with recorded(why=True) as exits:
        victim, sender = stage.puppet(), stage.puppet()
        victim.ask("block", SIGTERM.value)
        victim.ask(preparation, SIGTERM.value)
        sender.kill(victim, SIGTERM)
        victim.ask("default", SIGTERM.value)
        victim.die("unblock", SIGTERM.value)
        assert victim.wait() == -SIGTERM
    assert_killed(cause_of(exits, victim), sender)


def test_two_senders_race(stage: Stage) -> None:
    """The status tells which of the two signals it was, and so which sender."""
    statuses: dict[int, int] = {}
    with recorded(why=True) as exits:
        spawner, term, kill = (stage.puppet() for _ in range(3))
        for _ in range(20):  # with one CPU to run on, one of them may send all before the other
            pids = [int(pid) for pid in spawner.ask("spawn", some(1000)).split()]
            term.tell("send_to_each", SIGTERM.value, *pids)
            kill.tell("send_to_each", SIGKILL.value, *reversed(pids))
            term.finish()
            kill.finish()
            truth = [int(word) for word in spawner.ask("reap", len(pids)).split()]
            assert set(truth[::2]) == set(pids)
            statuses |= zip(truth[::2], truth[1::2], strict=True)
            if set(statuses.values()) == {SIGTERM, SIGKILL}:
                break
    assert set(statuses.values()) == {SIGTERM, SIGKILL}
    for pid, status in statuses.items():
        assert_killed(cause_of(exits, pid), term if status == SIGTERM else kill)


def test_stale_evidence_is_not_the_next_process_s(stage: Stage) -> None:
    """The same PID, the same signal: by another sender, then by nobody that could be seen."""
    with recorded(why=True) as exits:
        old, first, second, debugger = (stage.puppet() for _ in range(4))
        for _ in range(2):
            old.ask("block", SIGTERM.value)
            first.kill(old, SIGTERM)
            old.die("exit", 0)
            old = stage.reused(old.pid)
        second.kill(old, SIGTERM)
        assert old.wait() == -SIGTERM
        old = stage.reused(old.pid)
        old.ask("block", SIGTERM.value)
        first.kill(old, SIGTERM)
        old.die("exit", 1)
        old = stage.reused(old.pid)
        debugger.ask("inject", old.pid, SIGTERM.value)
        assert old.wait() == -SIGTERM
    # Others on this machine may be given that PID, too.
    causes = [e.cause for e in exits if (e.pid, e.ppid, e.comm) == (old.pid, os.getpid(), "deaths")]
    kinds = [cause and cause.kind for cause in causes]
    assert kinds == ["exited", "exited", "killed", "exited", "unknown"]
    by_second = causes[2]
    assert by_second
    assert_killed(by_second, second)


@pytest.mark.parametrize("seed", range(some(3)))
@pytest.mark.usefixtures("busy_cpus")
def test_storm_of_kills_under_load(stage: Stage, seed: int) -> None:
    """Every victim's record names the one process that was told to kill it."""
    chance = random.Random(seed)
    with recorded(why=True) as exits:
        spawners = [stage.puppet() for _ in range(3)]
        victims = [int(pid) for s in spawners for pid in s.ask("spawn", some(1000)).split()]
        chance.shuffle(victims)
        senders = [stage.puppet() for _ in range(5)]
        numbers = [SIGTERM, SIGKILL, SIGUSR1, SIGRTMIN, SIGINT]
        for i, (sender, number) in enumerate(zip(senders, numbers, strict=True)):
            sender.tell("send_to_each", number.value, *victims[i::5])
        for sender in senders:
            sender.finish()
        statuses: dict[int, int] = {}
        for spawner in spawners:
            truth = [int(word) for word in spawner.ask("reap", some(1000)).split()]
            statuses |= zip(truth[::2], truth[1::2], strict=True)
    records = {record.pid: record for record in exits if record.pid in statuses}
    assert set(records) == set(statuses) == set(victims)
    for i, (sender, number) in enumerate(zip(senders, numbers, strict=True)):
        for victim in victims[i::5]:
            cause = records[victim].cause
            assert records[victim].status == statuses[victim] == number
            assert cause
            assert_killed(cause, sender)


@pytest.mark.parametrize("number", [SIGURG, SIGCHLD, SIGWINCH, SIGUSR1, SIGUSR2])
def test_signals_that_end_nothing_are_not_recorded(stage: Stage, number: int) -> None:
    """The first three never do; one is handled, one ignored."""
    with Tracer(why=True) as tracer:
        victim, sender = stage.puppet(), stage.puppet()
        victim.ask("handle", SIGUSR1.value)
        victim.ask("ignore", SIGUSR2.value)
        before = tracer.signals_recorded
        sender.ask("flood", FLOOD, victim.pid, int(number))
        after = tracer.signals_recorded
        sender.kill(victim, SIGTERM)
        victim.wait()
        counted = tracer.signals_recorded
    assert after - before < FLOOD // 2  # others may be killed meanwhile
    assert 1 <= counted - after < FLOOD // 2


def test_without_why_nothing_is_attached_for_it(stage: Stage) -> None:
    def programs() -> int:
        links = (fd.readlink() for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink())
        return sum("bpf_link" in str(link) or "bpf-link" in str(link) for link in links)

    before = programs()
    alone = 4 if tracepoints_are_preemptible() else 1
    with Tracer() as tracer:
        assert programs() - before == alone
        victim, sender = stage.puppet(), stage.puppet()
        sender.kill(victim, SIGTERM)
        victim.wait()
        tracer.stop()
        (record,) = [record for record in tracer if record.pid == victim.pid]
        assert record.cause is None
    with Tracer(why=True):
        assert programs() - before > alone
    assert programs() == before
