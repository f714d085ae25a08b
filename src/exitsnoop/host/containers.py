"""Containers of this machine: from the names that people give them to their ids."""

import json
import os
from collections.abc import Iterator

_DOCKER = "/var/lib/docker/containers"
_PODMAN = ("/var/lib/containers/storage", "/run/containers/storage")
_CONTAINERS = "containers"  # ends the names of podman's folders, and of the lists in them
_NERDCTL = "/var/lib/nerdctl"


def ids(name: str) -> list[str]:
    """Return the ids of the containers that docker, podman or nerdctl call by this name.

    They are read from their state on disk: a container that was removed is not there any more.
    What this user may not read does not count.
    """
    return [found for called, found in _named() if called == name]


def _named() -> Iterator[tuple[str, str]]:
    yield from _of_docker()
    yield from _of_podman()
    yield from _of_nerdctl()


def _of_docker() -> Iterator[tuple[str, str]]:
    for folder in _listed(_DOCKER):
        found = _json(f"{_DOCKER}/{folder}/config.v2.json")
        if isinstance(found, dict) and isinstance(found.get("Name"), str):
            yield found["Name"].removeprefix("/"), folder


def _of_podman() -> Iterator[tuple[str, str]]:
    for top in _PODMAN:
        for folder in _listed(top):
            if folder.endswith(f"-{_CONTAINERS}"):
                for name in _listed(f"{top}/{folder}"):
                    if name.endswith(f"{_CONTAINERS}.json"):
                        yield from _of_list(_json(f"{top}/{folder}/{name}"))


def _of_list(found: object) -> Iterator[tuple[str, str]]:
    for one in found if isinstance(found, list) else []:
        for name in one.get("names") or [] if isinstance(one, dict) else []:
            yield str(name), str(one.get("id"))


def _of_nerdctl() -> Iterator[tuple[str, str]]:
    for address in _listed(_NERDCTL):
        for namespace in _listed(f"{_NERDCTL}/{address}/names"):
            folder = f"{_NERDCTL}/{address}/names/{namespace}"
            for name in _listed(folder):
                yield name, (_text(f"{folder}/{name}") or "").strip()


def _listed(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _text(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        return None


def _json(path: str) -> object:
    try:
        return json.loads(_text(path) or "null")
    except ValueError:
        return None
