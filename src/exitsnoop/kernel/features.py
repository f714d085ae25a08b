"""What the running kernel is like, asked of its BTF, never of its version."""

from exitsnoop.kernel import extension

BTF = "/sys/kernel/btf/vmlinux"
_SOUGHT = (
    "tracepoint_srcu_srcu_data",
    "srcu_ctr",
    "BPF_FUNC_loop",
    "BPF_FUNC_ktime_get_coarse_ns",
    "trace_event_raw_sched_process_exit",
)
_there: dict[str, bool] = {}  # of those


def tracepoints_are_preemptible() -> bool:
    """Return whether a task may be preempted inside a BPF program of a tracepoint.

    So it is where tracepoints are guarded by SRCU-fast (found in v7.3, not in v6.18): there is a
    `tracepoint_srcu` then. Older kernels (v6.12) have one too, for calls from idle CPUs, but no
    `struct srcu_ctr`. A kernel that cannot be asked counts as not preemptible.
    """
    return _has("tracepoint_srcu_srcu_data") and _has("srcu_ctr")


def perf_events_are_allowed() -> bool:
    """Return whether this process may have programs of perf events, which are never preempted.

    The number of the event is in tracefs, so that must be mounted and readable.
    """
    try:
        opened: bool = extension().opens_tracepoint("sched_process_exit")
    except ImportError:
        return False
    return opened


def has_loops() -> bool:
    """Return whether BPF programs may call bpf_loop().

    Since Linux kernel commit e6f2dd0f8067 ("bpf: Add bpf_loop helper") (in v5.17). A kernel that
    cannot be asked counts as one that has it not.
    """
    return _has("BPF_FUNC_loop")


def exit_has_memory() -> bool:
    """Return whether a process still has its memory when its exit is reported.

    Since Linux kernel commit 3e816361e94a ("sched/tracepoints: Move and extend the
    sched_process_exit() tracepoint") (in v6.16), which gave the event a record of its own.
    """
    return _has("trace_event_raw_sched_process_exit")


def counts_locked_memory() -> bool:
    """Return whether what BPF keeps counts as locked memory, which RLIMIT_MEMLOCK limits.

    Not since v5.11, which brought bpf_ktime_get_coarse_ns() as well; libbpf asks for that, too.
    """
    return not _has("BPF_FUNC_ktime_get_coarse_ns")


def _has(name: str) -> bool:
    """Whether the kernel has one of the names in _SOUGHT. They are looked up together, once."""
    if not _there:
        try:
            found = extension().kernel_has_names(_SOUGHT)
        except (OSError, ImportError):
            found = (False,) * len(_SOUGHT)
        _there.update(zip(_SOUGHT, found, strict=True))
    return _there[name]
