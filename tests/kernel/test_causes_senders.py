"""Who killed it: the process that sent the signal, in every way there is to send one."""

import os
import subprocess
from signal import SIGABRT, SIGINT, SIGKILL, SIGRTMIN, SIGTERM, SIGUSR1

import pytest
from support.causes import assert_killed, assert_only, cause_of
from support.machine import need
from support.stage import Stage
from support.truth import recorded

ENDS_NO_PROCESS = {17, 18, 19, 20, 21, 22, 23, 28}  # CHLD CONT STOP TSTP TTIN TTOU URG WINCH
FATAL = [number for number in range(1, 65) if number not in ENDS_NO_PROCESS]
OTHER_USER = 4711


@pytest.mark.parametrize(
    ("way", "how"),
    [
        ("kill", "kill"),
        ("group", "kill"),
        ("pidfd", "kill"),
        ("tgkill", "tgkill"),
        ("tkill", "tgkill"),
        ("sigqueue", "sigqueue"),
    ],
)
@pytest.mark.parametrize("number", [SIGTERM, SIGKILL, SIGABRT, SIGRTMIN + 1])
def test_every_way_to_send(stage: Stage, way: str, how: str, number: int) -> None:
    """What the sender claims of itself with sigqueue is not believed."""
    with recorded(why=True) as exits:
        victim, sender = stage.puppet(), stage.puppet()
        victim.ask("new_group")
        sender.kill(victim, number, way)
        assert victim.wait() == -number
    assert_killed(cause_of(exits, victim), sender, how)


def test_every_signal_is_the_sender_s_whatever_it_means_from_the_kernel(stage: Stage) -> None:
    with recorded(why=True) as exits:
        sender = stage.puppet()
        victims = {number: stage.puppet() for number in FATAL}
        for number, victim in victims.items():
            sender.kill(victim, number)
            assert victim.wait() == -number
    for victim in victims.values():
        assert_killed(cause_of(exits, victim), sender)


def test_every_process_of_a_group(stage: Stage) -> None:
    with recorded(why=True) as exits:
        parent, sender = stage.puppet(), stage.puppet()
        group = int(parent.ask("new_group"))
        children = [int(pid) for pid in parent.ask("spawn", 20).split()]
        parent.ask("handle", SIGUSR1)
        sender.kill(group, SIGUSR1, "group")
        truth = [int(word) for word in parent.ask("reap", 20).split()]
        parent.die("exit", 0)
    assert dict(zip(truth[::2], truth[1::2], strict=True)) == dict.fromkeys(children, SIGUSR1)
    for child in children:
        assert_killed(cause_of(exits, child), sender)
    assert_only(cause_of(exits, parent), "exited")


def test_text_of_a_killing(stage: Stage) -> None:
    with recorded(why=True) as exits:
        victim, sender = stage.puppet(), stage.puppet()
        sender.kill(victim, SIGKILL)
        victim.wait()
    text = cause_of(exits, victim).text
    assert text.startswith(f"killed by deaths[{sender.pid}] (SIGKILL), run by ")


def test_the_arguments_of_a_sender_that_lives_for_a_moment(stage: Stage) -> None:
    with recorded(why=True) as exits:
        victim = stage.puppet()
        command = ["/bin/kill", "-TERM", str(victim.pid)]
        kill = subprocess.Popen(["kill", *command[1:]], executable=command[0])
        assert kill.wait() == 0
        assert victim.wait() == -SIGTERM
    sender = cause_of(exits, victim).sender
    assert sender
    assert (sender.pid, sender.ppid, sender.comm) == (kill.pid, os.getpid(), "kill")
    assert sender.args == ("kill", "-TERM", str(victim.pid))


def test_long_and_strange_arguments_of_a_sender(stage: Stage) -> None:
    with recorded(why=True) as exits:
        victim = stage.puppet()
        script = f"kill -TERM {victim.pid}"
        arguments = ["a\nb\x1b[2J", "", "é\udcff", "x" * 300]
        shell = subprocess.Popen(["sh", "-c", script, *arguments], executable="/bin/sh")
        assert shell.wait() == 0
        assert victim.wait() == -SIGTERM
    cause = cause_of(exits, victim)  # which also tells that its text is printable
    assert cause.sender
    assert cause.sender.args
    assert cause.sender.args[:6] == (
        "sh",
        "-c",
        script,
        arguments[0],
        "",
        "é\N{REPLACEMENT CHARACTER}",
    )
    assert set("".join(cause.sender.args[6:])) <= {"x"}


def test_another_user(stage: Stage) -> None:
    with recorded(why=True) as exits:
        victim, sender = stage.puppet(), stage.puppet()
        victim.ask("become", OTHER_USER)
        sender.ask("become", OTHER_USER)
        sender.kill(victim, SIGTERM)
        victim.wait()
    assert_killed(cause_of(exits, victim), sender, uid=OTHER_USER)


def test_a_user_namespace_does_not_change_the_user(stage: Stage) -> None:
    with recorded(why=True) as exits:
        victim, sender = stage.puppet(), stage.puppet()
        victim.ask("become", OTHER_USER)
        sender.ask("become", OTHER_USER)
        assert int(sender.ask("enter_user_namespace")) != OTHER_USER
        sender.kill(victim, SIGTERM)
        victim.wait()
    assert_killed(cause_of(exits, victim), sender, uid=OTHER_USER)


def test_a_sender_above_the_victim_s_pid_namespace(stage: Stage) -> None:
    with recorded(why=True) as exits:
        init, sender = stage.init(), stage.puppet()
        victim = stage.inside(init)
        sender.kill(victim, SIGTERM)
        victim.wait()
        sender.kill(init, SIGKILL)
        init.wait()
    assert_killed(cause_of(exits, victim), sender)
    assert_killed(cause_of(exits, init), sender)


@pytest.mark.parametrize("by_init", [True, False])
def test_a_sender_in_the_victim_s_pid_namespace(stage: Stage, by_init: bool) -> None:
    with recorded(why=True) as exits:
        init = stage.init()
        victim, other = stage.inside(init), stage.inside(init)
        sender = init if by_init else other
        sender.kill(victim.inner_pid, SIGTERM)
        victim.wait()
    assert 1 <= sender.inner_pid < 10 < sender.pid
    assert_killed(cause_of(exits, victim), sender)


def test_cgroup_kill_is_by_who_writes(stage: Stage) -> None:
    with recorded(why=True) as exits:
        group = stage.unified_cgroup()
        victims = [stage.puppet() for _ in range(5)]
        for victim in victims:
            victim.ask("put", group / "cgroup.procs", victim.pid)
        sender = stage.puppet()
        sender.ask("put", group / "cgroup.kill", 1)
        assert [victim.wait() for victim in victims] == [-SIGKILL] * 5
    for victim in victims:
        assert_killed(cause_of(exits, victim), sender, how=None)


def test_a_kill_from_outside_though_there_is_a_terminal(stage: Stage) -> None:
    master, slave = os.openpty()
    try:
        with recorded(why=True) as exits:
            victim, sender = stage.puppet(), stage.puppet()
            victim.ask("take_terminal", os.ttyname(slave))
            sender.kill(victim, SIGINT)
            victim.wait()
    finally:
        os.close(slave)
        os.close(master)
    assert_killed(cause_of(exits, victim), sender)


def test_a_forged_timer_is_none(stage: Stage) -> None:
    """Any process may send si_code SI_TIMER with rt_sigqueueinfo()."""
    with recorded(why=True) as exits:
        victim, sender = stage.puppet(), stage.puppet()
        sender.kill(victim, SIGTERM, "forged_timer")
        assert victim.wait() == -SIGTERM
    cause = cause_of(exits, victim)
    assert cause.kind in ("killed", "unknown")
    if cause.kind == "killed":
        assert_killed(cause, sender, how=None)


def test_a_signal_that_it_forges_for_itself_is_not_the_kernel_s(stage: Stage) -> None:
    with recorded(why=True) as exits:
        victim = stage.puppet()
        victim.die("signal_itself", "forged_kernel", SIGTERM.value)
        assert victim.wait() == -SIGTERM
    assert cause_of(exits, victim).kind in ("self", "unknown")


@pytest.mark.parametrize("way", ["raise", "kill", "tgkill", "sigqueue"])
@pytest.mark.parametrize("where", [[], ["in_thread"]])
def test_itself(stage: Stage, way: str, where: list[str]) -> None:
    with recorded(why=True) as exits:
        victim = stage.puppet()
        victim.die(*where, "signal_itself", way, int(SIGTERM))
    cause = cause_of(exits, victim)
    assert cause.kind == "self"
    assert not any((cause.address, cause.syscall, cause.limit, cause.tty, cause.oom))
    assert cause.si_code == {"kill": "SI_USER", "sigqueue": "SI_QUEUE"}.get(way, "SI_TKILL")


def test_a_signal_to_itself_in_a_pid_namespace(stage: Stage) -> None:
    with recorded(why=True) as exits:
        victim = stage.inside(stage.init())
        victim.die("signal_itself", "kill", int(SIGTERM))
    assert cause_of(exits, victim).kind == "self"


@pytest.mark.parametrize("where", [[], ["in_thread"]])
def test_abort(stage: Stage, where: list[str]) -> None:
    with recorded(why=True) as exits:
        plain, handled = stage.puppet(), stage.puppet()
        plain.die(*where, "abort")
        handled.ask("handle", int(SIGABRT))
        handled.die(*where, "abort")
    for victim in (plain, handled):
        assert victim.wait() == -SIGABRT
        assert cause_of(exits, victim).kind == "abort"


def test_evidence_from_before_the_trace_is_missing_not_guessed(stage: Stage) -> None:
    victim, sender = stage.puppet(), stage.puppet()
    victim.ask("block", int(SIGTERM))
    sender.kill(victim, SIGTERM)
    with recorded(why=True) as exits:
        victim.die("unblock", int(SIGTERM))
    assert_only(cause_of(exits, victim), "unknown")


def test_a_signal_that_a_debugger_makes_up_has_no_evidence(stage: Stage) -> None:
    need(os.geteuid() == 0, "ptrace of any process")
    with recorded(why=True) as exits:
        victim, debugger = stage.puppet(), stage.puppet()
        assert debugger.ask("inject", victim.pid, SIGTERM.value) == str(SIGTERM.value)
        assert victim.wait() == -SIGTERM
    assert_only(cause_of(exits, victim), "unknown")
