"""What the path of a cgroup names: a container, a pod, a systemd unit.

Paths are as the kernel gives them, from the root of the hierarchy: /system.slice/foo.service.
"""

import re
from functools import lru_cache
from typing import NamedTuple

# Patterns are compiled when the first path comes, after the start, which that would delay.

_POD = (
    r"[/-]kubepods(?:[/-](?:burstable|besteffort))?[/-]pod"
    r"(?P<uid>[0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})"
    r"(?:\.slice)?(?=[/:]|\Z)"
)
_ID = r"(?P<id>[0-9a-f]{64})(?:\.scope)?(?=/|\Z)"
_NOT_SUPERVISOR = r"(?!/supervisor(?:/|\Z))(?=/|\Z)"  # where nspawn itself runs

# Only names with the full id match. So a unit whose name begins with "docker-" is not taken for a
# container, nor is conmon, which watches a container from outside (libpod-conmon-, crio-conmon-).
# A ":" in place of "-" is in paths that were meant for systemd but that the runtime made itself.
# Where the path does not name the runtime, Kubernetes started the container.
_CONTAINERS = (
    ("docker", rf"[/:]docker[-:/]{_ID}"),
    ("containerd", rf"[/:](?:cri-containerd|nerdctl)[-:]{_ID}"),
    ("cri-o", rf"[/:]crio[-:]{_ID}"),
    ("podman", rf"[/:]libpod(?:-payload)?[-:]{_ID}"),
    ("kubernetes", rf"{_POD}/{_ID}"),
    ("lxc", r"/lxc(?:/|\.payload[./])(?P<id>[^/]+)"),
    # machined escapes "-" in the name of a scope, but not in the instance of a service. The
    # names of libvirt's machines, mostly virtual ones, begin with a driver and a number.
    (
        "systemd-nspawn",
        r"/machine-(?!(?:qemu|ch|lxc)\\x2d[0-9]+\\x2d)(?P<id>(?:[\w.]|\\x2d)+)\.scope"
        + _NOT_SUPERVISOR,
    ),
    ("systemd-nspawn", r"/systemd-nspawn@(?P<id>[\w.-]+)\.service" + _NOT_SUPERVISOR),
)

# The rules of systemd's src/basic/unit-name.c. A template without an instance ("user@.service")
# cannot run.
_UNIT = (
    r"[A-Za-z0-9:_.\\-]+(?:@[A-Za-z0-9:_.\\@-]+)?"
    r"\.(?:service|scope|socket|mount|automount|swap|device|target|timer|path)"
)
_SLICE = r"[A-Za-z0-9:_.\\-]+\.slice"
_USER_PART = (
    r"user@(?:0|[1-9][0-9]*)\.service|capsule@[A-Za-z0-9_-]+\.service|session-[A-Za-z0-9]+\.scope"
)


class Container(NamedTuple):
    """A container, as the path of its cgroup names it.

    Attributes:
        runtime: docker, containerd, cri-o, podman, lxc or systemd-nspawn; kubernetes if the path
            names only a pod and not the runtime.
        id: its id, 64 hexadecimal digits; for lxc and systemd-nspawn its name.
    """

    runtime: str
    id: str


def is_cut(path: str) -> bool:
    """Return whether the start of a path is missing: it was too long to be read."""
    return path.startswith("/.../")


@lru_cache(maxsize=1024)
def container(path: str) -> Container | None:
    """Return the innermost container that the path is in, None if it is in no container.

    Virtual machines are not recognised, nor are cgroups whose name is an id alone (as `docker run
    --cgroup-parent` makes them without systemd).
    """
    found = [
        (match.start("id"), runtime, match["id"])
        for runtime, pattern in _CONTAINERS
        for match in re.finditer(pattern, path, re.ASCII)
    ]
    if not found:
        return None
    _, runtime, name = max(found)
    return Container(runtime, name.replace(r"\x2d", "-") if runtime == "systemd-nspawn" else name)


@lru_cache(maxsize=1024)
def pod(path: str) -> str | None:
    """Return the UID of the innermost Kubernetes pod that the path is in, None if it is in no pod.

    It has dashes, as Kubernetes writes it; the UID of a static pod is 32 digits without dashes.
    """
    found: str | None = None
    for match in re.finditer(_POD, path):
        found = match["uid"].replace("_", "-")
    return found


@lru_cache(maxsize=1024)
def unit(path: str) -> str | None:
    """Return the unit of the system's systemd that the path is in, None if it is in no unit.

    `ps -o unit` and the journal's _SYSTEMD_UNIT give the same. For the processes of a user it is
    user@1000.service or a session; for processes in a container, the unit around the container.
    """
    return _unit(_after_slices(path.split("/")))


@lru_cache(maxsize=1024)
def user_unit(path: str) -> str | None:
    """Return the unit of a user's systemd that the path is in, None if it is in no such unit.

    `ps -o uunit` gives the same.
    """
    names = _after_slices(path.split("/"))
    if not names or not re.fullmatch(_USER_PART, names[0]):
        return None
    return _unit(_after_slices(names[1:]))


def _after_slices(names: list[str]) -> list[str]:
    """Return the names of a path, without the slices that it begins with."""
    names = [name for name in names if name]
    for at, name in enumerate(names):
        if not re.fullmatch(_SLICE, _unescape(name)):
            return names[at:]
    return []


def _unit(names: list[str]) -> str | None:
    """Return the first name if it is the name of a unit, else None."""
    name = _unescape(names[0]) if names else ""
    return name if re.fullmatch(_UNIT, name) else None


def _unescape(name: str) -> str:
    """Remove the _ that systemd puts before names that look like files of the kernel."""
    return name.removeprefix("_")
