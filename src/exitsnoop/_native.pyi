"""The extension: loads and attaches the BPF programs, moves their records; drops privileges.

Private; use Tracer.
"""

from collections.abc import Callable
from typing import Any

def clock_steps() -> int:
    """Return a new descriptor that is readable once the wall clock was set, or after a suspend.

    A read of it then fails with ECANCELED, and it waits for the next time. Raises OSError.
    """

def drop_privileges(kept: int, /) -> None:
    """Give up all capabilities of this thread but those with their bit set; see privileges.py.

    Raises OSError.
    """

def lines(parts: list[str], forms: str, columns: list[list[Any]], /) -> str:
    """Return the lines of a batch: parts, and the values of the columns between them.

    Args:
        parts: texts: one more than columns.
        forms: how to write each column, a character for each. "s": as it is. Numbers of
            nanoseconds, "6" or "9": as seconds, with so many decimals; "t": since the epoch, as
            "2026-11-23T06:13:40.123456Z".
        columns: texts or integers; with "6" or "9" also None, which is "null".

    Raises TypeError, ValueError, OverflowError.
    """

def opens_tracepoint(name: str, /) -> bool:
    """Return whether this process may open that tracepoint of the scheduler as a perf event."""

def kernel_has_names(names: tuple[str, ...], /) -> tuple[bool, ...]:
    """Return for each name whether the kernel's BTF has it, as the name of anything.

    Raises OSError if there is no BTF, or it cannot be read.
    """

def return_memory() -> None:
    """Have the C library give back to the system what was freed; it keeps much otherwise."""

def take_notes(
    notes: list[bytes],
    takes: dict[bytes, Callable[[bytes], object]],
    otherwise: Callable[[bytes], object],
    contexts: list[bytes],
    images: tuple[
        dict[tuple[int, int], tuple[Any, int | None, int | None]] | None,
        Callable[[str | None, bytes | None, int], Any],
        Callable[[bytes], str | None],
        int,
    ],
    /,
) -> None:
    """Give each note to what takes its kind, in order; see take() in decode/notes.py.

    Args:
        notes: the notes.
        takes: by kind, as it is in a note.
        otherwise: takes those of other kinds.
        contexts: the contexts of exits are added to it.
        images: what each process runs, see decode/images.py; what makes an Image; what makes a
            path; how many bytes path and arguments may have. Execs, and forks of processes that
            are known, are added to the first, and not given to anybody; if it is None, they are.

    Raises what one of them raises; TypeError.
    """

class SessionError(Exception):
    """The kernel, or libbpf, refused; args are (step, errno, log).

    step is "open", "types", "load", "filter", "map" or "attach"; log is what libbpf said, at load
    with the end of the verifier's log.
    """

class Session:
    """Loaded and attached programs with their ring buffers. The names are those of exit.bpf.c."""

    def __init__(
        self,
        *,
        variant: str,
        tunables: dict[str, bytes],
        programs: tuple[str, ...],
        maps: dict[str, tuple[int, list[tuple[bytes, bytes]]]],
        ring_bytes: int,
        ring_nodes: tuple[int, ...],
    ) -> None:
        """Load and attach.

        Args:
            variant: which of the objects that meson.build makes of exit.bpf.c.
            tunables: values in native layout; those not named keep their defaults.
            programs: which to attach.
            maps: which to create, with how many entries at most (0: as declared), and which first.
            ring_bytes: of each ring buffer: a power of two, whole pages.
            ring_nodes: a ring for each, its memory on that NUMA node; -1: on any.

        Raises SessionError; ValueError for a name or a size that exit.bpf.c does not have.
        """

    def filenos(self) -> tuple[int, ...]:
        """The ring buffers' descriptors: readable while there are records to drain."""

    def drain(self, most: int) -> tuple[bytes, list[bytes], bool]:
        """Return (exits, notes, complete): what is there; never blocks.

        exits are whole records in the order of time, `most` of them at most. notes are the other
        records, in that order, too; none comes later than the exit it belongs to. complete:
        whether that is all that was there; if not, there may be more though no ring is readable.

        Raises ValueError if a record is malformed: its size is that of none in event.h.
        """

    def look(self) -> tuple[int, bool]:
        """Read what is there, and keep it for drain(); return (bytes, presses).

        bytes: of all that drain() would give. presses: whether something of it should not wait: an
        exit by a signal, a record about one, or a cgroup that was not seen of late, since the names
        of its container may be removed soon.
        """

    def join_tree(self, pid: bytes, start: bytes) -> bool:
        """Add an entry to the map `tree`; return False if its key is there.

        Raises SessionError; ValueError, as the two after it, if the plan has no such map.
        """

    def leave_tree(self, pid: bytes) -> None:
        """Remove an entry from the map `tree`, if it is there."""

    def tree_members(self) -> int:
        """Return how many entries the map `tree` has."""

    def lost(self) -> tuple[int, int]:
        """Return how many exits since the start are missing: (not delivered, undecided).

        A filter could not decide about the second ones. Never blocks.

        Exits that no program saw are counted some calls later, or after settle().
        """

    def settle(self) -> None:
        """Wait until lost() has all that was lost so far.

        Returns at once, unless programs may be preempted and one just missed an event: then within
        some 100 ms, during which other threads run.
        """

    def signals_recorded(self) -> int:
        """Return how many signals that may end a process were kept, since the start."""

    def detach(self) -> None:
        """Detach: nothing more comes; drain() still gives what is there. Harmless when repeated."""

    def close(self) -> None:
        """Detach and free; harmless when closed."""
