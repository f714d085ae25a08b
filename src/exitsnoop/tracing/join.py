"""Records about a process are kept here until its exit arrives, and joined to it."""

from collections.abc import Iterator
from typing import Any

from exitsnoop.causes import judge
from exitsnoop.decode import context
from exitsnoop.decode import signals as evidence
from exitsnoop.decode.images import Images
from exitsnoop.decode.notes import Process, kind
from exitsnoop.decode.signals import Evidence, Memory
from exitsnoop.layout import EXIT_CONTEXT, OOM_EVIDENCE, SIGNAL_EVIDENCE
from exitsnoop.model.batch import Exits
from exitsnoop.model.cause import Cause
from exitsnoop.model.context import NOTHING, Context
from exitsnoop.model.fields import IMAGE_GROUPS
from exitsnoop.model.status import signal

MOST = 8192  # records of lost exits must not pile up


class Clues:
    """The records about processes whose exits have not arrived.

    Args:
        groups: the groups of fields to collect, see fields.groups().
        per_thread: whether a process has a record of each thread.

    Attributes:
        missing: how many processes ended by a signal without any evidence.
    """

    def __init__(self, groups: frozenset[str], *, per_thread: bool = False) -> None:
        self.missing = 0
        self._groups = groups
        self._images = Images()
        # Before v6.16, a thread that ended with the last one or before it may be reported after it.
        self._end_of_image = self._images.retire if per_thread else self._images.forget
        self._evidence: dict[Process, Evidence] = {}
        self._memory: dict[Process, Memory] = {}
        self._collected: dict[Process, bytes] = {}

    def look_around(self) -> None:
        """Look up what runs now, if arguments or executables are collected."""
        if IMAGE_GROUPS & self._groups:
            self._images.scan()

    def add(self, notes: list[bytes]) -> None:
        """Keep records; complete the exits that came with them before more are added."""
        for kept in (self._evidence, self._memory, self._collected):
            _keep_most(kept)  # of those that earlier exits have left
        for record in notes:
            of_kind = kind(record)
            if of_kind == EXIT_CONTEXT:
                self._collected[context.whose(record)] = record
            elif of_kind == SIGNAL_EVIDENCE:
                process, found = evidence.signal(record)
                memory = self._memory.pop(process, None)
                self._evidence[process] = found._replace(memory=memory)
            elif of_kind == OOM_EVIDENCE:
                process, memory = evidence.memory(record)
                self._memory[process] = memory
            else:
                self._images.add(of_kind, record)

    def complete(self, exits: Exits) -> Exits:
        """Return the exits with their causes and contexts, and forget what belonged to them."""
        columns: dict[str, list[Any]] = {}
        if "why" in self._groups:
            columns["cause"] = [
                self._judge(*of_exit) if last_thread else None
                for last_thread, *of_exit in _rows(
                    exits, "last_thread", "pid", "start_boot_ns", "status"
                )
            ]
        if self._groups - {"why"}:
            columns["context"] = [
                self._context(*of_exit)
                for of_exit in _rows(exits, "pid", "tid", "start_boot_ns", "last_thread")
            ]
        return exits.replace(**columns)

    def _judge(self, pid: int, start_boot_ns: int, status: int) -> Cause:
        found = None
        if signal(status) is not None:
            found = self._evidence.pop((pid, start_boot_ns), None)
        cause = judge(status, found)
        if cause.kind == "unknown":
            self.missing += 1
        return cause

    def _context(self, pid: int, tid: int, start_boot_ns: int, last_thread: bool) -> Context:
        record = self._collected.pop((tid, start_boot_ns), None)
        # The record of another thread than the first does not say when the process started.
        started = start_boot_ns if tid == pid else self._images.start_of(pid, start_boot_ns)
        running = self._images.get(pid, started)
        if last_thread:
            self._end_of_image(pid, started)
        return context.decode(record, running, self._groups) if record else NOTHING


def _rows(exits: Exits, *names: str) -> Iterator[tuple[Any, ...]]:
    return zip(*map(exits.column, names), strict=True)


def _keep_most(kept: dict[Any, Any]) -> None:
    while len(kept) > MOST:
        del kept[next(iter(kept))]
