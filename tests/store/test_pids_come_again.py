"""What `exitsnoop why` says where a PID had several processes within seconds."""

from typing import Any

import pytest
from support.flight import Answers
from support.recorded import death, record_deaths

from exitsnoop.model.cause import After, Cause, Sender

MASTER = ("python3", "-c", "x" * 200)
SEEN = ("python3", "-c", "x" * 116)  # the kernel gives 128 bytes


def by(sender: Sender) -> dict[str, Any]:
    """How a death by a sender is recorded."""
    return {"signal": 9, "cause": Cause("killed", "killed", sender, "kill"), "ppid": sender.pid}


def others(first: float, last: float, count: int = 20) -> list[Any]:
    """Processes of a storm that had the PID 50, one after the other."""
    step = (last - first) / count
    return [
        death(first + nth * step, 50, age=step / 2, comm="storm", args=("storm", str(nth)))
        for nth in range(1, count + 1)
    ]


def test_the_arguments_of_a_sender_are_its_own(answers: Answers) -> None:
    """A sender's own exit has all of them: not that of a process which had its PID before."""
    sender = Sender(50, 40, "python3", 0, SEEN, args_truncated=True)
    record_deaths(
        answers.store,
        [
            *others(1, 30),
            death(40, 7, comm="worker", **by(sender)),
            death(41, 50, age=9, comm="python3", args=MASTER, exit_code=3),
            *others(42, 50),
        ],
    )
    killer = answers.record(7)["killer"]
    assert (killer["args"], killer["exit"]["exit_code"]) == ([*MASTER], 3)


def test_a_sender_that_ended_first_is_known_by_what_was_seen_of_it(answers: Answers) -> None:
    """The process that it killed took its time; another one had its PID when that had ended."""
    sender = Sender(50, 40, "python3", 0, SEEN, args_truncated=True)
    record_deaths(
        answers.store,
        [
            *others(1, 30),
            death(39, 50, age=5, comm="python3", args=MASTER, exit_code=3),
            death(40, 7, comm="worker", **by(sender)),
            death(41, 50, age=1.5, comm="storm", args=("storm", "late")),
        ],
    )
    killer = answers.record(7)["killer"]
    assert (killer["args"], killer["exit"]["exit_code"]) == ([*MASTER], 3)


def test_another_process_is_not_taken_for_the_sender(answers: Answers) -> None:
    """It lives on, so its exit is not there: nothing is made up from what had the PID before."""
    sender = Sender(50, 40, "python3", 0, SEEN, args_truncated=True)
    record_deaths(answers.store, [*others(1, 39.9), death(40, 7, comm="worker", **by(sender))])
    killer = answers.record(7)["killer"]
    assert (killer["args"], killer["exit"]) == ([*SEEN], None)


def test_the_sender_of_a_signal_that_came_before(answers: Answers) -> None:
    """Who had its PID when the signal was sent counts, not who had it at the end."""
    sender = Sender(50, 40, "sh", 0, ("sh", "-c", "stop"))
    after = After(15, "SIGTERM", 8, "killed", "handled", sender)
    cause = Cause("exited", "exit 1", after=after)
    stop = death(35, 50, age=9, comm="sh", args=("sh", "-c", "stop"), exit_code=4)
    later = death(41, 50, age=4, comm="sh", args=("sh", "-c", "another"), exit_code=5)
    record_deaths(
        answers.store, [stop, death(40, 7, comm="worker", exit_code=1, cause=cause), later]
    )
    assert answers.record(7)["killer"]["exit"]["exit_code"] == 4


@pytest.mark.parametrize(
    ("count", "told"), [(20, "20"), (21, "More than 20"), (40, "More than 20")]
)
def test_a_process_that_failed_is_named_among_those_with_its_pid(
    answers: Answers, count: int, told: str
) -> None:
    """More have come since than are looked up."""
    record_deaths(answers.store, [death(1, 50, comm="web", signal=9), *others(2, 90, count)])
    words = " ".join(answers.ask(50).split())
    assert words.startswith("storm[50] exited with code 0")
    assert f" {told} other ones had the same PID before: web, " in words
    assert ": signal 9 (KILL); storm, " in words


def test_every_death_fits_on_the_screen(answers: Answers) -> None:
    cause = Cause("self", "sent itself SIGTERM " + "and more " * 20)
    record_deaths(answers.store, [death(at, 50 + at, signal=15, cause=cause) for at in (1, 2)])
    text = answers.ask("sh", "--all")
    assert text.count("and more") >= 40
    assert max(map(len, text.splitlines())) <= 80


def test_who_ends_itself_with_its_child(answers: Answers) -> None:
    """`timeout -s KILL` sends the signal to its child, and to its process group."""
    itself = Cause("self", "sent itself SIGKILL")
    record_deaths(
        answers.store,
        [
            death(10, 50, age=5, comm="timeout", ppid=40, signal=9, cause=itself),
            death(10.001, 7, age=5, comm="sleep", **by(Sender(50, 40, "timeout", 0))),
            death(10.002, 8, age=5, comm="other", signal=9, cause=itself),
        ],
    )
    for asked in ("timeout", "sleep"):
        told = answers.record(asked)
        linked = [(one["comm"], one["relation"]) for one in told["cascade"]]
        assert linked == [("timeout", "first"), ("sleep", "same_sender")]
        words = " ".join(answers.ask(asked).split())
        assert "The same timeout[50] killed them, and itself with them." in words
