"""Cgroups and containers: what these filters let pass, and what not."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.cgroups import mounts
from support.machine import need
from support.stage import Stage
from support.truth import recorded

from exitsnoop import Exit, Tracer

ID = "0123456789abcdef" * 4


def pids(exits: list[Exit]) -> set[int]:
    return {record.pid for record in exits}


def tops() -> Iterator[tuple[str, Path]]:
    """Where processes can be put: what a cgroup is taken from."""
    for path, kind, options in mounts():
        if kind == "cgroup2":
            yield "unified", path
        elif kind == "cgroup" and "pids" in options:
            yield "pids", path


@pytest.fixture(params=["unified", "pids"])
def top(request: pytest.FixtureRequest) -> Path:
    found = dict(tops())
    need(bool(found), "a cgroup file system")
    if request.param not in found:
        pytest.skip("the machine has only the other version of cgroups")
    return found[request.param]


def ended_in(stage: Stage, group: Path) -> int:
    """Return the PID of a process that ended in a cgroup."""
    puppet = stage.puppet()
    (group / "cgroup.procs").write_text(str(puppet.pid))
    puppet.die("exit", 0)
    return puppet.pid


@pytest.mark.parametrize("excluding", [False, True])
@pytest.mark.parametrize("by_directory", [False, True])
def test_cgroups(life: Stage, top: Path, by_directory: bool, excluding: bool) -> None:
    group = life.cgroup(top)
    below = life.cgroup(group, "inner a:b%c")
    deep = life.cgroup(below, "x" * 200)
    longer, namesake = life.cgroup(top, f"{group.name}b"), life.cgroup(top)
    inner_namesake = life.cgroup(namesake, group.name)
    name = str(group) if by_directory else f"/{group.name}"
    with recorded(cgroups=[name], excluding=["cgroups"] if excluding else []) as exits:
        inside = {ended_in(life, place) for place in (group, below, deep)}
        outside = {ended_in(life, place) for place in (longer, namesake, inner_namesake, top)}
    ours = inside | outside
    assert pids(exits) & ours == (outside if excluding else inside)


def test_several_cgroups_and_one_made_again(life: Stage, top: Path) -> None:
    one, other = life.cgroup(top), life.cgroup(top)
    inner = life.cgroup(other, "inner")
    with recorded(cgroups=[str(one), str(inner)]) as exits:
        first = ended_in(life, one)
        one.rmdir()
        one.mkdir()
        again, in_inner = ended_in(life, one), ended_in(life, inner)
        ended_in(life, other)
    assert pids(exits) == {first, again, in_inner}


def test_eight_cgroups_and_no_more(life: Stage, top: Path) -> None:
    groups = [str(life.cgroup(top)) for _ in range(9)]
    Tracer(cgroups=[*groups[:8], groups[0]]).close()
    with pytest.raises(ValueError, match="at most 8"):
        Tracer(cgroups=groups)


@pytest.mark.parametrize("excluding", [False, True])
def test_containers(life: Stage, top: Path, excluding: bool) -> None:
    service = life.cgroup(top)
    named = [f"docker-{ID}.scope", f"docker-f{ID[1:]}.scope", f"mine-{ID}.scope", ID[:12]]
    groups = [life.cgroup(service, name) for name in named]
    inner = life.cgroup(groups[0], "init.scope")
    with recorded(containers=[ID[:12]], excluding=["containers"] if excluding else []) as exits:
        inside = {ended_in(life, place) for place in (groups[0], inner)}
        outside = {ended_in(life, place) for place in (*groups[1:], service)}
    assert pids(exits) & (inside | outside) == (outside if excluding else inside)
