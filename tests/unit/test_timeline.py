"""Time lines of trees that are made up, whose answers are known."""

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.builds import BUILD, Life, ended, grown, line
from support.recorded import FUZZ

from exitsnoop.model.cause import Cause, Sender
from exitsnoop.reports.timeline import told as told_of
from exitsnoop.reports.timeline.critical import Step, critical_path, own_times
from exitsnoop.reports.timeline.gathering import Gathering
from exitsnoop.reports.timeline.timeline import failed_with
from exitsnoop.reports.timeline.tree import Process, Tree, tree


def by_pid(found: Tree) -> dict[int, Process]:
    return {one.pid: one for one in found.ended}


def told(top: Process, steps: Iterable[Step]) -> list[tuple[str, float, float]]:
    return [
        (
            step.process.comm or "",
            (step.from_ns - top.begin_ns) / 1e9,
            (step.to_ns - top.begin_ns) / 1e9,
        )
        for step in steps
    ]


def test_the_critical_path_of_a_build() -> None:
    """Back from the end: the linker, the compiler that ended last before it, what is below."""
    top = by_pid(grown(BUILD))[10]
    steps = critical_path(top)
    assert told(top, steps) == [
        ("make", 0, 0.5),
        ("cc", 0.5, 1),
        ("cc1", 1, 5.5),
        ("cc", 5.5, 6),
        ("make", 6, 6.5),
        ("ld", 6.5, 9),
        ("make", 9, 10),
    ]
    assert {name: ns / 1e9 for name, ns in own_times(steps).items()} == {
        "cc1": 4.5,
        "ld": 2.5,
        "make": 2.0,
        "cc": 1.0,
    }


def test_what_ran_beside_is_not_on_it() -> None:
    """A child that still ran when the next one on the path began was not waited for."""
    lives = [
        (10, 1, 0, 10, "make"),
        (11, 10, 1, 9.5, "slow"),
        (12, 10, 1, 4, "a"),
        (13, 10, 4, 9.8, "b"),
    ]
    top = by_pid(grown(lives))[10]
    assert [name for name, *_ in told(top, critical_path(top))] == ["make", "a", "b", "make"]


def test_a_process_without_children_is_its_own_path() -> None:
    top = by_pid(grown([(10, 1, 0, 3, "sleep")]))[10]
    assert told(top, critical_path(top)) == [("sleep", 0, 3)]


def test_a_deep_chain() -> None:
    """As deep as an attacker likes: it takes no recursion."""
    lives = [(10 + n, 9 + n, n / 1e4, 20 - n / 1e4, "sh") for n in range(20_000)]
    found = grown(lives)
    top = found.ended[0]
    assert found.largest() is top
    assert sum(step.took_ns for step in critical_path(top)) == top.lived_ns


@st.composite
def forests(draw: st.DrawFn) -> list[Life]:
    """A tree in which each child lives within its parent."""
    lives: list[Life] = [(10, 1, 0, 1000, "p0")]
    for pid in range(11, 11 + draw(st.integers(0, 30))):
        above = draw(st.sampled_from(lives))
        begin = draw(st.integers(int(above[2]), int(above[3])))
        end = draw(st.integers(begin, int(above[3])))
        lives.append((pid, above[0], begin, end, f"p{pid}"))
    return lives


@FUZZ
@given(lives=forests())
def test_the_path_has_no_break(lives: list[Life]) -> None:
    """It reaches from the start to the end; each step is while its process lived."""
    top = next(one for one in grown(lives).ended if one.pid == 10)
    steps = critical_path(top)
    assert (steps[0].from_ns, steps[-1].to_ns) == (top.begin_ns, top.end_ns)
    assert all(one.to_ns == other.from_ns for one, other in pairwise(steps))
    for step in steps:
        assert step.process.begin_ns <= step.from_ns < step.to_ns <= step.process.end_ns


def test_a_pid_that_comes_again() -> None:
    """A parent had the PID when the child started, whatever had it before or after."""
    lives = [
        (10, 1, 0, 2, "first"),
        (10, 1, 3, 6, "second"),
        (10, 1, 7, 9, "third"),
        (20, 10, 1, 1.5, "of first"),
        (20, 10, 4, 5, "of second"),
        (21, 10, 8, 8.5, "of third"),
        (22, 10, 2.5, 2.7, "of another"),
    ]
    found = grown(lives)
    above = {one.comm: one.above for one in found.ended}
    for child in ("of first", "of second", "of third"):
        parent = above[child]
        assert parent is not None
        assert parent.comm == child.removeprefix("of ")
    other = above["of another"]
    assert other in found.others
    assert other is not None
    assert other.exit is None


def test_boots_are_apart() -> None:
    one, other = ended([(10, 1, 0, 2, "old")]), ended([(11, 10, 1, 2, "new")])
    found = tree([*(("a", exit_) for exit_ in one), *(("b", exit_) for exit_ in other)])
    (new,) = (one for one in found.ended if one.comm == "new")
    assert new.above is not None
    assert new.above.exit is None


def test_parents_that_did_not_end() -> None:
    """They are known by their children, each once, and not if they are not to be shown."""
    lives = [(20, 7, 1, 2, "a"), (21, 7, 3, 4, "b"), (22, 8, 3, 4, "c"), (23, 0, 3, 4, "kernel's")]
    found = tree([("", one) for one in ended(lives, parent_comm=["bash"] * 4)], without=[8])
    (only,) = found.others
    assert (only.pid, only.comm, [one.pid for one in only.below]) == (7, "bash", [20, 21])
    assert (only.end_ns - only.begin_ns) / 1e9 == 3
    pids = by_pid(found)
    assert pids[22].above is None
    assert pids[23].above is None


def test_killers() -> None:
    """Who sent the signal: also who had ended by then, or did not end; not who had its PID then."""
    lives = [
        *((10, 1, 0, 3, "kill"), (10, 1, 5, 9, "other")),
        *((30, 1, 0, 4, "victim"), (31, 1, 0, 8, "of a daemon"), (32, 1, 6, 8, "of other")),
    ]
    senders = [None, None, (10, "kill"), (900, "daemon"), (10, "other")]
    causes = [
        sender and Cause("killed", "killed", Sender(sender[0], 1, sender[1], 0), "kill")
        for sender in senders
    ]
    status = [0, 0, 9, 9, 9]
    found = grown(lives, cause=causes, status=status)
    killers = {one.comm: one.killer for one in found.ended}
    assert {name: killer and killer.comm for name, killer in killers.items()} == {
        "kill": None,
        "other": None,
        "victim": "kill",
        "of a daemon": "daemon",
        "of other": "other",
    }
    daemon = killers["of a daemon"]
    assert daemon is not None
    assert daemon.exit is None


def test_what_failed_first() -> None:
    """A parent that failed after its child is named with it."""
    of = line(ended(BUILD, status=[512, 256, 256, 0, 0]))
    (only,) = of.failures
    assert only.comm == "cc1"
    assert [one.comm for one in failed_with(only)] == ["cc", "make"]
    assert of.counts.failed == 3


def test_the_command_is_the_top() -> None:
    assert line(ended(BUILD), command=11).top is not None
    assert getattr(line(ended(BUILD), command=11).top, "comm", "") == "cc"
    assert getattr(line(ended(BUILD), command=None).top, "comm", "") == "make"
    assert line(ended([])).top is None


@pytest.mark.parametrize("count", [100, 1000])
def test_too_many(count: int) -> None:
    """The shortest that ended well are counted only; failures and long lives stay."""
    lives = [(100 + n, 10, 1, 2 + n / count, "job") for n in range(count)]
    status = [256 if n < 5 else 0 for n in range(count)]
    counts = Gathering(most=40)
    for at in range(0, count, 50):
        counts.add(ended(lives[at : at + 50], status=status[at : at + 50]))
    kept = [one for _, one in counts.kept()]
    assert (counts.ended, counts.failed, len(kept)) == (count, 5, 40)
    assert counts.left_out == count - 40
    assert sum(bool(one.status) for one in kept) == 5
    well = sorted(one.pid for one in kept if not one.status)
    assert well == [*range(100 + count - 35, 100 + count)]
    assert counts.shorter_s <= min(one.age for one in kept if not one.status)


def test_names_forge_no_sentence() -> None:
    """A name that looks like a part of the sentence is one word of it."""
    of = line(ended([(10, 1, 0, 9, "make"), (11, 10, 1, 8, "a 9 s (90 %), b\n")]))
    text = told_of.critical(of)
    assert text is not None
    assert r"a\ 9\ s\ (90\ %),\ b\n 7.00 s (78 %), make" in text
    assert told_of.critical(line(ended([(10, 1, 0, 9, "make")]))) is None
