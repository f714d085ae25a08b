"""What the running kernel is like, asked of its BTF, never of its version."""

BTF = "/sys/kernel/btf/vmlinux"


def tracepoints_are_preemptible() -> bool:
    """Return whether a task may be preempted inside a BPF program of a tracepoint.

    So it is where tracepoints are guarded by SRCU-fast (found in v7.3, not in v6.18): there is a
    `tracepoint_srcu` then. Older kernels (v6.12) have one too, for calls from idle CPUs, but no
    `struct srcu_ctr`. A kernel that cannot be asked counts as not preemptible.
    """
    try:
        with open(BTF, "rb") as file:
            description = file.read()
    except OSError:
        return False
    return b"\0tracepoint_srcu_srcu_data\0" in description and b"\0srcu_ctr\0" in description
