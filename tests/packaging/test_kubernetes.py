"""The manifests in packaging/kubernetes: valid, with few rights, and these rights suffice."""

import contextlib
import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from support.machine import need_to_trace
from support.manifests import MANIFESTS, WITH_METRICS, Object, container_of, pod_of, rendered
from support.recorded import record
from support.recorder import Recorder
from support.services import need_program
from support.shipping import made
from support.waiting import until

ROOT = Path(__file__).parents[2]
VERSIONS = ("1.25", "1.30", "1.37")
STORE = "/var/lib/exitsnoop"


@pytest.fixture(params=[MANIFESTS, WITH_METRICS], ids=lambda directory: directory.name)
def objects(request: pytest.FixtureRequest) -> list[Object]:
    return rendered(request.param)


@pytest.fixture(scope="module")
def pod() -> Object:
    return pod_of(rendered(MANIFESTS))


@pytest.fixture(scope="module")
def pod_with_metrics() -> Object:
    return pod_of(rendered(WITH_METRICS))


@pytest.mark.parametrize("version", VERSIONS)
def test_they_are_valid(objects: list[Object], version: str) -> None:
    """Also no field is misspelt: strict."""
    assert len(objects) == 4
    for one in objects:
        kubernetes_validate.validate(one, version, strict=True)
    objects[-1]["spec"]["podSelectors"] = objects[-1]["spec"].pop("podSelector")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(objects[-1], version, strict=True)
    objects[-1]["spec"]["podSelector"] = objects[-1]["spec"].pop("podSelectors")


def test_each_object_is_in_its_namespace(objects: list[Object]) -> None:
    names = {one["metadata"].get("namespace", one["metadata"]["name"]) for one in objects}
    assert names == {"exitsnoop"}
    assert not {one["kind"] for one in objects} & {"ClusterRole", "ClusterRoleBinding", "Role"}


def test_it_has_few_rights(pod: Object) -> None:
    """No API server, no socket of a container runtime, nothing of the node that it could change."""
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "runAsUser": 0,
        "privileged": False,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"], "add": ["BPF", "PERFMON"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostIPC", "initContainers"} & pod.keys()
    paths = {volume["name"]: volume["hostPath"]["path"] for volume in pod["volumes"]}
    mounts = {paths[one["name"]]: one.get("readOnly", False) for one in container["volumeMounts"]}
    assert mounts == {STORE: False, "/var/log/containers": True, "/var/log/pods": True}


def test_metrics_need_less(pod: Object, pod_with_metrics: Object) -> None:
    """The recorder is the same. Who answers Prometheus has fewer rights."""
    assert container_of(pod_with_metrics, "record") == container_of(pod, "record")
    assert len(pod_with_metrics["containers"]) == 2
    container = container_of(pod_with_metrics, "metrics")
    assert container["image"] == container_of(pod, "record")["image"]
    rights = container["securityContext"]
    assert rights == container_of(pod, "record")["securityContext"] | {
        "capabilities": {"drop": ["ALL"]}
    }
    paths = {one["name"]: one["hostPath"]["path"] for one in pod_with_metrics["volumes"]}
    mounts = {paths[one["name"]]: one.get("readOnly", False) for one in container["volumeMounts"]}
    assert mounts == {STORE: True, "/var/lib/exitsnoop-ship": False}
    (policy,) = [one for one in rendered(WITH_METRICS) if one["kind"] == "NetworkPolicy"]
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert "egress" not in policy["spec"]
    (port,) = container["ports"]
    assert policy["spec"]["ingress"] == [{"ports": [{"port": port["containerPort"]}]}]


def config(pod: Object, container: Object, bundle: Path) -> Object:
    """Return what a container runtime makes of the pod: config.json of the OCI, without seccomp.

    The root is this machine's own, so that the exitsnoop which is tested runs in it. The volumes
    are directories of the bundle.
    """
    rights = container["securityContext"]
    held = [f"CAP_{name}" for name in rights["capabilities"].get("add", [])]
    apart = ["mount", "uts", "ipc", "network"] + ["pid"] * (not pod["hostPID"])
    return {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": rights["runAsUser"], "gid": 0},
            "args": [sys.executable, "-B", "-m", "exitsnoop", *container["args"]],
            "env": ["PATH=/usr/bin:/bin"],
            "cwd": "/",
            "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), held),
            "noNewPrivileges": not rights["allowPrivilegeEscalation"],
        },
        "root": {"path": str(bundle / "root"), "readonly": rights["readOnlyRootFilesystem"]},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/sys", "type": "bind", "source": "/sys", "options": ["rbind", "ro"]},
            *(
                {
                    "destination": one["mountPath"],
                    "type": "bind",
                    "source": str(bundle / one["name"]),
                    "options": ["rbind"] + ["ro"] * one.get("readOnly", False),
                }
                for one in container["volumeMounts"]
            ),
        ],
        "linux": {"namespaces": [{"type": name} for name in apart]},
    }


@contextlib.contextmanager
def running(pod: Object, name: str, bundle: Path) -> "Iterator[subprocess.Popen[str]]":
    """Run a container of the pod in a mount namespace of its own, until the block or it ends.

    runc calls it as the bundle is called.
    """
    (bundle / "root").mkdir()
    for volume in pod["volumes"]:
        (bundle / volume["name"]).mkdir(exist_ok=True)
    (bundle / "config.json").write_text(json.dumps(config(pod, container_of(pod, name), bundle)))
    # The runtime makes the mount points of volumes: in memory, as they must not stay here.
    places = " && ".join(f'mount -t tmpfs tmpfs "$1/root/var/{name}"' for name in ("lib", "log"))
    script = f'mount --rbind / "$1/root" && {places} && exec runc run --bundle "$1" "$2"'
    process = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", script, "sh", bundle, bundle.name],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        subprocess.run(["runc", "delete", "--force", bundle.name], capture_output=True, check=False)
        process.kill()
        process.communicate()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A directory with a name that no other container has."""
    need_to_trace("a container")
    need_program("runc")
    found = tmp_path / f"exitsnoop-{uuid.uuid4()}"
    found.mkdir()
    return found


def test_its_rights_suffice_to_record(pod: Object, bundle: Path) -> None:
    """Those of the DaemonSet, in a real container: another process of the machine is recorded."""
    with running(pod, "record", bundle) as process:
        recorder = Recorder(process, bundle / "store")
        recorder.line("recording to")
        ended = subprocess.Popen(["sh", "-c", "exit 7"])
        ended.wait()
        assert recorder.stop() == 0
    (found,) = [one for one in recorder.exits() if one.pid == ended.pid]
    assert (found.exit_code, found.ppid) == (7, os.getpid())
    assert found.cause
    assert found.cause.text == "exit 7"


def asked(bundle: Path) -> str:
    """Return the metrics, asked for in the network of the container; "" if it has none yet."""
    found = subprocess.run(["runc", "state", bundle.name], capture_output=True, check=False)
    if found.returncode:
        return ""
    pid = str(json.loads(found.stdout)["pid"])
    get = "from urllib.request import urlopen as get; print(get('http://127.0.0.1:9787/metrics').read())"
    words = ["nsenter", "--net", "--target", pid, sys.executable, "-c", get]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout


def test_no_rights_suffice_to_count(pod_with_metrics: Object, bundle: Path) -> None:
    record(bundle / "store", made(range(1, 11)))
    with running(pod_with_metrics, "metrics", bundle) as process:
        until(lambda: 'exitsnoop_exits_total{cause="exited",result="code"} 2.0' in asked(bundle))
        process.terminate()
        assert process.wait() == 0
    assert list((bundle / "counters").iterdir())


def test_prometheus_takes_the_configuration_of_the_page(tmp_path: Path) -> None:
    """As far as Debian's Prometheus knows it: it is built without discovery in Kubernetes."""
    page = (ROOT / "docs" / "kubernetes.md").read_text()
    (lines,) = re.findall(r"^```yaml\n(scrape_configs:.*?)^```$", page, re.M | re.S)
    found = yaml.safe_load(lines)
    (job,) = found["scrape_configs"]
    names = {"names": ["exitsnoop"]}
    assert job.pop("kubernetes_sd_configs") == [{"role": "pod", "namespaces": names}]
    (port,) = container_of(pod_of(rendered(WITH_METRICS)), "metrics")["ports"]
    assert job["relabel_configs"][0]["regex"] == port["name"]
    file = tmp_path / "prometheus.yml"
    file.write_text(yaml.safe_dump(found))
    words = [need_program("promtool"), "check", "config", str(file)]
    assert "SUCCESS" in subprocess.check_output(words, text=True)
