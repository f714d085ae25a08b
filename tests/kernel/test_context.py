"""Who a process was and where: against /proc/PID while it lives, and what it was told to be."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.cgroups import mounts
from support.machine import need
from support.processes import Puppet, adopted, kill_off
from support.stage import Stage
from support.truth import record_of, recorded

from exitsnoop import Exit, Tracer
from exitsnoop.model.context import Ancestor

IDENTITY = ("uid", "user", "nspid", "hostname", "parent_comm")
CGROUP = ("cgroup", "container", "pod", "unit", "user_unit")
ID = "fedcba9876543210" * 4
POD = "0a1b2c3d-1111-2222-3333-444455556666"


def status(pid: int, field: str) -> list[str]:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return line.split("\t")[1:]
    raise AssertionError(field)


def comm(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().removesuffix("\n")


def ancestors_of(pid: int) -> Iterator[Ancestor]:
    while pid := int(status(pid, "PPid")[0]):
        yield Ancestor(pid, comm(pid))


def end(puppet: Puppet) -> None:
    assert puppet.die("exit", 0) == "exiting"


# --- identity ---


def test_who_it_is(life: Stage) -> None:
    with recorded(fields=IDENTITY) as exits:
        puppet = life.puppet()
        end(puppet)
    record = record_of(exits, puppet.pid)
    assert (record.uid, record.user) == (0, "root")
    assert record.nspid == puppet.pid
    assert record.hostname == socket.gethostname()
    assert record.parent_comm == comm(os.getpid())


@pytest.mark.parametrize(
    ("real", "effective", "name"),
    [(65534, 65534, "nobody"), (65534, 0, "nobody"), (0, 65534, "root"), (54321, 54321, None)],
)
def test_the_real_user_counts(life: Stage, real: int, effective: int, name: str | None) -> None:
    with recorded(fields=IDENTITY) as exits:
        puppet = life.puppet()
        assert puppet.ask("set_uids", real, effective) == f"{real} {effective}"
        assert list(map(int, status(puppet.pid, "Uid")))[:2] == [real, effective]
        end(puppet)
    record = record_of(exits, puppet.pid)
    assert (record.uid, record.user) == (real, name)


def test_the_user_after_the_leader(life: Stage) -> None:
    with recorded(fields=IDENTITY) as exits:
        puppet = life.puppet()
        puppet.ask("hand_over")
        end(puppet)
    record = record_of(exits, puppet.pid)
    assert (record.uid, record.nspid, record.parent_comm) == (0, puppet.pid, comm(os.getpid()))
    assert record.hostname == socket.gethostname()


def test_the_innermost_pid_counts(life: Stage) -> None:
    namespace = ("unshare", "--pid", "--fork", "--kill-child")
    with recorded(fields=IDENTITY) as exits:
        outer = life.init()
        inside = life.inside(outer)
        inner = life.puppet(*namespace, *namespace)
        told = {}
        for puppet in (inside, inner, outer):
            told[puppet.pid] = [int(pid) for pid in status(puppet.pid, "NSpid")]
            end(puppet)
    assert [len(numbers) for numbers in told.values()] == [2, 3, 2]
    for pid, numbers in told.items():
        assert record_of(exits, pid).nspid == numbers[-1] != pid


def test_the_host_name_that_it_sees(life: Stage) -> None:
    with recorded(fields=IDENTITY) as exits:
        puppets = {name: life.puppet() for name in ("h", "a.b-c", "x" * 64)}
        for name, puppet in puppets.items():
            puppet.ask("set_hostname", name)
            end(puppet)
    for name, puppet in puppets.items():
        assert record_of(exits, puppet.pid).hostname == name
    assert socket.gethostname() not in puppets


def test_the_parent_by_name(life: Stage) -> None:
    with recorded(fields=IDENTITY) as exits:
        puppet = life.puppet()
        puppet.ask("set_name", "fifteen-bytes-!")
        child = int(puppet.ask("fork", 0).split()[0])
        orphan = int(puppet.ask("descend", 1))
        end(puppet)
        os.kill(orphan, signal.SIGKILL)
        adopted(orphan)
    assert record_of(exits, child).parent_comm == "fifteen-bytes-!"
    record = record_of(exits, orphan)
    assert (record.ppid, record.parent_comm) == (os.getpid(), comm(os.getpid()))


# --- ancestors ---


@pytest.mark.parametrize("depth", [1, 5, 28, 40])
def test_ancestors(life: Stage, depth: int) -> None:
    with recorded(fields=["ancestors"]) as exits:
        puppet = life.puppet()
        puppet.ask("set_name", "the-eldest")
        pids = [puppet.pid, *map(int, puppet.ask("descend", depth).split())]
        above = {pid: list(ancestors_of(pid)) for pid in pids}
        for pid in reversed(pids):
            kill_off(pid)
    assert above[pids[1]][0] == Ancestor(puppet.pid, "the-eldest")
    for pid in pids:
        record = record_of(exits, pid)
        assert record.ancestors == tuple(above[pid][:32])
        assert record.ancestors_truncated == (len(above[pid]) > 32)
    assert record_of(exits, pids[-1]).ancestors_truncated == (len(above[pids[-1]]) > 32)


def test_ancestors_exactly_as_many_as_there_is_room_for(life: Stage) -> None:
    ours = len(list(ancestors_of(os.getpid()))) + 1
    with recorded(fields=["ancestors"]) as exits:
        puppet = life.puppet()
        pids = [int(pid) for pid in puppet.ask("descend", 33 - ours).split()]
        for pid in reversed(pids):
            kill_off(pid)
    fits, too_many = (record_of(exits, pid) for pid in pids[-2:])
    assert (len(fits.ancestors or ()), fits.ancestors_truncated) == (32, False)
    assert (len(too_many.ancestors or ()), too_many.ancestors_truncated) == (32, True)


def test_ancestors_of_an_orphan(life: Stage) -> None:
    with recorded(fields=["ancestors"]) as exits:
        puppet = life.puppet()
        middle, orphan = map(int, puppet.ask("descend", 2).split())
        kill_off(middle)
        above = list(ancestors_of(orphan))
        kill_off(orphan)
    assert above[0].pid == os.getpid()
    assert record_of(exits, orphan).ancestors == tuple(above)


# --- cgroup ---


def cgroup_tops() -> dict[str, Path]:
    """Where the hierarchies are mounted that a path can be of, by what /proc/PID/cgroup has."""
    tops = {}
    for path, kind, options in mounts():
        if kind == "cgroup2":
            tops[""] = path
        elif kind == "cgroup":
            tops |= {name: path for name in ("pids", "memory") if name in options}
    return tops


def cgroup_of(pid: int, controller: str) -> str:
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return path
    raise AssertionError(controller)


@pytest.fixture(params=["", "pids", "memory"], ids=["unified", "pids", "memory"])
def controller(request: pytest.FixtureRequest) -> str:
    found = cgroup_tops()
    need(bool(found), "a cgroup file system")
    name = str(request.param)
    if name not in found:
        pytest.skip("the machine has only the other version of cgroups")
    return name


def move(puppet: Puppet, group: Path) -> None:
    (group / "cgroup.procs").write_text(str(puppet.pid))


def ended_in(life: Stage, controller: str, *names: str | None) -> tuple[Exit, str]:
    """Return the record of a process that ended in a new cgroup, and what /proc told of it.

    The cgroup is removed before the record is read.
    """
    group = cgroup_tops()[controller]
    for name in names:
        group = life.cgroup(group, name)
    with Tracer(fields=CGROUP) as tracer:
        puppet = life.puppet()
        move(puppet, group)
        told = cgroup_of(puppet.pid, controller)
        end(puppet)
        group.rmdir()
        tracer.stop()
        return record_of(list(tracer), puppet.pid), told


@pytest.mark.parametrize(
    "names",
    [
        (None,),
        (None, "inner"),
        (None, "odd:name with %25 \\x2d", "Käse"),
        (None, *["level"] * 20),
        (None, "long" * 63),
    ],
)
def test_cgroup(life: Stage, controller: str, names: tuple[str | None, ...]) -> None:
    record, told = ended_in(life, controller, *names)
    assert told != "/"
    assert record.cgroup == told
    assert record.container is None


def test_the_end_of_a_path_that_is_too_long(life: Stage, controller: str) -> None:
    record, told = ended_in(life, controller, None, *["x" * 250] * 10)
    assert record.cgroup
    assert record.cgroup.startswith("/.../x")
    assert told.endswith(record.cgroup.removeprefix("/..."))


def test_which_hierarchy_counts(life: Stage) -> None:
    tops = cgroup_tops()
    if len(tops) < 2:
        pytest.skip("the machine has only one version of cgroups")
    expected, joined = {}, []
    with recorded(fields=CGROUP) as exits:
        for name in [name for name in ("memory", "pids", "") if name in tops]:  # the last counts
            joined.append(life.cgroup(tops[name]))
            puppet = life.puppet()
            for group in joined:
                move(puppet, group)
            expected[puppet.pid] = cgroup_of(puppet.pid, name)
            end(puppet)
    assert len(set(expected.values())) == len(tops)
    for pid, path in expected.items():
        assert record_of(exits, pid).cgroup == path


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (["docker", ID], {"container": ("docker", ID)}),
        ([f"docker-{ID}.scope"], {"container": ("docker", ID), "unit": f"docker-{ID}.scope"}),
        (
            ["kubepods", "burstable", f"pod{POD}", ID],
            {"container": ("kubernetes", ID), "pod": POD},
        ),
        (["a.service"], {"unit": "a.service"}),
        (
            ["user-1000.slice", "user@1000.service", "app.slice", "b.service"],
            {"unit": "user@1000.service", "user_unit": "b.service"},
        ),
        ([f"mine-{ID}"], {}),
    ],
)
def test_what_a_cgroup_is_for(
    life: Stage, controller: str, names: list[str], what: dict[str, object]
) -> None:
    record, told = ended_in(life, controller, f"exitsnoop{os.getpid()}.slice", *names)
    assert record.cgroup == told
    for field in ("container", "pod", "unit", "user_unit"):
        assert getattr(record, field) == what.get(field)


# --- a real container ---


@pytest.fixture
def bundle(life: Stage, tmp_path: Path) -> Iterator[Path]:
    """What runc makes a container of, that has lives.c in it and nothing else."""
    need(bool(shutil.which("runc")), "containers need runc")
    bundle, group = tmp_path / "bundle", f"exitsnoop-{os.getpid()}"
    root = bundle / "root"
    root.mkdir(parents=True)
    shutil.copy(life.program, root / "program")
    subprocess.run(["runc", "spec", "--bundle", bundle], check=True)
    config = json.loads((bundle / "config.json").read_text())
    config["process"] |= {"args": ["/program", "in a", "container"], "terminal": False}
    config["process"]["user"] = {"uid": 1234, "gid": 1234}
    config["hostname"] = "inside"
    config["root"] = {"path": "root"}
    config["linux"]["cgroupsPath"] = f"/{group}/docker/{ID}"
    (bundle / "config.json").write_text(json.dumps(config))
    yield bundle
    subprocess.run(["runc", "delete", "--force", ID], check=False, capture_output=True)
    for top in [path for path, kind, _ in mounts() if kind in ("cgroup", "cgroup2")]:
        for left in (f"{group}/docker/{ID}", f"{group}/docker", group):
            with contextlib.suppress(FileNotFoundError):
                (top / left).rmdir()


def test_a_container(life: Stage, bundle: Path) -> None:
    run = 'exec runc run --bundle "$1" "$2"'
    with recorded(fields=("args", "exe", *IDENTITY, *CGROUP)) as exits:
        puppet = life.puppet("sh", "-c", run, "sh", str(bundle), ID)
        assert puppet.inner_pid == 1
        told = {cgroup_of(puppet.pid, name) for name in cgroup_tops()}
        child = int(puppet.ask("fork", 0).split()[0])
        end(puppet)
    inside = [record for record in exits if record.hostname == "inside"]
    assert [record.nspid for record in inside] == [child, 1]
    for record in inside:
        assert record.args == ("/program", "in a", "container")
        assert record.exe == "/program"
        assert record.uid == 1234
        assert record.cgroup in told
        assert record.container == ("docker", ID)
    assert inside[0].ppid == inside[1].pid == puppet.pid
    assert inside[0].parent_comm == "program"


# --- many at once ---


def test_each_of_a_crowd_has_its_context(endings: Path) -> None:
    """Read only when all have ended."""
    with Tracer(fields=["nspid"]) as tracer:
        with subprocess.Popen([endings, "vforks", "12000"], stdout=subprocess.DEVNULL) as parent:
            assert parent.wait(timeout=60) == 0
        tracer.stop()
        records = [record for record in tracer if record.ppid == parent.pid]
        assert not tracer.lost
    assert len(records) == 12_000
    assert [record for record in records if record.nspid != record.pid] == []
