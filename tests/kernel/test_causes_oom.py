"""The OOM killer of memory cgroups, and who only looks like its victim."""

import contextlib
import re
import time
from pathlib import Path
from signal import SIGKILL

import pytest
from support.causes import assert_killed, assert_only, cause_of
from support.machine import times, within
from support.processes import Puppet, adopted
from support.stage import Stage
from support.truth import recorded

from exitsnoop import Cause

MIB = 1 << 20
LIMIT = 32 * MIB
KUBERNETES = [
    "kubepods.slice",
    "kubepods-burstable.slice",
    "kubepods-burstable-pod0f4ce0a4_c939_4d1e_9b8e_54ae37403a20.slice",
    "cri-containerd-" + "54ae37403a20b84807bfb0f4ce0a4c93" * 2 + ".scope",
]


def choose(puppet: Puppet) -> None:
    """Make it the first that the OOM killer takes."""
    Path(f"/proc/{puppet.pid}/oom_score_adj").write_text("1000")


def assert_oom(cause: Cause, path: str, limit: int, trigger: Puppet | int) -> None:
    pid = trigger if isinstance(trigger, int) else trigger.pid
    assert_only(cause, "oom", "oom")
    assert cause.oom
    assert (cause.oom.cgroup, cause.oom.limit) == (path, limit)
    assert (cause.oom.trigger.pid, cause.oom.trigger.comm) == (pid, "deaths")
    assert cause.text.startswith("out of memory: cgroup ")
    assert f"deaths[{pid}]" in cause.text


def oom_by_file(stage: Stage) -> Cause:
    """Return the cause of a process in a cgroup that is mostly filled by a file in a tmpfs."""
    group = stage.memory_cgroup()
    group.set_limit(LIMIT)
    with recorded(why=True) as exits:
        victim = stage.puppet()
        group.join(victim)
        victim.ask("fill_file", LIMIT * 5 // 8)
        victim.tell("allocate", LIMIT)
        assert victim.wait() == -SIGKILL
    return cause_of(exits, victim)


def test_what_filled_the_cgroup(stage: Stage) -> None:
    """The kernel logs it of 10 kills in 5 seconds."""
    deadline = time.monotonic() + within(20)
    cause = oom_by_file(stage)
    while cause.oom is None or cause.oom.cgroup_shmem is None:
        assert time.monotonic() < deadline, "the log has none"
        cause = oom_by_file(stage)
    oom = cause.oom
    assert re.search(r", (19\.[5-9]|20\.\d)M of it in tmpfs or shared memory, anon ", cause.text)
    assert oom.cgroup_shmem
    assert LIMIT - MIB <= (oom.usage or 0) <= LIMIT
    # Up to v5.12 each CPU may keep 32 pages of what it has counted to itself.
    assert 19.5 * MIB <= oom.cgroup_shmem <= 21 * MIB
    assert oom.cgroup_anon is not None
    assert oom.cgroup_file is not None
    assert oom.anon - MIB <= oom.cgroup_anon <= 12 * MIB
    assert 0 <= oom.cgroup_file <= LIMIT - oom.cgroup_shmem - oom.cgroup_anon
    assert oom.swap == 0


def oom_by_another(stage: Stage) -> Cause:
    """Have the OOM killer take a small process; return the cause."""
    group = stage.memory_cgroup()
    group.set_limit(LIMIT)
    with recorded(why=True) as exits:
        victim, other = stage.puppet(), stage.puppet()
        group.join(victim)
        group.join(other)
        choose(victim)
        other.ask("allocate", LIMIT * 5 // 8)
        victim.tell("allocate", LIMIT)
        assert victim.wait() == -SIGKILL
    return cause_of(exits, victim)


def test_others_filled_the_cgroup(stage: Stage) -> None:
    """The kernel logs it of 10 kills in 5 seconds."""
    deadline = time.monotonic() + within(20)
    cause = oom_by_another(stage)
    while cause.oom is None or cause.oom.cgroup_anon is None:
        assert time.monotonic() < deadline, "the log has none"
        cause = oom_by_another(stage)
    assert re.search(r", (19\.[5-9]|2[01]\.\d)M of it in other processes, anon ", cause.text)


def test_it_took_too_much_itself(stage: Stage) -> None:
    group = stage.memory_cgroup()
    group.set_limit(LIMIT)
    with recorded(why=True) as exits:
        victim = stage.puppet()
        path = group.join(victim)
        victim.tell("allocate", 2 * LIMIT)
        assert victim.wait() == -SIGKILL
    cause = cause_of(exits, victim)
    assert_oom(cause, path, LIMIT, victim)
    assert cause.oom
    assert 0.8 * LIMIT <= cause.oom.anon <= LIMIT + MIB
    assert 0 <= cause.oom.file <= 2 * MIB
    assert 0 <= cause.oom.shmem <= 2 * MIB  # the program itself, where its file is in a tmpfs
    assert f"{path} limit 32.0M, anon " in cause.text


def test_the_last_thread_has_the_figures(stage: Stage) -> None:
    """Per thread: of two, both are killed; the last has the figures."""
    group = stage.memory_cgroup()
    group.set_limit(LIMIT)
    with recorded(why=True, per_thread=True) as exits:
        victim = stage.puppet()
        path = group.join(victim)
        victim.tell("in_thread", "allocate", 2 * LIMIT)
        assert victim.wait() == -SIGKILL
    # Before 6.16, the other thread may be reported after the one that ends the process.
    ended = [record for record in exits if record.pid == victim.pid]
    first, last = sorted(ended, key=lambda record: record.last_thread)
    assert (first.last_thread, last.last_thread) == (False, True)
    assert first.cause
    assert_only(first.cause, "oom")
    assert last.cause
    assert_oom(last.cause, path, LIMIT, victim)


def test_another_took_the_rest(stage: Stage) -> None:
    """It is killed next if it asks again before the memory of the first is free.

    exit_mmap() says that it is (MMF_OOM_SKIP) before it gives the last pages back.
    """
    group = stage.memory_cgroup()
    group.set_limit(LIMIT)
    with recorded(why=True) as exits:
        victim, trigger = stage.puppet(), stage.puppet()
        path = group.join(victim)
        group.join(trigger)
        choose(victim)
        victim.ask("allocate", LIMIT * 3 // 4)
        trigger.tell("allocate", LIMIT // 2)
        assert victim.wait() == -SIGKILL
        with contextlib.suppress(BrokenPipeError):
            trigger.tell("exit", 137)
        end = trigger.wait()
    cause = cause_of(exits, victim)
    assert_oom(cause, path, LIMIT, trigger)
    assert cause.oom
    assert abs(cause.oom.anon - LIMIT * 3 // 4) <= MIB
    if end == -SIGKILL:
        assert_oom(cause_of(exits, trigger), path, LIMIT, trigger)
    else:
        assert end == 137
        assert_only(cause_of(exits, trigger), "exited")


def one_of_two_is_chosen(stage: Stage) -> Puppet:
    """Have the OOM killer take the first of two that share a cgroup; return it."""
    group = stage.memory_cgroup()
    group.set_limit(LIMIT // 4)
    victim, trigger = stage.puppet(), stage.puppet()
    group.join(victim)
    group.join(trigger)
    choose(victim)
    victim.ask("allocate", LIMIT // 8)
    trigger.tell("allocate", LIMIT // 4)
    assert victim.wait() == -SIGKILL
    return victim


def test_a_victim_may_end_before_it_is_marked(deaths: Path) -> None:
    """Since v6.16: it runs on another CPU while the OOM killer, interrupted, has yet to mark it."""
    victims = []
    with recorded(why=True) as exits:
        for _ in range(times(60)):
            with Stage(deaths) as stage:
                victims.append(one_of_two_is_chosen(stage))
    assert {cause_of(exits, victim).kind for victim in victims} == {"oom"}


@pytest.mark.parametrize(
    ("inner", "full"),
    [(None, "outer"), (2 * LIMIT, "outer"), (LIMIT + MIB, "outer"), (LIMIT - 4 * MIB, "inner")],
)
def test_which_of_the_limits(stage: Stage, inner: int | None, full: str) -> None:
    """Limits of the groups above count too; the one that is full is the reason."""
    outer_group = stage.memory_cgroup()
    outer_group.set_limit(LIMIT)
    inner_group = stage.memory_cgroup(outer_group)
    if inner:
        inner_group.set_limit(inner)
    with recorded(why=True) as exits:
        victim = stage.puppet()
        path = inner_group.join(victim)
        victim.tell("allocate", 3 * LIMIT)
        assert victim.wait() == -SIGKILL
    assert path.endswith(f"/{outer_group.path.name}/{inner_group.path.name}")
    expected = (path, inner or 0) if full == "inner" else (str(Path(path).parent), LIMIT)
    assert_oom(cause_of(exits, victim), *expected, trigger=victim)


@pytest.mark.parametrize("names", [KUBERNETES, ["n" * 250], [f"level{n}" for n in range(12)]])
def test_long_paths_are_whole(stage: Stage, names: list[str]) -> None:
    group = stage.memory_cgroup()
    for name in names:
        group = stage.memory_cgroup(group, name)
    group.set_limit(LIMIT)
    with recorded(why=True) as exits:
        victim = stage.puppet()
        path = group.join(victim)
        victim.tell("allocate", 2 * LIMIT)
        assert victim.wait() == -SIGKILL
    assert path.endswith("/".join(["", *names]))
    assert_oom(cause_of(exits, victim), path, LIMIT, victim)


def test_kill_in_a_cgroup_with_a_limit_is_no_oom(stage: Stage) -> None:
    group = stage.memory_cgroup()
    group.set_limit(LIMIT)
    with recorded(why=True) as exits:
        full, empty, sender = (stage.puppet() for _ in range(3))
        group.join(full)
        group.join(empty)
        full.ask("allocate", LIMIT * 3 // 4)
        for victim in (full, empty):
            sender.kill(victim, SIGKILL)
            assert victim.wait() == -SIGKILL
    for victim in (full, empty):
        assert_killed(cause_of(exits, victim), sender)


def test_a_process_with_the_victim_s_memory_goes_with_it(stage: Stage) -> None:
    """A vfork child: killed as well, though the mark is only on one of the two."""
    group = stage.memory_cgroup()
    group.set_limit(LIMIT)
    with recorded(why=True) as exits:
        parent = stage.puppet()
        path = group.join(parent)
        child = int(parent.ask("allocate_in_vfork", 2 * LIMIT))
        assert parent.wait() == -SIGKILL
        assert adopted(child) == SIGKILL
    for cause in (cause_of(exits, parent), cause_of(exits, child)):
        assert_oom(cause, path, LIMIT, child)
