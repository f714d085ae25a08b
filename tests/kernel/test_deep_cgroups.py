"""Cgroups nested so deep, or with names so long, that their path is not read as a whole.

Whoever owns a delegated cgroup can nest it like that.
"""

from pathlib import Path
from typing import Any

import pytest
from support.cgroups import mounts
from support.machine import need
from support.stage import Stage
from support.truth import recorded

from exitsnoop import Exit, Tracer

ID = "0123456789abcdef" * 4
DEEP = {"levels": ["d"] * 100, "names": ["n" * 250] * 10}


@pytest.fixture
def top() -> Path:
    found = [path for path, kind, options in mounts() if kind == "cgroup2" or "pids" in options]
    need(bool(found), "a cgroup file system")
    return found[0]


def nested(stage: Stage, top: Path, names: list[str]) -> Path:
    """Make cgroups in one another; return the innermost."""
    for name in names:
        top = stage.cgroup(top, name)
    return top


def ended_in(stage: Stage, group: Path) -> int:
    """Return the PID of a process that ended in a cgroup."""
    puppet = stage.puppet()
    (group / "cgroup.procs").write_text(str(puppet.pid))
    puppet.die("exit", 0)
    return puppet.pid


def pids(exits: list[Exit]) -> set[int]:
    return {record.pid for record in exits}


@pytest.mark.parametrize("excluding", [False, True])
@pytest.mark.parametrize("names", DEEP.values(), ids=DEEP)
def test_a_filter_reaches_as_deep_as_they_go(
    life: Stage, top: Path, names: list[str], excluding: bool
) -> None:
    group, other = life.cgroup(top), life.cgroup(top)
    inside, outside = nested(life, group, names), nested(life, other, names)
    with recorded(
        cgroups=[f"/{group.name}"], excluding=["cgroups"] if excluding else [], fields=["cgroup"]
    ) as exits:
        ended, elsewhere = ended_in(life, inside), ended_in(life, outside)
    assert pids(exits) & {ended, elsewhere} == {elsewhere if excluding else ended}
    (record,) = (record for record in exits if record.pid in (ended, elsewhere))
    assert record.cgroup
    assert record.cgroup.startswith("/.../")
    assert str(inside).endswith(record.cgroup.removeprefix("/..."))


@pytest.mark.parametrize("excluding", [False, True])
def test_what_cannot_be_decided_is_a_loss(life: Stage, top: Path, excluding: bool) -> None:
    """The filter is so deep that the names down to it may be too long."""
    group, other = life.cgroup(top), life.cgroup(top)
    wanted = str(nested(life, group, [*"wanted-xyz"]))
    assert_loss(life, nested(life, other, DEEP["names"]), "cgroups", wanted, excluding)


@pytest.mark.parametrize("excluding", [False, True])
def test_a_container_that_is_out_of_sight_is_a_loss(
    life: Stage, top: Path, excluding: bool
) -> None:
    scope = life.cgroup(life.cgroup(top), f"docker-{ID}.scope")
    assert_loss(life, nested(life, scope, DEEP["names"]), "containers", ID[:12], excluding)


def assert_loss(stage: Stage, group: Path, name: str, wanted: str, excluding: bool) -> None:
    """Check that the end of a process there is counted, and not shown."""
    puppet = stage.puppet()
    (group / "cgroup.procs").write_text(str(puppet.pid))
    filters: dict[str, Any] = {name: [wanted], "excluding": [name] if excluding else []}
    with Tracer(pids=[puppet.pid], **filters) as tracer:
        puppet.die("exit", 0)
        tracer.stop()
        assert [record for batch in tracer.batches() for record in batch] == []
        assert (tracer.lost, tracer.undecided) == (1, 1)
