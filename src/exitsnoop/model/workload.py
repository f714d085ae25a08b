"""The workload that a process belonged to: what many machines, and many instances, have alike."""

import re
from functools import lru_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from exitsnoop.model.cgroup import Container

_INSTANCE = re.compile(r"@[^@]*(?=\.\w+\Z)")
_IS_MADE_UP = re.compile(r"run-.*|.*\.scope")  # by systemd-run; scopes have no file
_NUMBER = re.compile(
    r"(?<=[-.])(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[a-z]?[0-9a-f]*\d[0-9a-f]*)(?=[-.])"
)


@lru_cache(maxsize=4096)
def workload(
    unit: str | None,
    user_unit: str | None,
    container: "Container | None",
    comm: str,
    container_name: str | None = None,
) -> str:
    """Return the name that is the same on all machines; "" if the process was in no unit.

    That is the unit without its instance, such as "getty@.service"; the unit of the user's own
    systemd, if there is one. Numbers that are made up for each start are left out:
    "session-.scope", "run-.service". In a container, whose unit would be the runtime's and has its
    id, it is the name of the container, or that of the process if the container's is unknown.
    """
    if container is not None:
        return container_name or comm
    name = _INSTANCE.sub("@", user_unit or unit or "")
    return _NUMBER.sub("", name) if _IS_MADE_UP.fullmatch(name) else name
