"""What the running kernel is like, asked of its BTF, never of its version."""

from functools import lru_cache

BTF = "/sys/kernel/btf/vmlinux"
_SOUGHT = (
    b"tracepoint_srcu_srcu_data",
    b"srcu_ctr",
    b"BPF_FUNC_loop",
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


@lru_cache(maxsize=1)
def _names() -> frozenset[bytes]:
    """Return which of the names that we look for are those of a type, a variable or a constant."""
    try:
        with open(BTF, "rb") as file:
            description = file.read()
    except OSError:
        return frozenset()
    return frozenset(name for name in _SOUGHT if b"\0" + name + b"\0" in description)
