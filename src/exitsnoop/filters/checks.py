"""The checks of filter values. Each returns the value as Filters keeps it.

They raise TypeError for a value of the wrong type, ValueError for one that is out of range.
"""

import os

from exitsnoop.layout import CGROUP_FILTER_BYTES
from exitsnoop.model.fields import groups

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PID_MAX = 4_194_304  # PID_MAX_LIMIT of 64-bit kernels
_LAST_UID = 2**32 - 2  # to the kernel, 2**32 - 1 means no user
LONGEST_S = 100 * 365 * 86_400
_USUAL_MOUNT = "/sys/fs/cgroup/"


def flag(value: "Any") -> bool:
    """Return True or False."""
    if value is not True and value is not False:
        raise TypeError(f"{value!r} is neither True nor False")
    return value


def seconds(value: "Any") -> float:
    """Return an age in seconds."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{value!r} is not an age in seconds")
    if not 0 <= value <= LONGEST_S:
        raise ValueError(f"{value!r} is not an age that a process can have, in seconds")
    return float(value)


def text(value: "Any") -> str:
    """Return a string."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a string")
    return value


def is_id(text: str) -> bool:
    """Return whether a text is the id of a container, or so much of it that it is not a name."""
    return 12 <= len(text) <= 64 and all(digit in "0123456789abcdef" for digit in text)


def container(value: "Any") -> str:
    """Return the beginning of an id or a name of containers."""
    if not text(value):
        raise ValueError("an empty text matches everything: name a container")
    return text(value)


def pid(value: "Any") -> int:
    """Return a PID."""
    return _integer(value, 1, PID_MAX, f"{value!r} is not a PID: a PID is 1 to {PID_MAX}")


def signal(value: "Any") -> int:
    """Return the number of a signal."""
    return _integer(value, 1, 64, f"{value!r} is not a signal: a signal is 1 to 64")


def code(value: "Any") -> int:
    """Return an exit code."""
    return _integer(value, 0, 255, f"{value!r} is not an exit code: a code is 0 to 255")


def user(value: "Any") -> int:
    """Return the uid of a user: an int is a uid, a string a name or, if none has it, a uid."""
    if not isinstance(value, str):
        return _integer(value, 0, _LAST_UID, f"no user {value!r}")
    from exitsnoop.host.users import uid  # most runs do without

    return uid(value)


def cgroup(value: "Any") -> str:
    """Return the path of a cgroup of this machine, from the root of its hierarchy."""
    from exitsnoop.host.cgroups import resolve  # most runs do without

    path = resolve(text(value))
    if len(os.fsencode(path)) + 2 > CGROUP_FILTER_BYTES:
        raise ValueError(f"{path}: this path is too long to filter by")
    return path


def recorded_user(value: "Any") -> int | str:
    """Return a user of the machine that recorded: a number is a uid, any other text a name."""
    if isinstance(value, str) and not (value.isascii() and value.isdecimal()):
        return text(value)
    number = int(value) if isinstance(value, str) else value
    return _integer(number, 0, _LAST_UID, f"no user {value!r}")


def recorded_cgroup(value: "Any") -> str:
    """Return the path of a cgroup of the machine that recorded, from the root of its hierarchy."""
    path = text(value)
    if f"{path}/".startswith(_USUAL_MOUNT):
        path = path.removeprefix(_USUAL_MOUNT.rstrip("/"))
    names = [name for name in path.split("/") if name]
    if ".." in names:
        raise ValueError(f"{value!r}: give the whole path of the cgroup, without ..")
    return "/" + "/".join(name for name in names if name != ".")


def cause(value: "Any") -> str:
    """Return a kind of cause."""
    from exitsnoop.model.cause import KINDS

    if value not in KINDS:
        raise ValueError(f"{value!r} is not a kind of cause: they are {', '.join(KINDS)}")
    return text(value)


def field(value: "Any") -> str:
    """Return the name of a field of Exit."""
    groups([text(value)])
    return text(value)


def _integer(value: "Any", lowest: int, highest: int, complaint: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(complaint)
    if not lowest <= value <= highest:
        raise ValueError(complaint)
    return int(value)
