"""What people call containers, as docker, podman, nerdctl and Kubernetes keep it on disk."""

import json
import shutil
import threading
from pathlib import Path

import pytest
from support.waiting import PATIENCE_S, until

from exitsnoop.host import containers, engines, pods
from exitsnoop.host.containers import Names
from exitsnoop.host.engines import Called

ID = "4f3a" * 16
OTHER = "5b2c" * 16
POD = "0a1b2c3d-1111-2222-3333-444455556666"
STATIC = "0a1b2c3d0a1b2c3d0a1b2c3d0a1b2c3d"


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the engines and kubelet keep their state."""
    places = {
        "_DOCKER": (str(tmp_path / "docker"),),
        "_DOCKER_CONFIG": str(tmp_path / "daemon.json"),
        "_NERDCTL": str(tmp_path / "nerdctl"),
        "_CONTAINERD": (str(tmp_path / "containerd"),),
        "_PODMAN": (str(tmp_path / "podman"), str(tmp_path / "podman-run")),
        "_PODMAN_CONFIG": str(tmp_path / "storage.conf"),
    }
    for name, place in places.items():
        monkeypatch.setattr(engines, name, place)
    monkeypatch.setattr(pods, "_LOGS", str(tmp_path / "log"))
    monkeypatch.setattr(containers, "_PATIENCE_S", PATIENCE_S)  # also on a busy machine
    monkeypatch.setattr(containers, "_SAVED_S", PATIENCE_S)
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def docker(disk: Path, number: str, name: str, top: str = "docker") -> None:
    write(disk / top / "containers" / number / "config.v2.json", json.dumps({"Name": f"/{name}"}))


def started(disk: Path, number: str, annotations: dict[str, str], namespace: str) -> None:
    """As containerd writes the configuration of a container for runc."""
    tasks = disk / "containerd/io.containerd.runtime.v2.task"
    write(tasks / namespace / number / "config.json", json.dumps({"annotations": annotations}))


def link(disk: Path, name: str) -> None:
    """As kubelet links the log of a container; the log itself may be gone."""
    (disk / "log/containers").mkdir(parents=True, exist_ok=True)
    (disk / "log/containers" / name).symlink_to("/var/log/pods/gone")


def test_each_finds_its_own(disk: Path) -> None:
    docker(disk, ID, "web")
    docker(disk, OTHER, "db")
    listed = [{"id": OTHER, "names": ["web", "alias"]}, {"id": "x"}]
    write(disk / "podman/overlay-containers/containers.json", json.dumps(listed))
    write(disk / "nerdctl" / "1935db59" / "names" / "default" / "shop", f"{ID}\n")
    started(disk, ID, {"nerdctl/name": "shop"}, "default")
    assert containers.ids("web") == [ID, OTHER]
    assert containers.ids("alias") == [OTHER]
    assert containers.ids("shop") == [ID]
    assert containers.ids("we") == []
    names = Names()
    assert names.of("docker", ID, None) == ("web", None, None)
    assert names.of("docker", OTHER, None) == ("db", None, None)
    assert names.of("podman", OTHER, None) == ("web", None, None)
    assert names.of("containerd", ID, None) == ("shop", None, None)
    assert names.of("podman", ID, None) == Called()
    assert names.of("lxc", "c1", None) == ("c1", None, None)
    assert names.of(None, None, None) == Called()


@pytest.mark.parametrize(
    "place",
    [
        "podman/vfs-containers/containers.json",
        "podman/btrfs-containers/containers.json",
        "podman/overlay-containers/volatile-containers.json",
        "podman-run/overlay-containers/volatile-containers.json",
    ],
)
def test_podman_names_its_folders_after_the_storage_driver(disk: Path, place: str) -> None:
    """As podman 4.3 with the driver vfs does, which was looked at."""
    write(disk / place, json.dumps([{"id": ID, "names": ["web"]}]))
    assert containers.ids("web") == [ID]
    assert Names().of("podman", ID, None).container == "web"


def test_state_that_was_moved(disk: Path) -> None:
    """By docker's data-root and userns-remap, and by podman's graphroot."""
    write(disk / "daemon.json", json.dumps({"data-root": str(disk / "big")}))
    write(disk / "storage.conf", f'[storage]\ngraphroot = "{disk}/pods"\n')
    docker(disk, ID, "web", "big")
    docker(disk, OTHER, "db", "docker/100000.100000")
    listed = [{"id": ID, "names": ["cache"]}]
    write(disk / "pods/overlay-containers/containers.json", json.dumps(listed))
    names = Names()
    assert names.of("docker", ID, None).container == "web"
    assert names.of("docker", OTHER, None).container == "db"
    assert names.of("podman", ID, None).container == "cache"


@pytest.mark.parametrize("text", ["", "{", "[1]", "7", '{"Name": 7}', '[{"names": null}]', "\0"])
def test_what_cannot_be_read_is_not_there(disk: Path, text: str) -> None:
    write(disk / "docker/containers" / ID / "config.v2.json", text)
    write(disk / "podman/overlay-containers/containers.json", text)
    write(disk / "containerd/io.containerd.runtime.v2.task/k8s.io" / ID / "config.json", text)
    assert containers.ids("web") == []
    for runtime in ("docker", "podman", "cri-o", "containerd", "kubernetes", "unheard-of"):
        assert Names().of(runtime, ID, POD) == Called()


def test_nothing_is_there(disk: Path) -> None:
    assert not list(disk.iterdir())
    assert containers.ids("web") == []
    assert Names().of("docker", ID, POD) == Called()


@pytest.mark.parametrize("runtime", ["containerd", "cri-o", "docker", "kubernetes"])
@pytest.mark.parametrize("uid", [POD, STATIC])
def test_kubernetes_names_by_the_links_of_its_logs(disk: Path, runtime: str, uid: str) -> None:
    """Docker has made-up names for such containers, which nobody looks for."""
    docker(disk, ID, f"k8s_web_api-7d9f_shop_{uid}_0")
    link(disk, f"other-pod_shop_web-{OTHER}.log")
    link(disk, f"api-7d9f.x_shop_web-{ID}.log")
    assert Names().of(runtime, ID, uid) == ("web", "api-7d9f.x", "shop")


def test_a_pod_has_its_name_before_its_containers(disk: Path) -> None:
    (disk / f"log/pods/shop_api-7d9f_{POD}").mkdir(parents=True)
    assert Names().of("containerd", ID, POD) == (None, "api-7d9f", "shop")
    assert Names().of(None, None, POD) == (None, "api-7d9f", "shop")


@pytest.mark.parametrize(
    ("runtime", "start"), [("containerd", "cri."), ("kubernetes", "cri."), ("cri-o", "")]
)
def test_kubernetes_names_by_what_the_runtime_was_given(
    disk: Path, runtime: str, start: str
) -> None:
    keys = ("container-name", "sandbox-name", "sandbox-namespace")
    if runtime == "cri-o":
        keys = ("container.name", "pod.name", "pod.namespace")
    given = {
        f"io.kubernetes.{start}{key}": value
        for key, value in zip(keys, ("web", "api-7d9f", "shop"), strict=True)
    }
    started(disk, ID, given, "k8s.io")
    crio = disk / "podman-run/overlay-containers" / ID / "userdata/config.json"
    write(crio, json.dumps({"annotations": given}))
    assert Names().of(runtime, ID, POD) == ("web", "api-7d9f", "shop")


@pytest.mark.parametrize(
    "name",
    [
        f"api_shop_web-{ID[:-1]}.log",
        f"api_shop_web-{ID}.txt",
        f"a_b_c_web-{ID}.log",
        f"web-{ID}.log",
        f"api_shop_we\nb-{ID}.log",
    ],
)
def test_other_files_among_the_logs_name_nothing(disk: Path, name: str) -> None:
    link(disk, name)
    (disk / f"log/pods/shop_a_b_{POD}").mkdir(parents=True)
    assert Names().of("containerd", ID, POD) == Called()


def test_names_are_kept_when_the_container_is_gone(disk: Path) -> None:
    docker(disk, ID, "web")
    names = Names()
    assert names.of("docker", ID, None).container == "web"
    shutil.rmtree(disk / "docker")
    assert names.of("docker", ID, None).container == "web"
    assert not names.is_due()


@pytest.mark.usefixtures("disk")
def test_what_is_not_there_yet_is_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """After 1, 2, 4 ... 64 seconds; then it is not looked for any more."""
    now = 1000.0
    names = Names(lambda: now)
    looked: list[float] = []

    def note(*_: str) -> Called:
        looked.append(now)
        return Called()

    monkeypatch.setattr(engines, "called", note)
    for _ in range(400):
        now += 0.5
        names.is_due()
        names.of("docker", ID, None)
    assert [round(at - looked[0]) for at in looked] == [0, 1, 3, 7, 15, 31, 63, 127]
    assert not names.is_due()


def test_a_late_link_completes_what_is_known(disk: Path) -> None:
    now = 1000.0
    (disk / f"log/pods/shop_api_{POD}").mkdir(parents=True)
    names = Names(lambda: now)
    assert names.of("containerd", ID, POD) == (None, "api", "shop")
    shutil.rmtree(disk / "log/pods")
    link(disk, f"api_shop_web-{ID}.log")
    assert not names.is_due()
    assert names.of("containerd", ID, POD) == (None, "api", "shop")
    now += 1.1
    assert names.is_due()
    assert names.of("containerd", ID, POD) == ("web", "api", "shop")


@pytest.mark.usefixtures("disk")
def test_a_disk_that_hangs_does_not_stop_the_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name comes later."""
    answers, asked = threading.Event(), threading.Event()

    def slow(*_: str) -> Called:
        asked.set()
        answers.wait()
        return Called("web")

    monkeypatch.setattr(engines, "called", slow)
    monkeypatch.setattr(containers, "_PATIENCE_S", 0.1)
    names = Names()
    assert names.of("docker", ID, None) == Called()
    assert asked.wait(PATIENCE_S)
    assert names.of("docker", OTHER, None) == Called()  # it is not even asked for
    answers.set()
    until(lambda: not names._aside.is_late)
    assert names.of("docker", ID, None) == ("web", None, None)


def test_a_crowd_of_containers_does_not_fill_the_memory(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "_MOST", 10)
    docker(disk, ID, "web")
    names = Names()
    for number in range(50):
        names.of("docker", f"{number:064x}", None)
    assert len(names._known) == 10
    assert names.of("docker", ID, None).container == "web"
