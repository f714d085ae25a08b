"""Which thread ended another one of its process, not by a signal: bytes -> ThreadEnd."""

from typing import NamedTuple

from exitsnoop.decode.notes import Process, text
from exitsnoop.decode.structs import only
from exitsnoop.layout import ENDED_BY_EXEC
from exitsnoop.model.cause import Thread

_END = only("thread_end", "start_boot_ns", "pid", "how", "by", "comm")


class ThreadEnd(NamedTuple):
    """The thread that called exit_group(), or exec; None if it was not found."""

    by: Thread | None
    by_exec: bool


def thread_end(record: bytes) -> tuple[Process, ThreadEnd]:
    """Return how another thread ended the one that is meant. Raises struct.error."""
    start_boot_ns, pid, how, by, comm = _END.unpack(record)
    return (pid, start_boot_ns), ThreadEnd(
        Thread(by, text(comm)) if by else None, how == ENDED_BY_EXEC
    )
