"""Who it was, where, and what it used: bytes -> Context.

_native/event.h defines the bytes.
"""

import os
import struct
from collections.abc import Collection, Iterator
from enum import IntFlag
from typing import TYPE_CHECKING, NamedTuple

from exitsnoop.images import Image, Running
from exitsnoop.notes import Process, path, text

if TYPE_CHECKING:
    from exitsnoop.cgroups import Container

HEAD = struct.Struct("=QQQQQQQQQQQQQQQQIIIIHHHH16s")
ANCESTOR = struct.Struct("=I16s")
_PAGE = os.sysconf("SC_PAGESIZE")
_SECOND_NS = 1_000_000_000


class Flags(IntFlag):
    """Bits of exit_context.flags: enum exit_context_flags of event.h."""

    PARTIAL = 1 << 0
    OWN_PEAK = 1 << 1


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
        from exitsnoop.users import name  # as for all below, most runs do without

        return None if self.uid is None else name(self.uid)

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
    def container(self) -> "Container | None":
        """The innermost container that the cgroup's path names."""
        from exitsnoop.cgroups import container

        return None if self.cgroup is None else container(self.cgroup)

    @property
    def pod(self) -> str | None:
        """The uid of the Kubernetes pod that it names."""
        from exitsnoop.cgroups import pod

        return None if self.cgroup is None else pod(self.cgroup)

    @property
    def unit(self) -> str | None:
        """The systemd unit that it names."""
        from exitsnoop.cgroups import unit

        return None if self.cgroup is None else unit(self.cgroup)

    @property
    def user_unit(self) -> str | None:
        """The unit of the user's own systemd that it names."""
        from exitsnoop.cgroups import user_unit

        return None if self.cgroup is None else user_unit(self.cgroup)


class Collected(NamedTuple):
    """A decoded record: parts of a Context, and what is yet to be judged."""

    parts: dict[str, object]
    peak: int
    own_peak: bool
    exec_id: int


def decode(record: bytes, groups: Collection[str]) -> tuple[Process, Collected]:
    """Return whose it is, (tid, start_boot_ns), and what was collected of these groups."""
    (
        _,
        _,
        start_boot_ns,
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
        tid,
        flags,
        uid,
        nspid,
        cgroup_bytes,
        hostname_bytes,
        ancestors,
        more_ancestors,
        parent_comm,
    ) = HEAD.unpack_from(record)
    parts: dict[str, object] = {}
    at = HEAD.size + cgroup_bytes
    if "cgroup" in groups:
        parts["cgroup"] = path(record[HEAD.size : at])
    if "identity" in groups:
        parts |= {
            "uid": uid,
            "nspid": nspid,
            "hostname": text(record[at : at + hostname_bytes]) if hostname_bytes else None,
            "parent_comm": text(parent_comm),
        }
    at += hostname_bytes
    if "ancestors" in groups:
        parts["ancestors"] = tuple(_ancestors(record[at : at + ancestors * ANCESTOR.size]))
        parts["ancestors_truncated"] = bool(more_ancestors)
    if "resources" in groups and not flags & Flags.PARTIAL:
        user, system = _adjusted(user_ns, system_ns, run_ns, told_user_ns, told_system_ns)
        parts |= {
            "cpu_user": user,
            "cpu_system": system,
            "read_bytes": read_bytes,
            "write_bytes": write_bytes,
            "minor_faults": minor_faults,
            "major_faults": major_faults,
            "voluntary_switches": voluntary_switches,
            "involuntary_switches": involuntary_switches,
        }
    collected = Collected(parts, peak_pages * _PAGE, bool(flags & Flags.OWN_PEAK), exec_id)
    return (tid, start_boot_ns), collected


def complete(
    collected: Collected | None, running: Running | None, groups: Collection[str]
) -> Context:
    """Return the context of an exit; what is not known of it is None."""
    if collected is None:
        return Context()
    if running and running.exec_id not in (None, collected.exec_id):
        running = None  # of its last exec we were not told
    image = running.image if running else None
    parts = collected.parts
    if "resources" in groups:
        parts = parts | {"max_rss": _own_peak(collected, running)}
    return Context(image=image, **parts)  # type: ignore[arg-type]


def _own_peak(collected: Collected, running: Running | None) -> int | None:
    """Return the peak of the image in bytes, None if another's before it may have been higher."""
    if collected.own_peak:
        return collected.peak
    if running is None or running.earlier_peak_pages is None:
        return None
    return collected.peak if collected.peak > running.earlier_peak_pages * _PAGE else None


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


def _ancestors(raw: bytes) -> Iterator[Ancestor]:
    for pid, comm in ANCESTOR.iter_unpack(raw):
        yield Ancestor(pid, text(comm))
