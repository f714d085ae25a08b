"""The workload that a process belonged to: what many machines, and many instances, have alike."""

import re
from functools import lru_cache

from exitsnoop.model import cgroup as names

_NUMBERED = re.compile(r"-(?:[a-z]{0,2}\d+|[ru]?[0-9a-f]{8,}(?:-[0-9a-f]{4,})*)(?:-i\d+)?$")


@lru_cache(maxsize=4096)
def workload(cgroup: str | None, container_name: str | None = None) -> str:
    """Return its name; "" if the process was in no unit and no container, or if that is unknown.

    A container without a recorded name has that of its runtime: ids would be names without end.
    Otherwise it is the unit without its instance: "getty@.service" for "getty@tty1.service",
    "session.scope" for "session-4.scope".
    """
    container = names.container(cgroup or "")
    if container_name:
        return container_name
    if container:
        is_named = container.runtime in ("lxc", "systemd-nspawn")
        return container.id if is_named else container.runtime
    unit = names.unit(cgroup or "")
    return _without_instance(unit) if unit else ""


def _without_instance(unit: str) -> str:
    """Return the name of a unit without what tells one instance from another."""
    stem, _, kind = unit.rpartition(".")
    template, at, _ = stem.partition("@")
    if at:
        return f"{template}@.{kind}"
    if kind == "scope" or stem.startswith("run-"):
        stem = _NUMBERED.sub("", stem)
    return f"{stem}.{kind}"
