"""Which processes are traced: what each filter lets pass, and what not."""

import os
import threading
from collections.abc import Callable
from typing import Any

import pytest
from support.machine import long, within
from support.processes import adopted, kill_off
from support.stage import Stage
from support.truth import recorded

from exitsnoop import Exit, Filters, Tracer
from exitsnoop.filters.keywords import FilterOptions
from exitsnoop.layout import MAX_REPORTED

NOBODY, SOMEBODY = 65534, 54321


def pids(exits: list[Exit]) -> set[int]:
    return {record.pid for record in exits}


def forked(stage: Stage) -> tuple[int, int]:
    """Return who forked a child that has ended, and the child."""
    parent = stage.puppet()
    return parent.pid, int(parent.ask("fork", 0).split()[0])


# --- ppids ---


def test_children_and_no_others(life: Stage) -> None:
    parent, other = life.puppet(), life.puppet()
    with recorded(ppids=[parent.pid]) as exits:
        child = int(parent.ask("fork", 0).split()[0])
        other.ask("fork", 0)
        younger, grandchild = map(int, parent.ask("descend", 2).split())
        kill_off(grandchild)
        kill_off(younger)
        other.die("exit", 0)
    assert pids(exits) == {child, younger}


def test_orphans_are_children_of_who_adopts_them(life: Stage) -> None:
    """The parent that counts is that at the exit."""
    parent = life.puppet()
    orphan = int(parent.ask("descend", 1))
    with recorded(ppids=[os.getpid()]) as exits:
        parent.die("exit", 0)
        os.kill(orphan, 9)
        adopted(orphan)
    assert pids(exits) >= {parent.pid, orphan}


@pytest.mark.parametrize("excluding", [False, True])
def test_who_gets_the_pid_of_a_parent_is_another(life: Stage, excluding: bool) -> None:
    """Also if none of the parent's own children has ended before."""
    parent = life.puppet()
    last, other = life.puppet(), life.puppet()
    options = FilterOptions(ppids=[parent.pid], excluding=["ppids"] if excluding else [])
    if not excluding:
        options["ppids"] = [parent.pid, last.pid]  # so that it goes on
    with recorded(**options) as exits:
        parent.die("exit", 0)
        again = life.reused(parent.pid)
        stranger = int(again.ask("fork", 0).split()[0])
        own = int((other if excluding else last).ask("fork", 0).split()[0])
    ours = {stranger, own}
    assert pids(exits) & ours == (ours if excluding else {own})


def test_children_end_with_their_parent(life: Stage) -> None:
    parent = life.puppet()
    with Tracer(ppids=[parent.pid]) as tracer:
        child = int(parent.ask("fork", 0).split()[0])
        parent.die("exit", 0)
        assert pids(list(tracer)) == {child}


# --- tree ---


def test_a_family_from_before_and_after(life: Stage) -> None:
    root, other = life.puppet(), life.puppet()
    descendants = [int(pid) for pid in root.ask("descend", 3).split()]
    with Tracer(tree=[root.pid]) as tracer:
        other.ask("fork", 0)
        late = [int(root.ask(how, "quit").split()[0]) for how in ("fork", "vfork", "spawn")]
        later = [int(pid) for pid in root.ask("descend", 2).split()]
        kill_off(descendants[0])  # its child is an orphan now
        for pid in [*reversed(later), *descendants[1:]]:
            kill_off(pid)
        root.die("exit", 0)
        other.die("exit", 0)
        exits = list(tracer)  # ends by itself
    assert pids(exits) == {root.pid, *descendants, *late, *later}
    assert len(exits) == 9


def test_a_family_outlives_its_head(life: Stage) -> None:
    root = life.puppet()
    orphan = int(root.ask("descend", 1))
    with Tracer(tree=[root.pid]) as tracer:
        root.die("exit", 0)
        assert [record.pid for record in (next(tracer),)] == [root.pid]
        assert not tracer.ended
        kill_off(orphan)
        assert pids(list(tracer)) == {orphan}


def test_the_child_of_a_thread_is_of_the_family(life: Stage) -> None:
    root = life.puppet()
    with Tracer(tree=[root.pid]) as tracer:
        child = int(root.ask("in_thread", "fork", 0).split()[0])
        kill_off(root.pid)
        assert pids(list(tracer)) == {root.pid, child}


def test_who_is_left_out_of_a_family(life: Stage) -> None:
    root = life.puppet()
    child, grandchild = map(int, root.ask("descend", 2).split())
    with Tracer(tree=[root.pid]) as tracer:
        tracer.leave_out(child)
        kill_off(grandchild)
        kill_off(child)
        root.die("exit", 0)
        assert pids(list(tracer)) == {root.pid, grandchild}


@pytest.mark.timeout(60)
def test_the_last_one_is_left_out_while_another_thread_reads(life: Stage) -> None:
    root = life.puppet()
    with Tracer(tree=[root.pid]) as tracer:
        reading = threading.Thread(target=lambda: list(tracer))
        reading.start()
        while tracer._reading.lock.acquire(blocking=False):  # until the thread waits with it
            tracer._reading.lock.release()
        assert tracer.running == 1
        tracer.leave_out(root.pid)
        reading.join()


def test_where_there_is_no_family_nobody_leaves_it() -> None:
    for options in (FilterOptions(), FilterOptions(fields=["args"])):
        with Tracer(**options) as tracer:
            tracer.leave_out(os.getpid())


def test_a_family_named_twice_ends_once(life: Stage) -> None:
    root = life.puppet()
    (child,) = map(int, root.ask("descend", 1).split())
    with Tracer(tree=[root.pid, child, root.pid]) as tracer:
        kill_off(child)
        root.die("exit", 0)
        assert pids(list(tracer)) == {root.pid, child}


# --- users ---


@pytest.mark.parametrize("excluding", [False, True])
@pytest.mark.parametrize("user", [SOMEBODY, str(SOMEBODY), "nobody"])
def test_users(life: Stage, user: int | str, excluding: bool) -> None:
    uid = NOBODY if user == "nobody" else SOMEBODY
    one, other, effective = life.puppet(), life.puppet(), life.puppet()
    with recorded(users=[user], excluding=["users"] if excluding else []) as exits:
        one.ask("set_uids", uid, uid)
        effective.ask("set_uids", 0, uid)
        for puppet in (one, other, effective):
            puppet.die("exit", 0)
    ours = {one.pid, other.pid, effective.pid}
    assert pids(exits) & ours == (ours - {one.pid} if excluding else {one.pid})


# --- names ---


@pytest.mark.parametrize("excluding", [False, True])
@pytest.mark.parametrize(
    ("patterns", "matching"),
    [
        (["worker-1"], {"worker-1"}),
        (["worker"], {"worker"}),
        (["worker*"], {"worker", "worker-1", "worker-22", "worker-fifteen!"}),
        (["worker-?"], {"worker-1"}),
        (["*-[0-9]*"], {"worker-1", "worker-22"}),
        (["[!w]*"], {"Worker", "*"}),
        (["\\*", "worker-fifteen!"], {"*", "worker-fifteen!"}),
    ],
)
def test_names(life: Stage, patterns: list[str], matching: set[str], excluding: bool) -> None:
    names = ("worker", "worker-1", "worker-22", "worker-fifteen!", "Worker", "*")
    puppets = {name: life.puppet() for name in names}
    with recorded(names=patterns, excluding=["names"] if excluding else []) as exits:
        for name, puppet in puppets.items():
            puppet.ask("set_name", name)
            puppet.die("exit", 0)
    passed = {name for name, puppet in puppets.items() if puppet.pid in pids(exits)}
    assert passed == (set(names) - matching if excluding else matching)


# --- age ---

EDGE = long(50) / 1000
"""An age in seconds. On a slow machine, two tracers look at an exit further apart."""


@pytest.mark.parametrize(
    ("limit", "passes"),
    [
        ({"min_age": EDGE}, lambda age: age >= EDGE),
        ({"max_age": EDGE}, lambda age: age <= EDGE),
        ({"min_age": EDGE, "max_age": 20 * EDGE}, lambda age: EDGE <= age <= 20 * EDGE),
    ],
)
def test_age(life: Stage, limit: dict[str, float], passes: Callable[[float], bool]) -> None:
    ours = set()
    with recorded(unwanted=True, **limit) as all_exits, recorded(**limit) as exits:  # type: ignore[arg-type]
        for ms in (0, long(100), long(1100)):
            puppet = life.puppet()
            puppet.ask("spin", ms)
            for _ in range(5):
                ours.add(int(puppet.ask("fork", 0).split()[0]))
            puppet.die("exit", 0)
            ours.add(puppet.pid)
    all_exits = [record for record in all_exits if record.pid in ours]
    assert pids(all_exits) == ours
    assert {passes(record.age) for record in all_exits} == {False, True}
    for record in all_exits:
        if all(abs(record.age - edge) > within(0.002) for edge in limit.values()):
            assert record.wanted == passes(record.age)
            assert (record.start_boot_ns in {e.start_boot_ns for e in exits}) == record.wanted


# --- how it ended ---


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"codes": [3]}, {3}),
        ({"codes": [3], "excluding": ["codes"]}, {0, 4}),
        ({"codes": [3], "excluding": ["codes"], "failed": True}, {4}),
        ({"signals": [9], "excluding": ["signals"]}, {-15}),
        ({"signals": [9], "codes": [3], "excluding": ["signals", "codes"]}, {0, 4, -15}),
        ({"causes": ["killed", "self"], "excluding": ["causes"]}, {0, 3, 4}),
        ({"causes": ["exited"], "excluding": ["causes"]}, {-9, -15}),
    ],
)
def test_all_but(life: Stage, options: dict[str, Any], expected: set[int]) -> None:
    """As with a ! on the command line."""
    endings = (0, 3, 4, -9, -15)
    with recorded(**options) as exits:
        puppets = {ending: life.puppet() for ending in endings}
        for ending, puppet in puppets.items():
            if ending >= 0:
                puppet.die("exit", ending)
            else:
                os.kill(puppet.pid, -ending)
                assert puppet.wait() == ending
    assert {e for e, puppet in puppets.items() if puppet.pid in pids(exits)} == expected


def test_filters_go_in_as_they_are(life: Stage) -> None:
    puppet, other = life.puppet(), life.puppet()
    filters = Filters(pids=[puppet.pid, other.pid], codes=[4])
    with Tracer(filters) as positional, Tracer(filters=filters) as keyword:
        other.die("exit", 0)
        puppet.die("exit", 4)
        for tracer in (positional, keyword):
            assert pids(list(tracer)) == {puppet.pid}


# --- together ---


def test_all_must_hold(life: Stage) -> None:
    puppets = [life.puppet() for _ in range(4)]
    with recorded(users=[SOMEBODY], names=["wanted"], codes=[3]) as exits:
        for puppet, uid, name in zip(
            puppets, (SOMEBODY, SOMEBODY, 0, 0), ("wanted", "other") * 2, strict=True
        ):
            puppet.ask("set_name", name)
            puppet.ask("set_uids", uid, uid)
        puppets.append(life.puppet())
        puppets[4].ask("set_name", "wanted")
        puppets[4].ask("set_uids", SOMEBODY, SOMEBODY)
        for puppet, code in zip(puppets, (3, 3, 3, 3, 4), strict=True):
            puppet.die("exit", code)
    assert pids(exits) == {puppets[0].pid}


def test_what_the_filters_leave_out_is_marked_if_asked_for(life: Stage) -> None:
    root, other = life.puppet(), life.puppet()
    with Tracer(tree=[root.pid], codes=[3], unwanted=True) as tracer:
        child = int(root.ask("descend", 1))
        kill_off(child)
        other.die("exit", 3)
        root.die("exit", 3)
        wanted = {record.pid: record.wanted for record in tracer}
    assert wanted == {child: False, root.pid: True}


@pytest.mark.parametrize(
    "options",
    [
        {"names": ["nothing"]},
        {"failed": True},
        {"max_age": 0.0},
        {"pids": [os.getpid()]},
        {"pids": [os.getpid()], "tree": [os.getpid()]},
    ],
)
def test_what_is_left_out_is_not_remembered(life: Stage, options: dict[str, Any]) -> None:
    early = life.puppet()
    with Tracer(fields=["args", "exe"], **options) as tracer:
        puppet = life.puppet()
        ended = [
            int(p.ask(how, "quit").split()[0])
            for how in ("fork", "vfork", "spawn")
            for p in (puppet, early)
        ]
        for one in (puppet, early):
            one.die("exit", 0)
        tracer.stop()
        assert not pids(list(tracer)) & {*ended, puppet.pid, early.pid}
        assert tracer._reading.clues
        images = tracer._reading.clues._images
        assert not {pid for pid, _ in images._running} & {*ended, puppet.pid, early.pid}


def test_what_has_ended_is_not_remembered(life: Stage) -> None:
    """Even if the last thread is not the first, whose start identifies the process."""
    early = [life.puppet(), life.puppet()]
    with Tracer(fields=["args"], per_thread=True) as tracer:
        puppets = [*early, life.puppet(), life.puppet()]
        for puppet in puppets[::2]:
            puppet.ask("hand_over")
        for puppet in puppets:
            puppet.die("exit", 0)
        tracer.stop()
        ended = {puppet.pid for puppet in puppets}
        assert ended <= pids(list(tracer))
        assert tracer._reading.clues
        images = tracer._reading.clues._images
        others = range(-MAX_REPORTED, 0)  # so many others end
        images.take(others, others, [0] * MAX_REPORTED, [True] * MAX_REPORTED)
        assert not {pid for pid, _ in images._running} & ended
        assert images._starts is not None
        assert not images._starts.keys() & ended
        assert not images._before.keys() & ended


@pytest.mark.no_kernel
@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"users": ["no-such-user"]}, "no user"),
        ({"users": [-1]}, "no user"),
        ({"users": [2**32 - 1]}, "no user"),
        ({"users": [str(2**32 - 1)]}, "no user"),
        ({"cgroups": ["/no/such/cgroup"]}, "there is no cgroup"),
        ({"cgroups": ["/tmp"]}, "there is no cgroup"),
        ({"names": ["sixteen-bytes-is"]}, "too long"),
        ({"names": ["[a"]}, "not a pattern"),
        ({"names": [""]}, "not a pattern"),
        ({"containers": [""]}, "empty"),
        ({"min_age": 2, "max_age": 1}, "age"),
        ({"min_age": -1}, "age"),
        ({"fields": ["argv"]}, "not a field"),
        ({"excluding": ["users"]}, "no users to exclude"),
        ({"excluding": ["pids"], "pids": [1]}, "is none of"),
        ({"ppids": [0]}, "not a PID"),
        ({"tree": [-1]}, "not a PID"),
    ],
)
def test_nonsense_is_refused(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Tracer(**options)
