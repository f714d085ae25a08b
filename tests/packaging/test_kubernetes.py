"""The manifests in packaging/kubernetes: valid, with few rights, and these rights suffice."""

import contextlib
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from support.machine import need_to_trace
from support.recorder import Recorder
from support.services import need_program

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "packaging" / "kubernetes"
VERSIONS = ("1.25", "1.30", "1.37")
STORE = "/var/lib/exitsnoop"


@pytest.fixture(scope="module")
def objects() -> list[dict[str, Any]]:
    """The objects that `kubectl apply -k` sends."""
    rendered = subprocess.check_output([need_program("kubectl"), "kustomize", MANIFESTS], text=True)
    return list(yaml.safe_load_all(rendered))


@pytest.fixture(scope="module")
def pod(objects: list[dict[str, Any]]) -> dict[str, Any]:
    (daemons,) = [one for one in objects if one["kind"] == "DaemonSet"]
    found: dict[str, Any] = daemons["spec"]["template"]["spec"]
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_they_are_valid(objects: list[dict[str, Any]], version: str) -> None:
    """Also no field is misspelt: strict."""
    assert len(objects) == 4
    for one in objects:
        kubernetes_validate.validate(one, version, strict=True)
    objects[-1]["spec"]["podSelectors"] = objects[-1]["spec"].pop("podSelector")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(objects[-1], version, strict=True)
    objects[-1]["spec"]["podSelector"] = objects[-1]["spec"].pop("podSelectors")


def test_each_object_is_in_its_namespace(objects: list[dict[str, Any]]) -> None:
    names = {one["metadata"].get("namespace", one["metadata"]["name"]) for one in objects}
    assert names == {"exitsnoop"}
    assert not {one["kind"] for one in objects} & {"ClusterRole", "ClusterRoleBinding", "Role"}


def test_it_has_few_rights(pod: dict[str, Any]) -> None:
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


def config(pod: dict[str, Any], bundle: Path) -> dict[str, Any]:
    """Return what a container runtime makes of the pod: config.json of the OCI, without seccomp.

    The root is this machine's own, so that the exitsnoop which is tested runs in it. The volumes
    are directories of the bundle.
    """
    (container,) = pod["containers"]
    rights = container["securityContext"]
    held = [f"CAP_{name}" for name in rights["capabilities"]["add"]]
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
def container(bundle: Path) -> Iterator[Recorder]:
    """Run a container in a mount namespace of its own, until the block ends or it does."""
    name = f"exitsnoop-{uuid.uuid4()}"
    # The runtime makes the mount points of volumes: in memory, as they must not stay here.
    places = " && ".join(f'mount -t tmpfs tmpfs "$1/root/var/{name}"' for name in ("lib", "log"))
    script = f'mount --rbind / "$1/root" && {places} && exec runc run --bundle "$1" "$2"'
    process = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", script, "sh", bundle, name],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Recorder(process, bundle / "store")
    finally:
        subprocess.run(["runc", "delete", "--force", name], capture_output=True, check=False)
        process.kill()
        process.communicate()


def test_its_rights_suffice_to_record(pod: dict[str, Any], tmp_path: Path) -> None:
    """Those of the DaemonSet, in a real container: another process of the machine is recorded."""
    need_to_trace("a container")
    need_program("runc")
    for name in ("root", *(volume["name"] for volume in pod["volumes"])):
        (tmp_path / name).mkdir()
    (tmp_path / "config.json").write_text(json.dumps(config(pod, tmp_path)))
    with container(tmp_path) as recorder:
        recorder.line("recording to")
        ended = subprocess.Popen(["sh", "-c", "exit 7"])
        ended.wait()
        assert recorder.stop() == 0
    (found,) = [one for one in recorder.exits() if one.pid == ended.pid]
    assert (found.exit_code, found.ppid) == (7, os.getpid())
    assert found.cause
    assert found.cause.text == "exit 7"
