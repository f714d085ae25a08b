"""What has arrived about processes, until the exit that it belongs to."""

from typing import Any

from exitsnoop import context, evidence
from exitsnoop.causes import Cause, judge
from exitsnoop.context import Collected
from exitsnoop.evidence import Evidence, Memory
from exitsnoop.images import Images
from exitsnoop.notes import Kind, Process, split
from exitsnoop.records import Exit

MOST = 8192  # what an exit that was lost leaves behind must not pile up
IMAGE_GROUPS = {"args", "exe"}


class Clues:
    """What is known of processes about to be reported.

    Args:
        groups: what is collected, see fields.groups().

    Attributes:
        missing: how many ended by a signal of which nothing was seen.
    """

    def __init__(self, groups: frozenset[str]) -> None:
        self.missing = 0
        self._groups = groups
        self._images = Images()
        self._evidence: dict[Process, Evidence] = {}
        self._memory: dict[int, Memory] = {}
        self._collected: dict[Process, Collected] = {}

    def look_around(self) -> None:
        """Find out what runs now, if that will be asked for."""
        if IMAGE_GROUPS & self._groups:
            self._images.scan()

    def add(self, block: bytes) -> None:
        """Keep the notes of a block; its exits are to be completed before the next one."""
        for kept in (self._evidence, self._memory, self._collected):
            _keep_most(kept)  # of what the blocks before have left
        for kind, record in split(block):
            if kind == Kind.EXIT_CONTEXT:
                process, collected = context.decode(record, self._groups)
                self._collected[process] = collected
            elif kind == Kind.SIGNAL_EVIDENCE:
                process, found = evidence.signal(record)
                memory = self._memory.pop(process[0], None)
                self._evidence[process] = found._replace(memory=memory)
            elif kind == Kind.OOM_EVIDENCE:
                process, self._memory[process[0]] = evidence.memory(record)
            else:
                self._images.add(kind, record)

    def complete(self, record: Exit) -> Exit:
        """Return an exit with its cause and its context; they are forgotten."""
        whose = (record.tid, record.start_boot_ns)
        cause = details = None
        if "why" in self._groups and record.last_thread:
            cause = self._judge(record)
        if self._groups - {"why"}:
            # Per thread it is not told when the process started.
            started = record.start_boot_ns if record.tid == record.pid else None
            running = self._images.get(record.pid, started)
            if record.last_thread:
                self._images.forget(record.pid, started)
            details = context.complete(self._collected.pop(whose, None), running, self._groups)
        return record._replace(cause=cause, context=details)

    def _judge(self, record: Exit) -> Cause:
        found = None
        if record.signal is not None:
            found = self._evidence.pop((record.pid, record.start_boot_ns), None)
        cause = judge(record.status, found)
        if cause.kind == "unknown":
            self.missing += 1
        return cause


def _keep_most(kept: dict[Any, Any]) -> None:
    while len(kept) > MOST:
        del kept[next(iter(kept))]
