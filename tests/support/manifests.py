"""The manifests for Kubernetes, as `kubectl apply -k` sends them."""

import subprocess
from pathlib import Path
from typing import Any

import yaml

from support.services import need_program

PACKAGING = Path(__file__).parents[2] / "packaging"
MANIFESTS = PACKAGING / "kubernetes"
WITH_METRICS = PACKAGING / "kubernetes-metrics"

Object = dict[str, Any]


def rendered(directory: Path) -> list[Object]:
    """Return the objects of a kustomization."""
    found = subprocess.check_output([need_program("kubectl"), "kustomize", directory], text=True)
    return list(yaml.safe_load_all(found))


def pod_of(objects: list[Object]) -> Object:
    (daemons,) = [one for one in objects if one["kind"] == "DaemonSet"]
    found: Object = daemons["spec"]["template"]["spec"]
    return found


def container_of(pod: Object, name: str) -> Object:
    (found,) = [one for one in pod["containers"] if one["name"] == name]
    return dict(found)
