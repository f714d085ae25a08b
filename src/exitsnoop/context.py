"""Who it was, where, and what it used: bytes -> Context.

_native/event.h defines the bytes.
"""

import os
import struct
from collections.abc import Collection
from functools import lru_cache
from typing import NamedTuple

from exitsnoop import cgroups, users
from exitsnoop.cgroups import Container
from exitsnoop.images import Image, Running
from exitsnoop.notes import Process, path, require, text

HEAD = struct.Struct("=QQQQQQQQQQQQQQQQIIIIHHHH16s")
_WHOSE = struct.Struct("=16xQ104xI12xHHH")  # start_boot_ns, tid; lengths of the parts
ANCESTOR = struct.Struct("=I16s")
_PAGE = os.sysconf("SC_PAGESIZE")
_SECOND_NS = 1_000_000_000
_PARTIAL, _OWN_PEAK = 1, 2  # enum exit_context_flags of event.h


_NO_IDENTITY, _NO_ANCESTORS, _NO_TIMES, _NO_COUNTS = ((None,) * count for count in (4, 2, 2, 6))


class Ancestor(NamedTuple):
    """A process above another at its exit.

    Attributes:
        pid: of the initial PID namespace.
        comm: its name.
    """

    pid: int
    comm: str


class Context(NamedTuple):
    """What was collected of an exit besides the plain record; Exit tells what each part is."""

    image: Image | None = None
    uid: int | None = None
    nspid: int | None = None
    hostname: str | None = None
    parent_comm: str | None = None
    ancestors: tuple[Ancestor, ...] | None = None
    ancestors_truncated: bool | None = None
    cgroup: str | None = None
    cpu_user: float | None = None
    cpu_system: float | None = None
    max_rss: int | None = None
    read_bytes: int | None = None
    write_bytes: int | None = None
    minor_faults: int | None = None
    major_faults: int | None = None
    voluntary_switches: int | None = None
    involuntary_switches: int | None = None

    @property
    def user(self) -> str | None:
        """The name of the user; None if it has none."""
        return None if self.uid is None else users.name(self.uid)

    @property
    def exe(self) -> str | None:
        """Path of the executable."""
        return self.image.exe if self.image else None

    @property
    def args(self) -> tuple[str, ...] | None:
        """The arguments at the exec."""
        return self.image.args if self.image else None

    @property
    def args_truncated(self) -> bool | None:
        """Whether there were more arguments."""
        return self.image.args_truncated if self.image else None

    @property
    def container(self) -> Container | None:
        """The innermost container that the cgroup's path names."""
        return None if self.cgroup is None else cgroups.container(self.cgroup)

    @property
    def pod(self) -> str | None:
        """The uid of the Kubernetes pod that it names."""
        return None if self.cgroup is None else cgroups.pod(self.cgroup)

    @property
    def unit(self) -> str | None:
        """The systemd unit that it names."""
        return None if self.cgroup is None else cgroups.unit(self.cgroup)

    @property
    def user_unit(self) -> str | None:
        """The unit of the user's own systemd that it names."""
        return None if self.cgroup is None else cgroups.user_unit(self.cgroup)


NOTHING = Context()


def whose(record: bytes) -> Process:
    """Return whose context it is: (tid, start_boot_ns).

    Raises struct.error if the record is not as long as it says.
    """
    start_boot_ns, tid, cgroup_bytes, hostname_bytes, ancestors = _WHOSE.unpack_from(record)
    parts_bytes = cgroup_bytes + hostname_bytes + ancestors * ANCESTOR.size
    require(len(record) == HEAD.size + parts_bytes)
    return tid, start_boot_ns


def decode(record: bytes, running: Running | None, groups: Collection[str]) -> Context:
    """Return what was collected of an exit, of these groups; what is not known of it is None.

    running: what the process ran, as it was last told.
    """
    (
        *_,
        user_ns,
        system_ns,
        run_ns,
        told_user_ns,
        told_system_ns,
        peak_pages,
        read_bytes,
        write_bytes,
        minor_faults,
        major_faults,
        voluntary_switches,
        involuntary_switches,
        exec_id,
        _,
        flags,
        uid,
        nspid,
        cgroup_bytes,
        hostname_bytes,
        ancestors,
        more_ancestors,
        parent_comm,
    ) = HEAD.unpack_from(record)
    if running and running.exec_id not in (None, exec_id):
        running = None  # of its last exec we were not told
    counts = (
        *(read_bytes, write_bytes, minor_faults, major_faults),
        *(voluntary_switches, involuntary_switches),
    )
    at = HEAD.size
    cgroup_at = at + cgroup_bytes
    hostname_at = cgroup_at + hostname_bytes
    identity = above = used = peak = cgroup = None
    if "identity" in groups:
        hostname = text(record[cgroup_at:hostname_at]) if hostname_bytes else None
        identity = (uid, nspid, hostname, text(parent_comm))
    if "ancestors" in groups:
        raw = record[hostname_at : hostname_at + ancestors * ANCESTOR.size]
        above = (_ancestors(raw), bool(more_ancestors))
    if "cgroup" in groups:
        cgroup = path(record[at:cgroup_at])
    if "resources" in groups:
        peak = _own_peak(peak_pages, flags, running)
        if not flags & _PARTIAL:
            used = _adjusted(user_ns, system_ns, run_ns, told_user_ns, told_system_ns)
    parts = (
        running.image if running else None,
        *(identity or _NO_IDENTITY),
        *(above or _NO_ANCESTORS),
        cgroup,
        *(used or _NO_TIMES),
        peak,
        *(counts if used else _NO_COUNTS),
    )
    return Context._make(parts)


def _own_peak(peak_pages: int, flags: int, running: Running | None) -> int | None:
    """Return the peak of the image in bytes, None if another's before it may have been higher."""
    if flags & _OWN_PEAK:
        return peak_pages * _PAGE
    if running is None or running.earlier_peak_pages is None:
        return None
    return peak_pages * _PAGE if peak_pages > running.earlier_peak_pages else None


def _adjusted(
    user_ns: int, system_ns: int, run_ns: int, told_user_ns: int, told_system_ns: int
) -> tuple[float, float]:
    """Divide the time that was measured as the ticks that were sampled, as cputime_adjust() does.

    What it told before never falls, though the samples since may say so. It is the same from v4.18
    to v7.3; machines that account for every switch (ppc64, s390) sample nothing, so their times are
    exact already.
    """
    if told_user_ns + told_system_ns >= run_ns:
        return told_user_ns / _SECOND_NS, told_system_ns / _SECOND_NS
    if system_ns == 0:
        system = 0
    elif user_ns == 0:
        system = run_ns
    else:
        system = run_ns * system_ns // (user_ns + system_ns)
    system = max(system, told_system_ns)
    user = max(run_ns - system, told_user_ns)
    return user / _SECOND_NS, (run_ns - user) / _SECOND_NS


@lru_cache(maxsize=256)  # those of the children of a process are the same
def _ancestors(raw: bytes) -> tuple[Ancestor, ...]:
    return tuple(Ancestor(pid, text(comm)) for pid, comm in ANCESTOR.iter_unpack(raw))
