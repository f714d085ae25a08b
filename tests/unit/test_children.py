"""Which end a process passed on: no kernel."""

import pytest

from exitsnoop.model.cause import Cause, Sender
from exitsnoop.tracing.children import Children

SECOND_NS = 1_000_000_000
KILLED = Cause("killed", "killed by kill[9] (SIGKILL)")


def exited(code: int) -> Cause:
    return Cause("exited", f"exit {code}")


@pytest.mark.parametrize(
    ("child", "cause", "seconds", "text"),
    [
        ((127 << 8, "ls"), exited(127), 0.1, "exit 127, as its child ls[7]"),
        ((127 << 8, "ls -l"), exited(127), 0.1, "exit 127, as its child 'ls -l'[7]"),
        ((127 << 8, "sh"), exited(127), 0.1, "exit 127"),
        ((127 << 8, "ls"), exited(127), 1.1, "exit 127"),
        ((126 << 8, "ls"), exited(127), 0.1, "exit 127"),
        ((137 << 8, "ls"), exited(137), 0.1, "exit 137, as its child ls[7]"),
        ((9, "ls"), exited(137), 0.1, "exit 137, as SIGKILL ended its child ls[7]"),
        ((9, "sh"), exited(137), 0.1, "exit 137, as SIGKILL ended its child sh[7]"),
        ((9 | 0x80, "ls"), exited(137), 0.1, "exit 137, as SIGKILL ended its child ls[7]"),
        ((9, "ls"), exited(143), 0.1, "exit 143"),
        ((9, "ls"), exited(247), 0.1, "exit 247, as SIGKILL ended its child ls[7]"),
        ((9, "ls"), exited(246), 0.1, "exit 246"),
        ((11, "ls"), exited(2), 0.1, "exit 2, after SIGSEGV had ended its child ls[7]"),
        ((11, "ls"), exited(2), 1.1, "exit 2"),
        ((11, "ls"), exited(0), 0.1, "exit 0"),
        ((15, "ls"), exited(2), 0.1, "exit 2"),
        ((3 << 8, "ls"), exited(3), 0.1, "exit 3"),
        (
            (9, "ls"),
            Cause("self", "sent itself SIGKILL"),
            0.1,
            "sent itself SIGKILL, which had ended its child ls[7]",
        ),
        ((15, "ls"), Cause("self", "sent itself SIGKILL"), 0.1, "sent itself SIGKILL"),
        ((9, "ls"), KILLED, 0.1, KILLED.text),
    ],
)
def test_what_a_child_has_to_do_with_it(
    child: tuple[int, str], cause: Cause, seconds: float, text: str
) -> None:
    children = Children()
    assert children.passed_on(KILLED, *child, pid=7, ppid=5, boot_ns=SECOND_NS) == KILLED
    status = int(cause.text.split()[1]) << 8 if cause.kind == "exited" else 9
    ended = SECOND_NS + round(seconds * SECOND_NS)
    told = children.passed_on(cause, status, "sh", pid=5, ppid=1, boot_ns=ended)
    assert told == cause._replace(text=text)
    again = children.passed_on(cause, status, "sh", pid=5, ppid=1, boot_ns=ended)
    assert again == cause  # another process with that PID


def test_a_subshell_passes_it_on() -> None:
    children = Children()
    children.passed_on(exited(127), 127 << 8, "ls", pid=7, ppid=5, boot_ns=1)
    children.passed_on(exited(127), 127 << 8, "sh", pid=5, ppid=3, boot_ns=2)
    told = children.passed_on(exited(127), 127 << 8, "sh", pid=3, ppid=1, boot_ns=3)
    assert told.text == "exit 127, as its child sh[5]"


@pytest.mark.parametrize(
    ("sender", "meant_for", "rest"),
    [
        (5, "process group", ""),
        (5, "process", ", which had ended its child ls[7]"),
        (9, "process group", ", which had ended its child ls[7]"),
    ],
)
def test_a_process_that_ends_with_its_group_passes_nothing_on(
    sender: int, meant_for: str, rest: str
) -> None:
    children = Children()
    killed = KILLED._replace(sender=Sender(sender, sender, "sh", 0)._replace(meant_for=meant_for))
    children.passed_on(killed, 9, "ls", pid=7, ppid=5, boot_ns=1)
    itself = Cause("self", "sent itself SIGKILL")
    told = children.passed_on(itself, 9, "sh", pid=5, ppid=1, boot_ns=2)
    assert told.text == f"{itself.text}{rest}"


def test_a_process_that_killed_its_child_did_not_fail_after_it() -> None:
    children = Children()
    killed = KILLED._replace(sender=Sender(5, 1, "sh", 0))
    children.passed_on(killed, 9, "ls", pid=7, ppid=5, boot_ns=1)
    told = children.passed_on(exited(1), 1 << 8, "sh", pid=5, ppid=1, boot_ns=2)
    assert told.text == "exit 1"


@pytest.mark.parametrize(
    ("ends", "code", "text"),
    [
        ([3 << 8, 11], 123, "exit 123, as its child sh[7] exited with 3"),
        ([9, 3 << 8], 123, "exit 123, as its child sh[8] exited with 3"),
        ([255 << 8], 124, "exit 124, as its child sh[7] exited with 255"),
        ([254 << 8], 124, "exit 124"),
        ([9], 125, "exit 125, as SIGKILL ended its child sh[7]"),
        ([], 125, "exit 125"),
        ([9], 1, "exit 1"),
    ],
)
def test_codes_of_xargs(ends: list[int], code: int, text: str) -> None:
    """Each says how some child ended, maybe long ago."""
    children = Children()
    for pid, status in enumerate(ends, start=7):
        children.passed_on(KILLED, status, "sh", pid=pid, ppid=5, boot_ns=1)
    late = 60 * SECOND_NS
    told = children.passed_on(exited(code), code << 8, "xargs", pid=5, ppid=1, boot_ns=late)
    assert told.text == text


@pytest.mark.parametrize(
    ("starter", "code", "text"),
    [
        ("flock", 33, "exit 33, as its child sh[7]"),
        ("flock", 34, "exit 34"),
        ("sh", 33, "exit 33"),
    ],
)
def test_a_program_that_only_starts_another(starter: str, code: int, text: str) -> None:
    """A shell's commands are many; it need not have ended for one of them."""
    children = Children()
    children.passed_on(exited(33), 33 << 8, "sh", pid=7, ppid=5, boot_ns=1)
    told = children.passed_on(exited(code), code << 8, starter, pid=5, ppid=1, boot_ns=2)
    assert told.text == text


def test_many_children_are_forgotten() -> None:
    children = Children()
    for ppid in range(1, 3000):
        children.passed_on(KILLED, 9, "ls", pid=7, ppid=ppid, boot_ns=1)
    assert children.passed_on(exited(137), 137 << 8, "sh", pid=1, ppid=0, boot_ns=2).text == (
        "exit 137"
    )
    told = children.passed_on(exited(137), 137 << 8, "sh", pid=2999, ppid=0, boot_ns=2)
    assert told.text == "exit 137, as SIGKILL ended its child ls[7]"
