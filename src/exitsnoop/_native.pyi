"""The extension: loads the BPF program, attaches it and moves its records. Private; use Tracer."""

from collections.abc import Sequence

EXIT_EVENT: list[tuple[str, int, int]]
SIGNAL_EVIDENCE: list[tuple[str, int, int]]
OOM_EVIDENCE: list[tuple[str, int, int]]
"""(field, offset, bytes) of each field of event.h's records, as the compiler laid it out."""

class SessionError(Exception):
    """The kernel, or libbpf, refused; args are (step, errno, log).

    step is "open", "load", "filter", "map" or "attach"; log is what libbpf said, at load with the
    end of the verifier's log.
    """

class Session:
    """A loaded and attached program with its ring buffer."""

    def __init__(
        self,
        failed: bool,
        per_thread: bool,
        why: bool,
        preemptible: bool,
        pids: Sequence[int],
        statuses: bytes,
        ring_bytes: int,
    ) -> None:
        """Load and attach. No pids: every process. ring_bytes: a power of two, whole pages.

        statuses: five native 64-bit words, see filters.Filters.status_words(); none for all.
        preemptible: as kernel.tracepoints_are_preemptible() says.

        Raises SessionError.
        """

    def fileno(self) -> int:
        """The ring buffer's descriptor: readable while there are records to drain."""

    def drain(self) -> tuple[bytes, bytes, bool]:
        """Return (exits, evidence, complete): what is there; never blocks.

        exits are whole records in the order of time. evidence are the other records, each after its
        size (a native 64-bit word); none is later than the exit it belongs to. complete: whether
        that is all that ended before the call; False while one is still being written.
        """

    def lost(self) -> int:
        """Return how many exits since the start the kernel could not deliver."""

    def signals_recorded(self) -> int:
        """Return how many signals that may end a process were kept, since the start."""

    def close(self) -> None:
        """Detach and free; harmless when closed."""
