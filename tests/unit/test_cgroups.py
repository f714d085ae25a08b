"""Directories of cgroup file systems, and the paths that they stand for."""

import re
from pathlib import Path

import pytest

from exitsnoop.host import cgroups, processes

A = "4f3a9c1d" * 8


class Machine:
    """Directories for cgroup file systems, a list of mounts and a namespace, all made up."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.mountinfo = root / "mountinfo"
        self.mountinfo.write_text("22 27 0:21 / /proc rw,relatime - proc proc rw\n")
        patch.setattr(cgroups, "_MOUNTS", str(self.mountinfo))
        namespaces = root / "ns"
        namespaces.mkdir()
        (namespaces / "cgroup").touch()
        patch.setattr(processes, "_NAMESPACES", str(namespaces))
        first = {"cgroup": (namespaces / "cgroup").stat().st_ino}
        patch.setattr(processes, "_FIRST_NAMESPACE", first)

    def mount(self, name: str, *cgroups: str, root: str = "/", system: str = "cgroup2") -> str:
        point = self.root / name
        for below in ("", *cgroups):
            (point / below).mkdir(parents=True, exist_ok=True)
        root, escaped = (
            re.sub(r"[ \t\n\\]", lambda odd: f"\\{ord(odd[0]):03o}", text)
            for text in (root, str(point))
        )
        with self.mountinfo.open("a") as lines:
            print(f"35 24 0:30 {root} {escaped} rw shared:9 - {system} none rw", file=lines)
        return str(point)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_a_directory_or_a_path_from_the_root(machine: Machine) -> None:
    point = machine.mount("unified", "system.slice/nginx.service")
    for path in (
        f"{point}/system.slice/nginx.service",
        f"{point}//system.slice/./nginx.service/",
        f"{point}/system.slice/../system.slice/nginx.service",
        "/system.slice/nginx.service",
        "//system.slice/nginx.service/",
        "/./system.slice/nginx.service",
        "system.slice/nginx.service",
        "system.slice/./nginx.service/",
    ):
        assert cgroups.resolve(path) == "/system.slice/nginx.service"


def test_the_root(machine: Machine) -> None:
    point = machine.mount("unified")
    for path in ("/", "//", "/.", point, f"{point}/"):
        assert cgroups.resolve(path) == "/"


def test_a_directory_may_be_relative_and_linked(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = machine.mount("cpu,cpuacct", "a.slice/b.slice", system="cgroup")
    (machine.root / "cpu").symlink_to(point)
    assert cgroups.resolve(f"{machine.root}/cpu/a.slice") == "/a.slice"
    monkeypatch.chdir(f"{point}/a.slice")
    assert cgroups.resolve(".") == "/a.slice"
    assert cgroups.resolve("b.slice") == "/a.slice/b.slice"
    assert cgroups.resolve("a.slice") == "/a.slice"
    assert cgroups.resolve("..") == "/"
    with pytest.raises(ValueError, match="no cgroup"):
        cgroups.resolve("")


def test_any_of_several_hierarchies(machine: Machine) -> None:
    for name, system in (("memory", "cgroup"), ("pids", "cgroup"), ("unified", "cgroup2")):
        point = machine.mount(name, f"only/{name}", system=system)
        assert cgroups.resolve(f"{point}/only/{name}") == f"/only/{name}"
    for name in ("memory", "pids", "unified"):
        assert cgroups.resolve(f"/only/{name}") == f"/only/{name}"


def test_a_part_of_the_hierarchy_is_mounted(machine: Machine) -> None:
    """As in a container that has the host's cgroup namespace."""
    point = machine.mount("cgroup", "inner", root=f"/docker/{A}")
    assert cgroups.resolve(point) == f"/docker/{A}"
    assert cgroups.resolve(f"{point}/inner") == f"/docker/{A}/inner"
    assert cgroups.resolve(f"/docker/{A}/inner") == f"/docker/{A}/inner"
    assert cgroups.resolve("/") == "/"
    for path in ("/inner", "/docker", f"/docker/{A}0"):
        with pytest.raises(ValueError, match="no cgroup"):
            cgroups.resolve(path)


def test_mounts_within_and_over_others(machine: Machine) -> None:
    point = machine.mount("unified", "hidden", "a/b")
    machine.mount("unified/a", root="/other")
    assert cgroups.resolve(f"{point}/a/b") == "/other/b"
    assert cgroups.resolve("/other/b") == "/other/b"
    with pytest.raises(ValueError, match="no cgroup"):
        cgroups.resolve("/a/b")
    machine.mount("unified", root="/over")
    assert cgroups.resolve(f"{point}/hidden") == "/over/hidden"
    with pytest.raises(ValueError, match="no cgroup"):
        cgroups.resolve("/hidden")


def test_odd_names(machine: Machine) -> None:
    name = r"machine-my\x2dbox.scope"
    point = machine.mount("a b\t\\040\r", "größe", "x\ny", root=f"/{name}")
    assert cgroups.resolve(f"{point}/größe") == f"/{name}/größe"
    assert cgroups.resolve(f"/{name}/x\ny") == f"/{name}/x\ny"


@pytest.mark.parametrize(
    "path", ["", ".", "..", "./a", "/a/../a", "/b", "b", "/a/file", "/a\n", "{root}", "{root}/none"]
)
def test_no_such_cgroup(machine: Machine, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    point = machine.mount("unified", "a")
    Path(point, "a", "file").touch()
    monkeypatch.chdir(machine.root)
    with pytest.raises(ValueError, match=r"there is no cgroup .*: give its directory"):
        cgroups.resolve(path.format(root=machine.root))


def test_only_cgroup_file_systems_count(machine: Machine) -> None:
    machine.mount("cgroup")
    point = machine.mount("cgroup2", "a", system="tmpfs")
    for path in (f"{point}/a", "/a"):
        with pytest.raises(ValueError, match="no cgroup"):
            cgroups.resolve(path)


def test_in_a_namespace_nothing_can_be_told(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = machine.mount("unified")
    monkeypatch.setattr(processes, "_FIRST_NAMESPACE", {"cgroup": 1})
    for path in (point, "/"):
        with pytest.raises(ValueError, match=r"namespace of its own.*--cgroupns=host"):
            cgroups.resolve(path)
    monkeypatch.setattr(processes, "_NAMESPACES", f"{machine.root}/none")
    assert cgroups.resolve(point) == "/"
