"""Which deaths hang together, and which of them was the first: over made exits."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.recorded import FUZZ

from exitsnoop import Exit
from exitsnoop.model.cause import After, Cause, CauseKind, Oom, Sender
from exitsnoop.reports.cascade import WINDOW_NS, Near, beside, cascade, key
from exitsnoop.reports.company import together
from exitsnoop.testing import make_exit

MS = 1_000_000
START = 10_000_000 * MS
KILL, SEGV, HUP, INT, TERM = 9, 11, 1, 2, 15


def death(pid: int, at_ms: float, *, ppid: int = 500, age: float = 100, **more: Any) -> Exit:
    """A death of a worker, so many milliseconds after the start."""
    more = {"exe": "/usr/bin/worker", "comm": "worker", **more}
    return make_exit(pid=pid, ppid=ppid, age=age, boot_ns=START + round(at_ms * MS), **more)


def killed(pid: int, at_ms: float, by: int, *, comm: str = "pkill", **more: Any) -> Exit:
    cause = Cause("killed", "killed", Sender(by, 1, comm, 0), "kill")
    return death(pid, at_ms, signal=KILL, cause=cause, **more)


def related(pid: int, at_ms: float, kind: CauseKind, to: int, **more: Any) -> Exit:
    """A death that the end of another process caused."""
    cause = Cause(kind, kind, Sender(to, 1, "boss", 0))
    return death(pid, at_ms, signal=KILL, cause=cause, **more)


def out_of_memory(pid: int, at_ms: float, cgroup: str | None, **more: Any) -> Exit:
    oom = Oom(1, 2, 3, cgroup, 1 << 20, Sender(7, 1, "x", 0))
    return death(pid, at_ms, signal=KILL, cause=Cause("oom", "oom", oom=oom), **more)


def at_terminal(pid: int, at_ms: float, tty: str, **more: Any) -> Exit:
    return death(pid, at_ms, signal=INT, cause=Cause("terminal", "ctrl-c", tty=tty), **more)


def links(of: Exit, *others: Exit) -> list[tuple[int, str, int | None]]:
    """The cascade of a death, among others: each PID, its relation, and the PID of the earlier."""
    found = cascade(of, Near([of, *others]))
    return [(one.exit.pid, one.relation, one.to.pid if one.to else None) for one in found]


def test_what_one_process_killed_hangs_together() -> None:
    first, second, third = killed(1, 0, by=9), killed(2, 3, by=9), killed(3, 900, by=9)
    expected = [(1, "first", None), (2, "same_sender", 1), (3, "same_sender", 1)]
    for one in (first, second, third):
        assert links(one, first, second, third) == expected


@pytest.mark.parametrize(
    "other",
    [
        killed(2, 3, by=8),
        killed(2, 3, by=9, comm="bash"),
        killed(2, WINDOW_NS / MS + 1, by=9),
        killed(2, 3, by=9, age=0.001),  # it was started afterwards
        death(2, 3, signal=SEGV, ppid=501),
        death(2, 3, exit_code=1, ppid=501),
    ],
)
def test_what_is_only_near_in_time_does_not(other: Exit) -> None:
    of = killed(1, 0, by=9)
    assert links(of, other) == []
    found = beside(of, Near([of, other]), [], 5000 * MS)
    assert [one.pid for one in found] == ([2] if other.boot_ns - of.boot_ns <= 5000 * MS else [])


def test_init_kills_what_has_nothing_to_do_with_each_other() -> None:
    of = killed(1, 0, by=1, cgroup="/system.slice/a.service")
    same = killed(2, 5, by=1, cgroup="/system.slice/a.service")
    other = killed(3, 5, by=1, cgroup="/system.slice/b.service")
    assert links(of, same, other) == [(1, "first", None), (2, "same_sender", 1)]


@pytest.mark.parametrize("kind", ["parent_death", "namespace", "tracer"])
def test_what_ends_with_another(kind: CauseKind) -> None:
    boss = death(40, 0, signal=SEGV)
    followers = [related(pid, pid, kind, to=40) for pid in (41, 42)]
    expected = [(40, "first", None), (41, kind, 40), (42, kind, 40)]
    assert links(followers[1], boss, *followers) == expected
    assert links(boss, *followers) == expected
    assert links(followers[0]) == []
    later = death(40, 2000, signal=SEGV)  # the PID was used again
    assert links(followers[0], later) == []


def test_a_parent_that_kills_the_others_when_one_fails() -> None:
    first = death(1, 0, signal=SEGV)
    others = [killed(pid, pid, by=500, comm="boss") for pid in (2, 3)]
    expected = [(1, "first", None), (2, "parent_reacted", 1), (3, "parent_reacted", 1)]
    assert links(others[1], first, *others) == expected
    well = death(1, 0)
    assert links(others[0], well, others[1])[0] == (2, "first", None)
    another_program = death(1, 0, signal=SEGV, exe="/bin/ls")
    assert links(others[0], another_program) == []


def test_a_parent_that_asks_the_others_to_end() -> None:
    """The signal is not in the record, as they handled it: they exit at once, with a code."""
    first = death(1, 0, signal=KILL)
    others = [death(pid, pid, exit_code=2) for pid in (2, 3)]
    expected = [(1, "first", None), (2, "sibling", 1), (3, "sibling", 1)]
    assert links(others[1], first, *others) == expected
    assert links(first, death(2, 5, exit_code=2, age=0.001)) == []
    assert links(first, death(2, 5, exit_code=2, exe="/bin/ls")) == []
    assert links(first, death(2, 5500, exit_code=2)) == []
    assert links(first, death(2, 5)) == []
    at_top = [death(pid, pid, exit_code=2, ppid=1) for pid in (2, 3)]
    assert links(death(1, 0, signal=KILL, ppid=1), *at_top) == []


def test_a_signal_that_was_handled_is_evidence_too() -> None:
    def told(pid: int, at_ms: float, by: int, seconds: float = 0.1) -> Exit:
        after = After(15, "SIGTERM", seconds, "killed", "handled", Sender(by, 1, "boss", 0))
        return death(pid, at_ms, exit_code=2, cause=Cause("exited", "exit 2", after=after))

    first = death(1, 0, signal=SEGV)
    others = [told(pid, pid, by=500) for pid in (2, 3)]
    expected = [(1, "first", None), (2, "parent_reacted", 1), (3, "parent_reacted", 1)]
    assert links(others[0], first, others[1]) == expected
    assert links(told(2, 0, by=9), told(3, 5, by=9)) == [(2, "first", None), (3, "same_sender", 2)]
    assert links(told(2, 0, by=9, seconds=60), told(3, 5, by=9)) == []


def test_the_oom_killer_takes_a_whole_cgroup() -> None:
    first, second = out_of_memory(1, 0, "/a"), out_of_memory(2, 4, "/a")
    assert links(second, first) == [(1, "first", None), (2, "same_oom", 1)]
    assert links(first, out_of_memory(2, 4, "/b")) == []
    assert links(first, out_of_memory(2, 1500, "/a")) == []
    assert links(first, out_of_memory(2, 4, "/a", age=0.001)) == [], "a worker started since"


def test_one_key_ends_all_in_the_foreground() -> None:
    of = at_terminal(1, 0, "pts/3", ppid=500)
    assert links(of, at_terminal(2, 1, "pts/3")) == [(1, "first", None), (2, "same_terminal", 1)]
    assert links(of, at_terminal(2, 1, "pts/4")) == []


@pytest.mark.parametrize(
    ("child", "code", "holds"),
    [
        ({"signal": KILL}, 137, True),
        ({"signal": KILL}, 143, False),
        ({"signal": KILL}, 9, False),
        ({"exit_code": 3}, 3, True),
        ({"exit_code": 3}, 4, False),
        ({"exit_code": 0}, 0, False),
    ],
)
def test_a_parent_that_exits_as_its_child_did(
    child: dict[str, int], code: int, holds: bool
) -> None:
    inner = death(20, 0, ppid=10, exe="/bin/job", **child)
    outer = death(10, 2, ppid=1, exe="/bin/sh", exit_code=code)
    expected = [(20, "first", None), (10, "passed_on", 20)]
    assert links(outer, inner) == (expected if holds else [])


def test_a_parent_that_kills_its_child_and_gives_up() -> None:
    inner = killed(20, 0, by=10, comm="timeout", ppid=10)
    outer = death(10, 2, ppid=1, exit_code=124)
    assert links(outer, inner) == [(20, "first", None), (10, "killed_child", 20)]


def test_one_leads_to_the_next() -> None:
    """A child is killed; its shell exits with 137; the supervisor ends the rest of its own."""
    unit: dict[str, Any] = {"cgroup": "/system.slice/a.service"}
    child = killed(20, 0, by=99, comm="kill", ppid=10, **unit)
    shell = death(10, 2, ppid=1, exit_code=137, exe="/bin/sh", **unit)
    rest = killed(30, 9, by=1, comm="systemd", ppid=1, **unit)
    expected = [(20, "first", None), (10, "passed_on", 20), (30, "parent_reacted", 10)]
    for one in (child, shell, rest):
        assert links(one, child, shell, rest) == expected


MANY = st.lists(
    st.builds(
        lambda pid, at, age, kind, by, ppid: (
            killed(pid, at, by=by, ppid=ppid, age=age)
            if kind == 0
            else related(pid, at, "parent_death", to=by, ppid=ppid, age=age)
            if kind == 1
            else out_of_memory(pid, at, "/a", ppid=ppid, age=age)
            if kind == 2
            else death(pid, at, exit_code=kind, ppid=ppid, age=age)
        ),
        *(st.integers(2, 9), st.integers(0, 3000), st.sampled_from([0.001, 100.0])),
        *(st.integers(0, 4), st.integers(2, 9), st.integers(1, 9)),
    ),
    min_size=1,
    max_size=12,
)


@FUZZ
@given(MANY)
def test_a_cascade_is_one_whatever_member_is_asked_about(exits: Sequence[Exit]) -> None:
    near = Near(exits)
    for of in near.exits:
        found = cascade(of, near)
        members = [key(link.exit) for link in found]
        assert len(members) == len({*members})
        assert len(members) != 1
        if not found:
            continue
        assert key(of) in members
        assert found[0].relation == "first"
        assert found[0].exit.boot_ns == min(link.exit.boot_ns for link in found)
        for link in found[1:]:
            assert link.to, "it follows from an earlier one"
            assert members.index(key(link.to)) < members.index(key(link.exit))
        assert {*members} == {key(link.exit) for link in cascade(found[-1].exit, near)}
        assert not {*members} & {key(one) for one in beside(of, near, found, 5000 * MS)}


def told(pid: int, at_ms: float, by: int, handled: str, **more: Any) -> Exit:
    """A death by a code soon after a signal."""
    after = After(TERM, "SIGTERM", 0.01, "killed", handled, Sender(by, 1, "pkill", 0))
    cause = Cause("exited", "exit 1, after SIGTERM", after=after)
    return death(pid, at_ms, exit_code=1, cause=cause, **more)


def test_a_signal_that_was_ignored_ended_nothing() -> None:
    """`timeout` asks the whole group to end; what ignores that ends for another reason."""
    last = killed(3, 900, by=9)
    for handled, expected in (("handled", [2, 3]), ("ignored", [])):
        other = told(2, 3, 9, handled, exe="/usr/bin/other", ppid=77)
        assert [pid for pid, *_ in links(last, other)] == expected


def test_the_sender_is_the_same_though_two_never_ran_at_once() -> None:
    first, second = killed(1, 0, by=9), killed(2, 500, by=9, age=0.1)
    last = killed(3, 900, by=9, age=100)
    assert links(second, first, last) == [
        (1, "first", None),
        (2, "same_sender", 1),
        (3, "same_sender", 1),
    ]


def test_what_the_sender_did_to_each() -> None:
    first, last = killed(1, 0, by=9), told(3, 900, 9, "handled")
    lines = together(last, cascade(last, Near([first, last])))
    assert "The same pkill[9] killed worker[1], and told others to end." in lines
    child, parent = told(2, 0, 600, "handled", ppid=600), death(600, 5, exit_code=124, ppid=1)
    lines = together(child, cascade(child, Near([child, parent])))
    assert "worker[600] told its child worker[2] to end, then exited itself." in lines
