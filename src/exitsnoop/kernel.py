"""What the running kernel is like, asked of its BTF, never of its version."""

import struct
from functools import lru_cache

_HEADER = struct.Struct("=4xI8xII")  # struct btf_header: its hdr_len, str_off and str_len

BTF = "/sys/kernel/btf/vmlinux"
_SOUGHT = (
    b"tracepoint_srcu_srcu_data",
    b"srcu_ctr",
    b"BPF_FUNC_loop",
    b"BPF_FUNC_ktime_get_coarse_ns",
    b"trace_event_raw_sched_process_exit",
)


def tracepoints_are_preemptible() -> bool:
    """Return whether a task may be preempted inside a BPF program of a tracepoint.

    So it is where tracepoints are guarded by SRCU-fast (found in v7.3, not in v6.18): there is a
    `tracepoint_srcu` then. Older kernels (v6.12) have one too, for calls from idle CPUs, but no
    `struct srcu_ctr`. A kernel that cannot be asked counts as not preemptible.
    """
    return {b"tracepoint_srcu_srcu_data", b"srcu_ctr"} <= _names()


def has_loops() -> bool:
    """Return whether BPF programs may call bpf_loop().

    Since Linux kernel commit e6f2dd0f8067 ("bpf: Add bpf_loop helper") (in v5.17). A kernel that
    cannot be asked counts as one that has it not.
    """
    return b"BPF_FUNC_loop" in _names()


def exit_has_memory() -> bool:
    """Return whether a process still has its memory when its exit is told.

    Since Linux kernel commit 3e816361e94a ("sched/tracepoints: Move and extend the
    sched_process_exit() tracepoint") (in v6.16), which gave the event a record of its own.
    """
    return b"trace_event_raw_sched_process_exit" in _names()


def counts_locked_memory() -> bool:
    """Return whether what BPF keeps counts as locked memory, which RLIMIT_MEMLOCK limits.

    Not since v5.11, which brought bpf_ktime_get_coarse_ns() as well; libbpf asks for that, too.
    """
    return b"BPF_FUNC_ktime_get_coarse_ns" not in _names()


@lru_cache(maxsize=1)
def _names() -> frozenset[bytes]:
    """Return which of the names that we look for are those of a type, a variable or a constant."""
    try:
        names = _all_names()
    except (OSError, struct.error):
        return frozenset()
    return frozenset(name for name in _SOUGHT if b"\0" + name + b"\0" in names)


def _all_names() -> bytes:
    """Return the part of BTF that has the names, each ended by a NUL. Raises OSError, struct.error.

    The whole has some megabytes, and the kernel gives a page at a time.
    """
    with open(BTF, "rb", buffering=0) as file:
        head = file.read(_HEADER.size)
        header_bytes, start, left = _HEADER.unpack(head)
        file.seek(header_bytes + start)
        parts = []
        while left > 0 and (part := file.read(left)):
            parts.append(part)
            left -= len(part)
    return b"".join(parts)
