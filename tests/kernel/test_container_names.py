"""Containers have the names that people know: live, recorded, and when the container is gone."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL, SIGTERM

import pytest
from support.causes import cause_of
from support.cgroups import mounts
from support.machine import need
from support.processes import Puppet
from support.services import FIRST_CODE, podman
from support.stage import Stage
from support.truth import record_of, recorded
from support.waiting import until

from exitsnoop import Exit, Sender
from exitsnoop.model.cgroup import Container

ID = f"{os.getpid():08x}" + "89abcdef" * 7
POD = f"0a1b2c3d-1111-2222-3333-{os.getpid():012x}"
NAME = f"exitsnoop-{os.getpid()}"
NAMES = ("container_name", "pod_name", "namespace")
LOGS = Path("/var/log")


def names(record: Exit | Sender) -> tuple[str | None, ...]:
    return tuple(getattr(record, name) for name in NAMES)


@pytest.fixture
def top() -> Path:
    found = [path for path, kind, _ in mounts() if kind == "cgroup2"]
    need(bool(found), "a cgroup file system of version 2")
    return found[0]


def put(puppet: Puppet, group: Path) -> None:
    (group / "cgroup.procs").write_text(str(puppet.pid))


def ended_with(exits: list[Exit], code: int) -> list[Exit]:
    """Return those that ended with this code in a container."""
    return [record for record in exits if record.container and record.exit_code == code]


def ended_in(stage: Stage, group: Path) -> int:
    puppet = stage.puppet()
    put(puppet, group)
    puppet.die("exit", 3)
    return puppet.pid


@pytest.fixture
def kubelet() -> Iterator[Path]:
    """The log of a container of a pod, as kubelet makes it; what is new is removed."""
    log = LOGS / "pods" / f"shop_{NAME}_{POD}" / "web" / "0.log"
    link = LOGS / "containers" / f"{NAME}_shop_web-{ID}.log"
    made = [one for one in (LOGS / "pods", LOGS / "containers") if not one.exists()]
    for path in (log, link):
        path.parent.mkdir(parents=True, exist_ok=True)
    log.touch()
    link.symlink_to(log)
    yield link
    link.unlink(missing_ok=True)
    shutil.rmtree(log.parents[1], ignore_errors=True)
    for path in made:
        path.rmdir()


PATHS = {
    "cgroupfs": (f"pod{POD}", ID),
    "systemd": (
        "kubepods-burstable.slice",
        f"kubepods-burstable-pod{POD.replace('-', '_')}.slice",
        f"cri-containerd-{ID}.scope",
    ),
}


@pytest.mark.parametrize("driver", PATHS)
def test_kubernetes(life: Stage, top: Path, kubelet: Path, driver: str) -> None:
    """The second exit comes when the pod is gone."""
    group = life.cgroup(top, f"{NAME}.slice")
    for part in (("kubepods",) if driver == "cgroupfs" else ("kubepods.slice",)) + PATHS[driver]:
        group = life.cgroup(group, part)
    with recorded(fields=["container_name"]) as exits:
        first = ended_in(life, group)
        until(lambda: any(record.pid == first for record in [*exits]))
        kubelet.unlink()
        shutil.rmtree(LOGS / "pods" / f"shop_{NAME}_{POD}")
        second = ended_in(life, group)
    for pid in (first, second):
        record = record_of(exits, pid)
        assert names(record) == ("web", NAME, "shop")
        assert record.pod == POD


@pytest.mark.parametrize("fields", [[], ["cgroup"]])
def test_the_container_of_a_sender(
    stage: Stage, top: Path, kubelet: Path, fields: list[str]
) -> None:
    """It is in the sentence unless it is that of the process, also if that has cgroups of it."""
    group = stage.cgroup(top, f"{NAME}.slice")
    for part in ("kubepods", f"pod{POD}", ID):
        group = stage.cgroup(group, part)
    inner, other = stage.cgroup(group), stage.cgroup(group.parent, ID[::-1])
    with recorded(fields=fields, why=True) as exits:
        sender, listens = stage.puppet(), stage.puppet()
        put(sender, inner)
        victims = {place: stage.puppet() for place in (top, inner, group, other)}
        for place, victim in victims.items():
            put(victim, place)
            sender.kill(victim, SIGKILL)
            victim.wait()
        listens.ask("ignore", int(SIGTERM))
        sender.kill(listens, SIGTERM)
        kubelet.unlink()  # the container is gone
        shutil.rmtree(LOGS / "pods" / f"shop_{NAME}_{POD}")
        listens.end()
    by, its = f"deaths[{sender.pid}]", f" from container web of pod shop/{NAME}"
    for place, victim in victims.items():
        cause = cause_of(exits, victim)
        assert cause.sender
        assert (cause.sender.pod, cause.sender.container) == (POD, Container("kubernetes", ID))
        assert names(cause.sender) == ("web", NAME, "shop")
        is_told = place in (top, other) or (place == group and not fields)
        assert cause.text.startswith(f"killed by {by}{its if is_told else ''} (SIGKILL)")
    cause = cause_of(exits, listens)
    assert f" after SIGTERM from {by}{its}, run by " in cause.text
    assert cause.after
    assert cause.after.sender
    assert names(cause.after.sender) == ("web", NAME, "shop")


@pytest.mark.parametrize("by", ["its beginning", "!"])
def test_podman(tmp_path: Path, by: str) -> None:
    """No container has the name when tracing begins; the container is gone before long."""
    asked = "another" if by == "!" else NAME[:-1]
    excluding = ["containers"] if by == "!" else []
    with podman(NAME, tmp_path) as run, recorded(containers=[asked], excluding=excluding) as exits:
        outside = subprocess.Popen(["true"])
        outside.wait()
        assert run("exit 3", lambda: bool(ended_with(exits, FIRST_CODE))) == 3
    (inside,) = ended_with(exits, 3)
    assert inside.container_name == NAME
    assert inside.container
    assert inside.container.runtime == "podman"
    assert any(record.pid == outside.pid for record in exits) == (by == "!")
    if by != "!":
        assert {record.container_name for record in exits} == {NAME}


def test_a_name_that_no_container_has(exitsnoop: str, kubelet: Path) -> None:
    """It may be a mistake, or the container may start later: it is said, and the trace goes on."""
    assert kubelet.is_symlink()
    names = f"{NAME},web,no-such,{ID[:12]}"
    command = [exitsnoop, "--container", names, "--ready-fd", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        line = process.stderr.readline()
        assert process.stdout.readline()  # before it traces, SIGTERM ends it as any other process
        process.terminate()
        assert process.wait() == 0
    assert line == (
        b"exitsnoop: no container has a name that starts with no-such now; one may come\n"
    )
