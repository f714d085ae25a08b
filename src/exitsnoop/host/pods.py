"""What Kubernetes calls the containers and pods of this machine: from the names of kubelet's logs.

kubelet makes /var/log/pods/NAMESPACE_POD_UID/ before it creates a pod's containers, and the link
/var/log/containers/POD_NAMESPACE_CONTAINER-ID.log once a container has started. Neither needs the
API server, nor the socket of the runtime, which is as good as root.
"""

import os
import re
from collections.abc import Iterator

from exitsnoop.host.engines import Called

_LOGS = "/var/log"
# Names are those of DNS, so they have no "_".
_LINK = re.compile(r"([a-z0-9.-]+)_([a-z0-9-]+)_([a-z0-9-]+)-([0-9a-f]{64})\.log")
_POD = re.compile(r"([a-z0-9-]+)_([a-z0-9.-]+)_([0-9a-f-]{32,36})")


def of_container(number: str) -> Called:
    """Return what kubelet calls the container with this id."""
    ending = f"-{number}.log"
    for name in _listed("containers"):
        if name.endswith(ending) and (found := _LINK.fullmatch(name)):
            pod, namespace, container, _ = found.groups()
            return Called(container, pod, namespace)
    return Called()


def of_pod(uid: str) -> Called:
    """Return what kubelet calls the pod with this UID; for a static pod, the hash of its config."""
    for name in _listed("pods"):
        if name.endswith(f"_{uid}") and (found := _POD.fullmatch(name)):
            return Called(None, found[2], found[1])
    return Called()


def named() -> Iterator[str]:
    """Iterate over the names of the containers and pods that have logs."""
    for name in _listed("containers"):
        if found := _LINK.fullmatch(name):
            yield from (found[1], found[3])
    for name in _listed("pods"):
        if found := _POD.fullmatch(name):
            yield found[2]


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(f"{_LOGS}/{folder}")
    except OSError:
        return []
