"""Several requests before a SIGKILL, and what was stopped until it came."""

import re
from signal import SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGSTOP, SIGTERM, SIGTSTP, SIGUSR1

import pytest
from support.causes import assert_killed, cause_of
from support.processes import Puppet
from support.stage import Stage
from support.truth import recorded
from support.waiting import until

from exitsnoop.host.processes import stat


def stop(supervisor: Puppet, victim: Puppet, number: int = SIGSTOP) -> None:
    supervisor.kill(victim, number)
    until(lambda: stat(victim.pid)[0] == b"T")


@pytest.mark.parametrize(
    ("sent", "told", "earlier"),
    [
        ([SIGINT, SIGTERM], "SIGTERM from the same (SIGINT came first)", ("SIGINT",)),
        (
            [SIGHUP, SIGINT, SIGTERM],
            "SIGTERM from the same (SIGHUP and SIGINT came first)",
            ("SIGHUP", "SIGINT"),
        ),
        (
            [SIGINT, SIGTERM, SIGINT, SIGTERM, SIGHUP],
            "SIGHUP from the same (SIGINT and SIGTERM came first)",
            ("SIGINT", "SIGTERM"),
        ),
        ([SIGTERM, SIGTERM], "SIGTERM from the same", None),
    ],
)
def test_requests_before_a_kill(
    stage: Stage, sent: list[int], told: str, earlier: tuple[str, ...] | None
) -> None:
    with recorded(why=True) as exits:
        victim, supervisor = stage.puppet(), stage.puppet()
        for number in set(sent):
            victim.ask("handle", int(number))
        for number in sent:
            supervisor.kill(victim, number)
            victim.ask("default", int(SIGUSR1))  # it has handled it
        supervisor.kill(victim, SIGKILL)
        assert victim.wait() == -SIGKILL
    cause = cause_of(exits, victim)
    assert_killed(cause, supervisor)
    assert cause.after
    assert (cause.after.signal, cause.after.earlier) == (sent[-1], earlier)
    assert cause.text.endswith(f" after {told}")


@pytest.mark.parametrize("number", [SIGSTOP, SIGTSTP])
def test_a_kill_of_what_was_stopped(stage: Stage, number: int) -> None:
    """A second SIGSTOP changes nothing."""
    with recorded(why=True) as exits:
        victim, supervisor, other = stage.puppet(), stage.puppet(), stage.puppet()
        stop(supervisor, victim, number)
        other.kill(victim, SIGSTOP)
        supervisor.kill(victim, SIGKILL)
        assert victim.wait() == -SIGKILL
    cause = cause_of(exits, victim)
    assert_killed(cause, supervisor)
    after = cause.after
    assert after
    assert (after.signal, after.handled, after.kind) == (number, "stopping", "killed")
    assert after.sender
    assert after.sender.pid == supervisor.pid
    told = f" after {after.signal_name} from the same, which had stopped it"
    assert re.fullmatch(rf"killed by .*, \S+ (us|ms|s){re.escape(told)}", cause.text)


def test_a_kill_of_what_had_handled_a_request_and_was_stopped(stage: Stage) -> None:
    with recorded(why=True) as exits:
        victim, supervisor = stage.puppet(), stage.puppet()
        victim.ask("handle", int(SIGTERM))
        supervisor.kill(victim, SIGTERM)
        victim.ask("default", int(SIGUSR1))
        stop(supervisor, victim)
        supervisor.kill(victim, SIGKILL)
        assert victim.wait() == -SIGKILL
    text = cause_of(exits, victim).text
    assert text.endswith(" after SIGSTOP from the same, which had stopped it (SIGTERM came first)")


def test_a_kill_of_what_went_on(stage: Stage) -> None:
    with recorded(why=True) as exits:
        victim, supervisor = stage.puppet(), stage.puppet()
        stop(supervisor, victim)
        supervisor.kill(victim, SIGCONT)
        victim.ask("default", int(SIGTERM))
        supervisor.kill(victim, SIGKILL)
        assert victim.wait() == -SIGKILL
    cause = cause_of(exits, victim)
    assert_killed(cause, supervisor)
    assert cause.after is None


def test_what_was_stopped_and_ended_otherwise(stage: Stage) -> None:
    with recorded(why=True) as exits:
        victim, supervisor = stage.puppet(), stage.puppet()
        stop(supervisor, victim)
        supervisor.kill(victim, SIGCONT)
        victim.die("exit", 3)
        assert victim.wait() == 3
    assert cause_of(exits, victim).after is None
