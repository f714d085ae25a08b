"""The image for Kubernetes: built as the page says, run with the rights of the manifests."""

import os
import re
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from support.containerd import Containerd, containerd
from support.machine import need, need_to_trace
from support.manifests import WITH_METRICS, Object, container_of, pod_of, rendered
from support.recorder import Recorder
from support.services import LIMITS, need_program, removed
from support.waiting import until

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "kubernetes.md").read_text()
ASK = (
    "from urllib.request import urlopen as get; print(get('http://127.0.0.1:9787/metrics').read())"
)
EX_NOPERM = 77
BPF_AND_PERFMON = 1 << 39 | 1 << 38
COUNTED = re.compile(r'exitsnoop_exits_total\{cause="exited",result="code"\} [1-9]')


class Image(NamedTuple):
    """An image.

    Attributes:
        podman: what has built it, as the first words of a command.
        archive: what that has saved.
    """

    podman: list[str]
    archive: Path
    name: str


@pytest.fixture(scope="module")
def built() -> Iterator[Image]:
    """Build it with podman as the page does.

    Its base is a Debian without Python, from the archives of this machine: no registry is asked.
    """
    need_to_trace("a container")
    need_program("runc")
    need(bool(list((ROOT / "dist").glob("*.deb"))), "there is no Debian package: run `make deb`")
    (build,) = re.findall(r"^podman build (.*)$", PAGE, re.M)
    (tag,) = re.findall(r"--tag (\S+)", build)
    with tempfile.TemporaryDirectory() as name:  # podman takes no long names
        directory = Path(name)
        storage = [f"--root={directory}/root", f"--runroot={directory}/run"]
        podman = [need_program("podman"), *storage, "--cgroup-manager=cgroupfs", "--runtime=runc"]
        bare = [f"{ROOT}/tools/bare-debian", "apt", name]
        pack = ["tar", "--create", "--one-file-system", "--directory=/", "."]
        try:
            with subprocess.Popen([*bare, *pack], stdout=subprocess.PIPE) as debian:
                load = [*podman, "import", "--quiet", "-", "base"]
                subprocess.run(load, stdin=debian.stdout, check=True)
            assert debian.returncode == 0
            options = ["--build-arg=BASE=localhost/base", "--network=host", *build.split()]
            subprocess.run([*podman, "build", *options], cwd=ROOT, check=True)
            archive = directory / "image.tar"
            save = ["save", "--format=oci-archive", f"--output={archive}", tag]
            subprocess.run([*podman, *save], check=True)
            yield Image(podman, archive, tag)
        finally:
            subprocess.run(["umount", f"{directory}/root/overlay"], check=False)


@pytest.fixture
def pod() -> Object:
    return pod_of(rendered(WITH_METRICS))


@pytest.fixture
def volumes(pod: Object, tmp_path: Path) -> dict[str, Path]:
    found = {volume["name"]: tmp_path / volume["name"] for volume in pod["volumes"]}
    for path in found.values():
        path.mkdir()
    return found


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    """What the page makes of podman's seccomp profile."""
    need_program("jq")
    ((lines, name),) = re.findall(r"^(jq .*?>(\S+))$", PAGE, re.M | re.S)
    subprocess.run(["bash", "-euc", lines], cwd=tmp_path, check=True)
    return tmp_path / str(name)


def rights(pid: int) -> tuple[int, int, int]:
    """Return the capabilities that a process can get, whether it can gain any, and its seccomp."""
    text = Path(f"/proc/{pid}/status").read_text()
    names = (("CapBnd", 16), ("NoNewPrivs", 10), ("Seccomp", 10))
    bounding, no_new, seccomp = (
        int(re.findall(rf"^{name}:\s*(\w+)", text, re.M)[0], base) for name, base in names
    )
    return bounding, no_new, seccomp


@pytest.fixture
def engine(built: Image) -> Iterator[Containerd]:
    with tempfile.TemporaryDirectory() as name, containerd(Path(name)) as found:
        found.do("images", "import", built.archive)
        yield found


def test_it_records_counts_and_answers(
    built: Image, engine: Containerd, pod: Object, volumes: dict[str, Path]
) -> None:
    """In containerd: its own seccomp profile, a root that is read-only, no other capability."""
    parts = {name: container_of(pod, name) for name in ("record", "metrics")}
    record, metrics = (
        engine.running(built.name, pod, parts[name], volumes) for name in ("record", "metrics")
    )
    with record as process:
        recorder = Recorder(process, volumes["store"])
        recorder.line("recording to")
        with metrics as counter:
            until(lambda: "exitsnoop_build_info" in engine.asked("metrics", ASK))
            ended = subprocess.Popen(["sh", "-c", "exit 7"])
            ended.wait()
            until(lambda: bool(COUNTED.search(engine.asked("metrics", ASK))))
            pids = {name: engine.pid(name) for name in parts}
            assert {name: rights(pid) for name, pid in pids.items()} == {
                "record": (BPF_AND_PERFMON, 1, 2),
                "metrics": (0, 1, 2),
            }
            counter.terminate()
            assert counter.wait() == 0
        told = engine.inside("record", "exitsnoop", "why", str(ended.pid))
        assert "exit 7" in told
        probe = parts["record"]["livenessProbe"]["exec"]["command"]
        assert "recording" in engine.inside("record", *probe)
        assert recorder.stop() == 0
    (found,) = [one for one in recorder.exits() if one.pid == ended.pid]
    assert (found.exit_code, found.ppid) == (7, os.getpid())


@pytest.mark.parametrize("allows", [False, True], ids=["of podman", "of the page"])
def test_podman_lets_it_record_with_the_profile_of_the_page(
    built: Image, pod: Object, volumes: dict[str, Path], profile: Path, allows: bool
) -> None:
    name = f"exitsnoop-{uuid.uuid4()}"
    own = [f"--security-opt=seccomp={profile}"] if allows else []
    words = [*built.podman, "run", "--rm", f"--name={name}", "--network=none", *LIMITS, *own]
    part = container_of(pod, "record")
    words += [*options(pod, part, volumes), built.name, *part["args"]]
    with (
        removed(built.podman, name),
        subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as run,
    ):
        recorder = Recorder(run, volumes["store"])
        recorder.line("recording to" if allows else "a container's seccomp profile may forbid it")
        if not allows:
            assert recorder.wait() == EX_NOPERM
            return
        ended = subprocess.Popen(["sh", "-c", "exit 7"])
        ended.wait()
        assert recorder.stop() == 0
    assert ended.pid in [one.pid for one in recorder.exits()]


def options(pod: Object, part: Object, volumes: dict[str, Path]) -> Iterator[str]:
    """What podman calls the rights of a container."""
    limits = part["securityContext"]
    yield from (f"--cap-drop={name}" for name in limits["capabilities"]["drop"])
    yield from (f"--cap-add={name}" for name in limits["capabilities"]["add"])
    yield f"--user={limits['runAsUser']}"
    if limits["readOnlyRootFilesystem"]:
        yield from ("--read-only", "--read-only-tmpfs=false")
    if not limits["allowPrivilegeEscalation"]:
        yield "--security-opt=no-new-privileges"
    if pod["hostPID"]:
        yield "--pid=host"
    for mount in part["volumeMounts"]:
        access = "ro" if mount.get("readOnly") else "rw"
        yield f"--volume={volumes[mount['name']]}:{mount['mountPath']}:{access}"
