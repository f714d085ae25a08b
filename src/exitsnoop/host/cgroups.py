"""Cgroups of this machine: from a directory to the path.

A path here is as the kernel gives it, from the root of the hierarchy: /system.slice/foo.service.
"""

import os
import re

from exitsnoop.host.processes import in_first_namespace

_MOUNTS = "/proc/self/mountinfo"


def resolve(path: str) -> str:
    """Return the path of a cgroup from the root of its hierarchy; "/" is the root.

    path: its directory in a mounted cgroup file system of any version, or its path, with or without
    the leading slash. If both exist, the directory counts.

    Raises ValueError if there is no such cgroup, or if this process sees only a part of the
    hierarchy, so that paths mean something else to it.
    """
    if not in_first_namespace("cgroup"):
        raise ValueError(
            "this process is in a cgroup namespace of its own, where paths are not the host's: "
            "use the host's namespace (docker run --cgroupns=host)"
        )
    names = [name for name in path.split("/") if name not in ("", ".")]
    if path.startswith("/") and not names:
        return "/"
    mounts = _mounts()
    found = _of_directory(path, mounts) if path else None
    if found is None and (path.startswith("/") or names[:1] == path.split("/")[:1]):
        whole = "/" + "/".join(names)
        for root, point in mounts:
            below = _below(whole, root)
            if below is not None and _of_directory(point + below, mounts) == whole:
                return whole
    if found is None:
        raise ValueError(
            f"there is no cgroup {path!r}: give its directory below /sys/fs/cgroup, or its path "
            "from the root of the hierarchy, such as /system.slice"
        )
    return found


def _of_directory(directory: str, mounts: list[tuple[str, str]]) -> str | None:
    """Return the path of the cgroup at a directory, None if it is not a cgroup."""
    directory = os.path.realpath(directory)
    if not os.path.isdir(directory):
        return None
    for root, point in reversed(mounts):  # a later mount hides an earlier one
        below = _below(directory, point)
        if below is not None:
            return root.rstrip("/") + below or "/"
    return None


def _below(path: str, top: str) -> str | None:
    """Return the rest of a path below top: empty, or from "/" on; None if it is not below top."""
    top = top.rstrip("/")
    return path[len(top) :] if f"{path}/".startswith(f"{top}/") else None


def _mounts() -> list[tuple[str, str]]:
    """Return (root, mount point) of each mounted cgroup file system, in the order of mounting."""
    mounts = []
    with open(_MOUNTS, encoding="utf-8", errors="surrogateescape", newline="\n") as lines:
        for line in lines:
            mount, _, system = line.partition(" - ")
            if system.startswith(("cgroup ", "cgroup2 ")):
                root, point = mount.split(" ")[3:5]
                mounts.append((_plain(root), _plain(point)))
    return mounts


def _plain(field: str) -> str:
    """Undo the escapes of mountinfo: a backslash and three octal digits."""
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), field)
