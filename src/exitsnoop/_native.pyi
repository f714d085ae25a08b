"""The extension: loads the BPF program, attaches it and moves its records. Private; use Tracer."""

from collections.abc import Sequence

EVENT_LAYOUT: tuple[tuple[str, int, int], ...]
"""(field, offset, bytes) of each field of a record, as the compiler laid it out."""

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
        preemptible: bool,
        pids: Sequence[int],
        ring_bytes: int,
    ) -> None:
        """Load and attach. No pids: every process. ring_bytes: a power of two, whole pages.

        preemptible: as kernel.tracepoints_are_preemptible() says.

        Raises SessionError.
        """

    def fileno(self) -> int:
        """The ring buffer's descriptor: readable while there are records to drain."""

    def drain(self) -> tuple[bytes, bool]:
        """Return the records that are there, whole and in order of time; never blocks.

        And whether that is all that ended before the call: False while one is still being written.
        """

    def lost(self) -> int:
        """Return how many exits since the start the kernel could not deliver."""

    def close(self) -> None:
        """Detach and free; harmless when closed."""
