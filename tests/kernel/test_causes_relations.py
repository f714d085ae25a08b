"""What comes over a process from its terminal, its parent, its namespace or its tracer."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM, SIGUSR1

import pytest
from support.causes import assert_killed, assert_only, cause_of
from support.processes import Puppet, adopted
from support.stage import Stage
from support.supervisor import children_of
from support.truth import recorded

from exitsnoop import Cause


class Terminal:
    """A pseudo-terminal, and us as the one who types."""

    def __init__(self) -> None:
        self.master, self._slave = os.openpty()
        self.path = Path(os.ttyname(self._slave))
        self.name = str(self.path.relative_to("/dev"))

    def type(self, text: bytes) -> None:
        os.write(self.master, text)

    def hang_up(self) -> None:
        if self.master >= 0:
            os.close(self.master)
            os.close(self._slave)
        self.master = -1


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    terminal.hang_up()


def assert_by(cause: Cause, kind: str, who: Puppet) -> None:
    """This puppet did not send a signal, but its end was the reason."""
    assert_only(cause, kind, "sender")
    assert cause.sender
    assert (cause.sender.pid, cause.sender.comm) == (who.pid, "deaths")
    assert cause.sender.ppid == who.ppid


@pytest.mark.parametrize(
    ("key", "number", "text"),
    [(b"\x03", SIGINT, "ctrl-c on {}"), (b"\x1c", SIGQUIT, "ctrl-\\ on {}")],
)
def test_keys(stage: Stage, terminal: Terminal, key: bytes, number: int, text: str) -> None:
    with recorded(why=True) as exits:
        leader = stage.puppet()
        leader.ask("take_terminal", terminal.path)
        child = int(leader.ask("spawn", 1))
        leader.ask("handle", int(number))  # its end would bring the child a SIGHUP
        terminal.type(key)
        assert leader.ask("reap", 1) == f"{child} {number:d}"
        leader.ask("default", int(number))
        terminal.type(key)
        assert leader.wait() == -number
    for pid, *more in ((leader, "after"), (child,)):
        cause = cause_of(exits, pid)
        assert_only(cause, "terminal", "tty", *more)
        assert cause.tty == terminal.name
        assert cause.text.startswith(text.format(terminal.name))
    after = cause_of(exits, leader).after
    assert after
    assert (after.signal, after.kind, after.tty) == (number, "terminal", terminal.name)


def test_a_terminal_that_goes_away(stage: Stage, terminal: Terminal) -> None:
    with recorded(why=True) as exits:
        leader = stage.puppet()
        leader.ask("take_terminal", terminal.path)
        terminal.hang_up()
        assert leader.wait() == -SIGHUP
    cause = cause_of(exits, leader)
    assert cause.kind == "hangup"
    assert cause.sender is None
    assert cause.tty in (None, terminal.name)


def test_a_session_that_goes_away(stage: Stage, terminal: Terminal) -> None:
    """Its leader ends: the foreground group of the terminal is hung up on."""
    with recorded(why=True) as exits:
        leader = stage.puppet()
        leader.ask("take_terminal", terminal.path)
        children = [int(pid) for pid in leader.ask("spawn", 3).split()]
        leader.die("exit", 0)
        assert [adopted(child) for child in children] == [SIGHUP] * 3
    for child in children:
        cause = cause_of(exits, child)
        assert cause.kind == "hangup"
        assert cause.tty in (None, terminal.name)


def test_a_stopped_group_that_nobody_can_continue(stage: Stage) -> None:
    """The kernel sends SIGHUP and SIGCONT as the last parent in the session ends."""
    with recorded(why=True) as exits:
        parent = stage.puppet()
        parent.ask("new_session")
        child = int(parent.ask("stopped_child"))
        parent.die("exit", 0)
        assert adopted(child) == SIGHUP
    cause = cause_of(exits, child)
    assert (cause.kind, cause.tty) == ("hangup", None)
    assert cause.sender
    assert cause.sender.pid == parent.pid
    assert re.match(r"left stopped, as .* ended and nobody else would continue it ", cause.text)


@pytest.mark.parametrize("number", [SIGTERM, SIGKILL, SIGHUP, SIGUSR1])
def test_death_of_the_parent(stage: Stage, number: int) -> None:
    with recorded(why=True) as exits:
        parent = stage.puppet()
        child, told_parent = map(int, parent.ask("child", "die_with_parent", int(number)).split())
        assert told_parent == parent.pid
        parent.die("exit", 0)
        assert adopted(child) == number
    cause = cause_of(exits, child)
    assert_by(cause, "parent_death", parent)
    assert cause.text == f"parent deaths[{parent.pid}] died (PDEATHSIG)"


def test_death_of_the_thread_that_is_the_parent(stage: Stage) -> None:
    """PDEATHSIG is of the thread that forked; the process may live on."""
    with recorded(why=True) as exits:
        parent = stage.puppet()
        child = int(parent.ask("child_of_thread", "die_with_parent", SIGTERM.value))
        assert parent.ask("reap", 1) == f"{child} {SIGTERM.value}"
    cause = cause_of(exits, child)
    assert_by(cause, "parent_death", parent)
    assert cause.sender
    assert cause.sender.tid not in (None, parent.pid)
    assert cause.text == (
        f"thread {cause.sender.tid} of parent deaths[{parent.pid}] ended (PDEATHSIG)"
    )


@pytest.mark.parametrize(("how", "number"), [("restart", SIGHUP), ("power_off", SIGINT)])
def test_reboot_in_a_namespace(stage: Stage, how: str, number: int) -> None:
    """The status is not that of the SIGKILL which ends its init, but the one waitpid gives."""
    with recorded(why=True) as exits:
        init = stage.init()
        inside, other = stage.inside(init), stage.inside(init)
        inside.tell("reboot", how)
        for puppet in (init, inside, other):
            puppet.wait()
    (record,) = [record for record in exits if record.pid == init.pid]
    assert init.process.returncode in (-number, 128 + number)  # unshare ends as its child did
    assert record.status == number
    cause = cause_of(exits, init.pid)
    assert_only(cause, "namespace", "sender")
    assert cause.sender
    assert cause.sender.pid == inside.pid
    assert_by(cause_of(exits, other.pid), "namespace", init)


def test_the_same_signal_sent_by_another_is_no_death_of_the_parent(stage: Stage) -> None:
    with recorded(why=True) as exits:
        parent, sender = stage.puppet(), stage.puppet()
        child = int(parent.ask("child", "die_with_parent", SIGTERM.value).split()[0])
        sender.kill(child, SIGTERM)
        assert parent.ask("reap", 1) == f"{child} {SIGTERM.value}"
    assert_killed(cause_of(exits, child), sender)


@pytest.mark.parametrize("asks_to", [False, True])
def test_an_init_that_has_no_handler(stage: Stage, asks_to: bool) -> None:
    """The kernel drops the signal, unlike that of another process: the program never chose to."""
    with recorded(why=True) as exits:
        init, sender = stage.init(), stage.puppet()
        if asks_to:
            init.ask("ignore", SIGTERM.value)
        sender.kill(init, SIGTERM)
        sender.kill(init, SIGKILL)
        init.wait()
    cause = cause_of(exits, init)
    assert cause.after
    told, handled = "which an init without a handler ignores", "init without handler"
    if asks_to:
        told, handled = "which it ignored", "ignored"
    assert (cause.after.signal, cause.after.handled) == (SIGTERM, handled)
    assert cause.text.endswith(f" after SIGTERM from the same, {told}")


@pytest.mark.parametrize("by_kill", [False, True])
def test_death_of_the_namespace_s_init(stage: Stage, by_kill: bool) -> None:
    with recorded(why=True) as exits:
        init, killer = stage.init(), stage.puppet()
        nephew = stage.inside(init)
        init.ask("spawn", 5)
        children = children_of(init.pid)
        if by_kill:
            killer.kill(init, SIGKILL)
            init.wait()
        else:
            init.die("exit", 0)
        nephew.wait()
    assert len(children) == 5
    for pid in [*children, nephew.pid]:
        assert_by(cause_of(exits, pid), "namespace", init)
    if by_kill:
        assert_killed(cause_of(exits, init), killer)
    else:
        assert_only(cause_of(exits, init), "exited")


def test_a_child_of_init_killed_by_init_is_killed(stage: Stage) -> None:
    with recorded(why=True) as exits:
        init = stage.init()
        victim = stage.inside(init)
        init.kill(victim.inner_pid, SIGKILL)
        victim.wait()
    assert_killed(cause_of(exits, victim), init)


@pytest.mark.parametrize("by_kill", [False, True])
def test_death_of_the_tracer(stage: Stage, by_kill: bool) -> None:
    with recorded(why=True) as exits:
        victim, tracer, killer = (stage.puppet() for _ in range(3))
        tracer.ask("trace_until_end", victim.pid)
        if by_kill:
            killer.kill(tracer, SIGKILL)
        else:
            tracer.die("exit", 0)
        assert victim.wait() == -SIGKILL
        tracer.wait()
    assert_by(cause_of(exits, victim), "tracer", tracer)


def test_a_tracer_that_kills_is_a_sender(stage: Stage) -> None:
    with recorded(why=True) as exits:
        victim, tracer = stage.puppet(), stage.puppet()
        tracer.ask("trace_until_end", victim.pid)
        tracer.kill(victim, SIGKILL)
        tracer.die("exit", 0)  # until then the victim is the tracer's to wait for
        assert victim.wait() == -SIGKILL
    assert_killed(cause_of(exits, victim), tracer)
