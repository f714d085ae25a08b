"""What container engines call their containers: read from their state on disk, as they keep it.

Engines write it before a container starts. docker, podman and nerdctl remove it with the container.
"""

import json
import os
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

_DOCKER = ("/var/lib/docker", "/var/snap/docker/common/var-lib-docker")
_DOCKER_CONFIG = "/etc/docker/daemon.json"
_REMAPPED = re.compile(r"[0-9]+\.[0-9]+")  # where docker keeps its state with userns-remap
_PODMAN = ("/var/lib/containers/storage", "/run/containers/storage")
_PODMAN_CONFIG = "/etc/containers/storage.conf"
_CONTAINERS = "containers"  # ends the names of podman's folders, and of the lists in them
_NERDCTL = "/var/lib/nerdctl"
_CONTAINERD = ("/run/containerd", "/run/k3s/containerd")
_MACHINES = ("/run/systemd/machines", "/var/lib/lxc")
_TASKS = "io.containerd.runtime.v2.task"
_MOST_BYTES = 8 << 20  # of a file: these are some KB


class Called(NamedTuple):
    """What an engine calls a container, and the pod that it started it for; None if unknown."""

    container: str | None = None
    pod: str | None = None
    namespace: str | None = None


def called(runtime: str, number: str) -> Called:
    """Return what its engine calls the container with this id.

    Args:
        runtime: as of model.cgroup.Container.
        number: its id, 64 hexadecimal digits.
    """
    if runtime == "docker":
        return Called(_by_docker(number))
    if runtime == "podman":
        return Called(_by_podman(number))
    if runtime == "cri-o":
        return _by_kubelet(_annotations_of_crio(number), "io.kubernetes.", "container.", "pod.")
    if runtime in ("containerd", "kubernetes"):
        return _by_containerd(number)
    return Called()


def named() -> Iterator[tuple[str, str]]:
    """Iterate over the names and ids of the containers of docker, podman and nerdctl."""
    for folder in _of_docker():
        for number in _listed(folder):
            name = _name_by_docker(f"{folder}/{number}")
            if name:
                yield name, number
    for path in _lists_of_podman():
        yield from ((name, number) for number, name in _in_list(path))
    for address in _listed(_NERDCTL):
        for namespace in _listed(f"{_NERDCTL}/{address}/names"):
            folder = f"{_NERDCTL}/{address}/names/{namespace}"
            for name in _listed(folder):
                yield name, (_text(f"{folder}/{name}") or "").strip()


def machines() -> Iterator[str]:
    """Iterate over the names of the machines of systemd-nspawn that run, and of lxc."""
    for folder in _MACHINES:
        yield from _listed(folder)


def _of_docker() -> Iterator[str]:
    """Iterate over the folders that may have docker's containers."""
    config = _json(_DOCKER_CONFIG)
    moved = config.get("data-root") if isinstance(config, dict) else None
    for top in dict.fromkeys([*([moved] if isinstance(moved, str) else []), *_DOCKER]):
        yield f"{top}/containers"
        for folder in _listed(top):
            if _REMAPPED.fullmatch(folder):
                yield f"{top}/{folder}/containers"


def _name_by_docker(folder: str) -> str | None:
    found = _json(f"{folder}/config.v2.json")
    name = found.get("Name") if isinstance(found, dict) else None
    return name.removeprefix("/") or None if isinstance(name, str) else None


def _by_docker(number: str) -> str | None:
    return next(filter(None, (_name_by_docker(f"{one}/{number}") for one in _of_docker())), None)


def _tops_of_podman() -> list[str]:
    config = _text(_PODMAN_CONFIG) or ""
    moved = re.findall(r'^\s*(?:graphroot|runroot)\s*=\s*"([^"]+)"', config, re.M)
    return [*dict.fromkeys([*moved, *_PODMAN])]


def _lists_of_podman() -> Iterator[str]:
    for top in _tops_of_podman():
        for folder in _listed(top):
            if folder.endswith(f"-{_CONTAINERS}"):
                for name in _listed(f"{top}/{folder}"):
                    if name.endswith(f"{_CONTAINERS}.json"):
                        yield f"{top}/{folder}/{name}"


def _in_list(path: str) -> Iterator[tuple[str, str]]:
    """Iterate over the ids in a list of podman's, and each of their names."""
    found = _json(path)
    for one in found if isinstance(found, list) else []:
        for name in one.get("names") or [] if isinstance(one, dict) else []:
            yield str(one.get("id")), str(name)


def _by_podman(number: str) -> str | None:
    lists = (pair for path in _lists_of_podman() for pair in _in_list(path))
    return next((name for one, name in lists if one == number), None)


def _annotations_of_crio(number: str) -> dict[str, Any]:
    for top in reversed(_tops_of_podman()):  # the configuration is in the runroot
        for folder in _listed(top):
            if folder.endswith(f"-{_CONTAINERS}"):
                found = _annotations(f"{top}/{folder}/{number}/userdata/config.json")
                if found:
                    return found
    return {}


def _by_containerd(number: str) -> Called:
    for top in _CONTAINERD:
        for namespace in _listed(f"{top}/{_TASKS}"):
            found = _annotations(f"{top}/{_TASKS}/{namespace}/{number}/config.json")
            if found:
                of_pod = _by_kubelet(found, "io.kubernetes.cri.", "container-", "sandbox-")
                return of_pod._replace(container=of_pod.container or _part(found, "nerdctl/name"))
    return Called()


def _by_kubelet(found: dict[str, Any], start: str, of_container: str, of_pod: str) -> Called:
    names = (f"{of_container}name", f"{of_pod}name", f"{of_pod}namespace")
    return Called(*(_part(found, f"{start}{name}") for name in names))


def _annotations(path: str) -> dict[str, Any]:
    config = _json(path)
    found = config.get("annotations") if isinstance(config, dict) else None
    return found if isinstance(found, dict) else {}


def _part(found: dict[str, Any], key: str) -> str | None:
    value = found.get(key)
    return value if isinstance(value, str) and value else None


def _listed(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except (OSError, ValueError):
        return []


def _text(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(_MOST_BYTES)
    except (OSError, ValueError):  # also text that is not UTF-8, and a NUL in a name
        return None


def _json(path: str) -> Any:
    try:
        return json.loads(_text(path) or "null")
    except (ValueError, RecursionError):
        return None
