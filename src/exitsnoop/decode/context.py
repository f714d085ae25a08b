"""Who it was, where, and what it used: bytes -> Context.

_native/bpf/event.h defines the bytes.
"""

import os
import struct
from collections.abc import Collection
from functools import lru_cache

from exitsnoop.decode.images import Running
from exitsnoop.decode.notes import Process, path, require, text
from exitsnoop.model.context import Ancestor, Context

HEAD = struct.Struct("=QQQQQQQQQQQQQQQQIIIIHHHH16s")
_WHOSE = struct.Struct("=16xQ104xI12xHHH")  # start_boot_ns, tid; lengths of the parts
ANCESTOR = struct.Struct("=I16s")
_PAGE = os.sysconf("SC_PAGESIZE")
_SECOND_NS = 1_000_000_000
_PARTIAL, _OWN_PEAK = 1, 2  # enum exit_context_flags of event.h


_NO_IDENTITY, _NO_ANCESTORS, _NO_TIMES, _NO_COUNTS = ((None,) * count for count in (4, 2, 2, 6))


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
