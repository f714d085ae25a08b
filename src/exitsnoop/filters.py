"""What to trace: one definition, used by the command line, the API and the kernel side."""

from collections.abc import Iterable
from typing import NamedTuple

PID_MAX = 4_194_304  # PID_MAX_LIMIT of 64-bit kernels


class Filters(NamedTuple):
    """What to trace. Each field has the name of its option and of its tunable in exit.bpf.c.

    Attributes:
        pids: only these processes; empty for all.
        failed: only what did not end with exit(0).
        per_thread: a record for every thread that ends, not for every process.
    """

    pids: tuple[int, ...] = ()
    failed: bool = False
    per_thread: bool = False

    @classmethod
    def checked(cls, *, pids: Iterable[int], failed: bool, per_thread: bool) -> "Filters":
        """Return filters that make sense. Raises ValueError for a PID that cannot be one."""
        wanted = tuple(dict.fromkeys(pids))
        for pid in wanted:
            if not 0 < pid <= PID_MAX:
                raise ValueError(f"{pid} is not a PID: a PID is 1 to {PID_MAX}")
        return cls(wanted, bool(failed), bool(per_thread))


def parse_pids(text: str) -> list[int]:
    """Return the PIDs of a comma-separated list. Raises ValueError with a reason."""
    pids = []
    for word in text.split(","):
        if not (word.isascii() and word.isdecimal()):
            raise ValueError(f"{word!r} is not a PID")
        pids.append(int(word))
    return list(Filters.checked(pids=pids, failed=False, per_thread=False).pids)
