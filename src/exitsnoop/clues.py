"""Evidence that has arrived, until the exit that it belongs to."""

from exitsnoop.causes import Cause, judge
from exitsnoop.evidence import Evidence, Memory, Process, decode
from exitsnoop.records import Exit

MOST = 8192  # what an exit that was lost leaves behind must not pile up


class Clues:
    """What is known of processes about to be reported.

    Attributes:
        missing: how many ended by a signal of which nothing was seen.
    """

    def __init__(self) -> None:
        self.missing = 0
        self._evidence: dict[Process, Evidence] = {}
        self._memory: dict[Process, Memory] = {}

    def add(self, block: bytes) -> None:
        """Keep the evidence of a block."""
        for process, clue in decode(block):
            if isinstance(clue, Memory):
                self._memory[process] = clue
            else:
                self._evidence[process] = clue._replace(memory=self._memory.pop(process, None))
        for kept in (self._evidence, self._memory):
            while len(kept) > MOST:
                del kept[next(iter(kept))]

    def judge(self, record: Exit) -> Cause:
        """Return the cause of the end of a process; its evidence is forgotten."""
        evidence = None
        if record.signal is not None:
            evidence = self._evidence.pop((record.pid, record.start_boot_ns), None)
        cause = judge(record.status, evidence)
        if cause.kind == "unknown":
            self.missing += 1
        return cause
