"""Paths as runtimes and systemd make them, and the containers, pods and units that they name."""

import random

import pytest

from exitsnoop.filters.globs import compile_parts, matches
from exitsnoop.model import cgroup
from exitsnoop.model.cgroup import Container, container

A = "4f3a9c1d" * 8
B = "07bd2e65" * 8
UID = "72f7f152-440c-66ac-9084-e0fc1d8a910c"
UID_ = UID.replace("-", "_")
STATIC = "9da3b2a14682e1fb23be3c2492753207"
POD_SLICE = f"kubepods-besteffort-pod{UID_}.slice"
KUBEPODS = f"/kubepods.slice/kubepods-besteffort.slice/{POD_SLICE}"
USER = "/user.slice/user-1000.slice/user@1000.service"


@pytest.mark.parametrize(
    ("path", "runtime", "name"),
    [
        (f"/docker/{A}", "docker", A),
        (f"/docker/{A}/init.scope", "docker", A),
        (f"/docker-ce/docker/{A}", "docker", A),
        (f"/system.slice/docker-{A}.scope", "docker", A),
        (f"/my.slice/docker-{A}.scope/system.slice/nginx.service", "docker", A),
        (f"{USER}/user.slice/docker-{A}.scope", "docker", A),
        (f"/system.slice/system.slice:docker:{A}", "docker", A),
        (f"{KUBEPODS}/docker-{A}.scope", "docker", A),
        (f"{KUBEPODS}/cri-containerd-{A}.scope", "containerd", A),
        (f"/{POD_SLICE}:cri-containerd:{A}", "containerd", A),
        (f"/system.slice/containerd.service/{POD_SLICE}:cri-containerd:{A}", "containerd", A),
        (f"{USER}/user.slice/nerdctl-{A}.scope", "containerd", A),
        (f"{KUBEPODS}/crio-{A}.scope", "cri-o", A),
        (f"{KUBEPODS}/crio-{A}.scope/container", "cri-o", A),
        (f"/kubepods/pod{UID}/crio-{A}", "cri-o", A),
        (f"/{POD_SLICE}:crio:{A}", "cri-o", A),
        (f"/:crio:{A}", "cri-o", A),
        (f"/kubepods/besteffort/pod{UID}/{A}", "kubernetes", A),
        (f"/kubepods/pod{UID}/{A}", "kubernetes", A),
        (f"/kubepods/burstable/pod{STATIC}/{A}/init.scope", "kubernetes", A),
        (f"{KUBEPODS}/{A}", "kubernetes", A),
        (f"/machine.slice/libpod-{A}.scope", "podman", A),
        (f"/machine.slice/libpod-{A}.scope/container", "podman", A),
        (f"/machine.slice/machine-libpod_pod_{B}.slice/libpod-{A}.scope", "podman", A),
        (f"{USER}/user.slice/libpod-{A}.scope/container/x", "podman", A),
        (f"/system.slice/nginx.service/libpod-payload-{A}", "podman", A),
        (f"/libpod_parent/libpod-{A}", "podman", A),
        (f"/libpod_parent/libpod-{A}/ctr", "podman", A),
        ("/lxc/101", "lxc", "101"),
        ("/lxc/101/ns/system.slice/cron.service", "lxc", "101"),
        ("/lxc/lxc/web", "lxc", "lxc"),
        ("/lxc.payload.web-1", "lxc", "web-1"),
        ("/lxc.payload.user-1000_web/system.slice/cron.service", "lxc", "user-1000_web"),
        ("/lxc.payload/web", "lxc", "web"),
        ("/machine.slice/machine-debian.scope", "systemd-nspawn", "debian"),
        (r"/machine.slice/machine-my\x2dbox\x2d2.scope/payload", "systemd-nspawn", "my-box-2"),
        (r"/machine.slice/machine-a.example\x2dx_1.scope", "systemd-nspawn", "a.example-x_1"),
        (r"/machine.slice/machine-qemu\x2dimage.scope", "systemd-nspawn", "qemu-image"),
        ("/machine.slice/systemd-nspawn@my-box.service", "systemd-nspawn", "my-box"),
        ("/machine.slice/systemd-nspawn@a.service/payload/x", "systemd-nspawn", "a"),
        ("/machine.slice/systemd-nspawn@a.service/supervisors", "systemd-nspawn", "a"),
        # The innermost
        (f"/lxc.payload.web/docker/{A}", "docker", A),
        (f"/lxc/101/ns/system.slice/docker-{A}.scope", "docker", A),
        (f"/lxc/docker/{A}", "docker", A),
        (f"/docker/{A}/docker/{B}", "docker", B),
        (f"/system.slice/docker-{A}.scope/lxc/web", "lxc", "web"),
        ("/lxc/a/lxc/b", "lxc", "b"),
        ("/lxc.payload.a/lxc.payload.b/x", "lxc", "b"),
        (f"/docker/{A}/kubelet/kubepods/burstable/pod{UID}/{B}", "kubernetes", B),
        (
            f"/docker/{A}/kubelet.slice/kubelet-kubepods.slice/kubelet-{POD_SLICE}"
            f"/cri-containerd-{B}.scope",
            "containerd",
            B,
        ),
        (f"/machine.slice/machine-a.scope/payload/machine.slice/libpod-{A}.scope", "podman", A),
        # A container's monitor is not in it, but may be in another one.
        (f"/docker/{A}/machine.slice/libpod-conmon-{B}.scope", "docker", A),
        (f"/docker/{A}/lxc.monitor.web", "docker", A),
    ],
)
def test_containers(path: str, runtime: str, name: str) -> None:
    assert container(path) == Container(runtime, name)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/init.scope",
        "/system.slice/docker.service",
        "/system.slice/docker-compose.service",
        f"/system.slice/docker-{A[1:]}.scope",
        f"/system.slice/docker-{A}0.scope",
        f"/system.slice/docker-{A}.service",
        f"/system.slice/docker-{A}.scope\n",
        f"/system.slice/docker-{A.upper()}.scope",
        f"/system.slice/my-docker-{A}.scope",
        "/docker",
        "/docker/buildkit/kq0y4m2vxz7j",
        "/system.slice/system.slice:docker:jvifp9a6b1lxa1kuw8bwfcovf",
        f"/{A}",
        f"/actions_job/{A}",
        f"/pod{UID}/{A}",
        f"/default/{A}",
        KUBEPODS,
        f"/kubepods/besteffort/pod{UID}",
        f"{KUBEPODS}/crio-conmon-{A}.scope",
        f"/machine.slice/libpod-conmon-{A}.scope",
        "/libpod_parent/conmon",
        "/system.slice/nginx.service/runtime",
        "/lxc",
        "/lxc/",
        "/lxcfs/web",
        "/lxc.monitor.web",
        "/lxc.monitor/web",
        "/lxc.pivot",
        "/lxc.payload.",
        r"/machine.slice/machine-qemu\x2d1\x2dwin11.scope/libvirt",
        r"/machine.slice/machine-ch\x2d12\x2dweb.scope",
        r"/machine.slice/machine-lxc\x2d5\x2dweb.scope",
        "/machine.slice/machine-.scope",
        "/machine.slice/machine-a.slice",
        "/machine.slice/machine-a-b.scope",
        "/machine.slice/machine-a.scope/supervisor",
        "/machine.slice/systemd-nspawn@a.service/supervisor",
        "/machine.slice/systemd-nspawn@.service",
        f"{USER}/app.slice/app-gnome-firefox-2811.scope",
    ],
)
def test_not_in_a_container(path: str) -> None:
    assert container(path) is None


def random_path(chance: random.Random) -> str:
    def name(letters: str) -> str:
        return "".join(chance.choices(letters, k=chance.randint(1, 12)))

    def component() -> str:
        digits = "".join(chance.choices("0123456789abcdef", k=64))
        machine = name("aB1._-").replace("-", r"\x2d")
        return chance.choice(
            [
                "docker",
                "lxc",
                "lxc.payload",
                "system.slice",
                f"kubepods/pod{UID}",
                POD_SLICE,
                "supervisor",
                digits,
                chance.choice(["", "a.slice:", ":"])
                + chance.choice("docker libpod libpod-payload crio cri-containerd nerdctl".split())
                + chance.choice("-:")
                + digits
                + chance.choice(["", ".scope"]),
                name("ab-_.:\\/é"),
                f"lxc.payload.{name('ab-_.:@é')}",
                f"machine-{machine}.scope",
                f"systemd-nspawn@{name('aB1._-')}.service",
            ]
        )

    return "".join(f"/{component()}" for _ in range(chance.randint(1, 4)))


def test_a_containers_path_is_found_by_the_start_of_its_id() -> None:
    """By what the kernel side looks for in a path."""
    chance = random.Random(1)
    runtimes = set()
    for _ in range(5000):
        path = random_path(chance)
        found = container(path)
        if found is None:
            continue
        runtimes.add(found.runtime)
        names = b"\0".join(name.encode() for name in reversed(path.split("/")))
        for end in range(1, len(found.id) + 1):
            assert matches(compile_parts([found.id[:end]]), names), (path, found.id[:end])
    assert runtimes == {runtime for runtime, _ in cgroup._CONTAINERS}


@pytest.mark.parametrize(
    ("path", "uid"),
    [
        (KUBEPODS, UID),
        (f"{KUBEPODS}/crio-{A}.scope", UID),
        (f"{KUBEPODS}/crio-conmon-{A}.scope", UID),
        (f"/kubepods.slice/kubepods-pod{UID_}.slice/cri-containerd-{A}.scope", UID),
        (f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{STATIC}.slice", STATIC),
        (f"/{POD_SLICE}:cri-containerd:{A}", UID),
        (f"/kubepods/besteffort/pod{UID}/{A}", UID),
        (f"/kubepods/pod{UID}", UID),
        (f"/kubepods/burstable/pod{STATIC}/{A}", STATIC),
        (f"/docker/{A}/kubelet.slice/kubelet-kubepods.slice/kubelet-{POD_SLICE}", UID),
        (f"/kubepods/pod{STATIC}/{A}/kubepods/pod{UID}/{B}", UID),
        ("/", None),
        ("/kubepods.slice", None),
        ("/kubepods/burstable", None),
        (f"/kubepods/{A}", None),
        (f"/pod{UID}/{A}", None),
        (f"/kubepods/pod{UID}0/{A}", None),
        (f"/machine.slice/machine-libpod_pod_{B}.slice/libpod-{A}.scope", None),
    ],
)
def test_pods(path: str, uid: str | None) -> None:
    assert cgroup.pod(path) == uid


@pytest.mark.parametrize(
    ("path", "unit", "user_unit"),
    [
        ("/", None, None),
        ("", None, None),
        ("/init.scope", "init.scope", None),
        ("/system.slice", None, None),
        ("/system.slice/nginx.service", "nginx.service", None),
        ("//system.slice//nginx.service/", "nginx.service", None),
        ("/system.slice/nginx.service/worker/1", "nginx.service", None),
        ("/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service", None),
        (
            r"/system.slice/system-systemd\x2dfsck.slice/systemd-fsck@dev-disk-by\x2duuid.service",
            r"systemd-fsck@dev-disk-by\x2duuid.service",
            None,
        ),
        ("/system.slice/a@b@c.service", "a@b@c.service", None),
        ("/system.slice/dbus-:1.2-org.x@0.service", "dbus-:1.2-org.x@0.service", None),
        ("/system.slice/var-lib-docker.mount", "var-lib-docker.mount", None),
        ("/system.slice/_cpu.service", "cpu.service", None),
        ("/system.slice/__x.service", "_x.service", None),
        ("/_system.slice/x.service", "x.service", None),
        ("/_.slice/x.service", None, None),
        ("/system.slice/user@.service/x.service", None, None),
        ("/system.slice/a b.service", None, None),
        ("/system.slice/größe.service", None, None),
        ("/system.slice/nginx.service\n", None, None),
        ("/system.slice/nginx", None, None),
        ("/system.slice/.service", None, None),
        ("/system.slice/@a.service", None, None),
        ("/system.slice/a@b.slice/x.service", None, None),
        ("/a.snapshot", None, None),
        ("/elsewhere/system.slice/nginx.service", None, None),
        (f"{USER}", "user@1000.service", None),
        (f"{USER}/init.scope", "user@1000.service", "init.scope"),
        (
            f"{USER}/app.slice/app-gnome-firefox-2811.scope",
            "user@1000.service",
            "app-gnome-firefox-2811.scope",
        ),
        (f"{USER}/app.slice/a-b.slice/_cpu.service/x", "user@1000.service", "cpu.service"),
        (f"{USER}/app.slice", "user@1000.service", None),
        (f"{USER}/worker/x.service", "user@1000.service", None),
        ("/user.slice/user-0.slice/user@0.service/x.service", "user@0.service", "x.service"),
        ("/user.slice/user@me.service/x.service", "user@me.service", None),
        ("/user.slice/user@01.service/x.service", "user@01.service", None),
        ("/user.slice/_user@1.service/x.service", "user@1.service", None),
        ("/capsule.slice/capsule@a-b.service/x.service", "capsule@a-b.service", "x.service"),
        ("/user.slice/user-1000.slice/session-2.scope", "session-2.scope", None),
        ("/user.slice/user-1000.slice/session-c1.scope/x.service", "session-c1.scope", "x.service"),
        ("/session-2.scope/y.slice/x@1.service/z", "session-2.scope", "x@1.service"),
        ("/session-a-b.scope/x.service", "session-a-b.scope", None),
        ("/system.slice/foo.service/x.service", "foo.service", None),
        # Units inside a container are none of the host's.
        (f"/docker/{A}/system.slice/x.service", None, None),
        ("/lxc.payload.web/system.slice/x.service", None, None),
        (f"/lxc/101{USER}/x.service", None, None),
        (f"{KUBEPODS}/{A}/system.slice/x.service", None, None),
        (f"/{POD_SLICE}:cri-containerd:{A}", None, None),
        (f"/system.slice/docker-{A}.scope/init.scope", f"docker-{A}.scope", None),
        (
            "/machine.slice/systemd-nspawn@a.service/payload/system.slice/x.service",
            "systemd-nspawn@a.service",
            None,
        ),
    ],
)
def test_units(path: str, unit: str | None, user_unit: str | None) -> None:
    assert (cgroup.unit(path), cgroup.user_unit(path)) == (unit, user_unit)
