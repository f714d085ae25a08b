"""Machine: which one, in which boot."""

from typing import NamedTuple
from uuid import NAMESPACE_URL, UUID, uuid5

from exitsnoop.store.boots import Boot


class Machine(NamedTuple):
    """A machine in one of its boots.

    Attributes:
        cluster: the name that the operator gives to it and others; "" for none.
        host: its name; "" if unknown.
        host_id: what /etc/machine-id has; its name if there is none.
        boot_id: the boot, a UUID.
        kernel: release of the kernel.
    """

    cluster: str
    host: str
    host_id: str
    boot_id: str
    kernel: str


def machine(boot: Boot, cluster: str = "") -> Machine:
    """Return the machine of a boot."""
    host = boot.hostname or ""
    return Machine(cluster, host, boot.machine_id or host, _uuid(boot.boot_id), boot.kernel)


def _uuid(boot_id: str) -> str:
    """Return the id as a UUID; where the kernel's was unknown, one that is made of what stands."""
    try:
        return str(UUID(boot_id))
    except ValueError:
        return str(uuid5(NAMESPACE_URL, boot_id))
