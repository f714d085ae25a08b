"""Cgroups and containers: what these filters let pass, and what not."""

import os
import subprocess
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


@pytest.mark.parametrize("excluding", [False, True])
def test_an_exit_whose_container_is_lost_is_a_loss(
    life: Stage, top: Path, endings: Path, excluding: bool
) -> None:
    """In a full buffer there may be room for an exit where there was none for its context.

    How much room is left depends on how long the path is.
    """
    service = life.cgroup(top)
    scope = f"docker-{ID}.scope"
    inside = [life.cgroup(life.cgroup(service, "x" * size), scope) for size in range(1, 250, 30)]
    outside = [life.cgroup(service, "y" * size) for size in range(1, 250, 30)]
    count = 60
    shell = f'echo $$ >"$1"/cgroup.procs; exec "$0" vforks {count - 1}'
    lost = 0
    with Tracer(
        tree=[os.getpid()],
        containers=[ID[:12]],
        excluding=["containers"] if excluding else [],
        ring_bytes=4096,
    ) as tracer:
        for group in inside + outside:
            words = ["sh", "-c", shell, str(endings), str(group)]
            subprocess.run(words, stdout=subprocess.DEVNULL, check=True)
            exits = tracer.read()
            lost, new = tracer.lost, tracer.lost - lost
            if (group in inside) == excluding:
                assert exits == []
                assert new == 0 or excluding
            else:
                assert len(exits) + new == count
    assert lost
