"""Records about a process are kept here until its exit arrives, and joined to it."""

from collections.abc import Callable, Sequence
from typing import Any

from exitsnoop.causes.handled import with_handled
from exitsnoop.causes.rules import judge
from exitsnoop.causes.senders import beside
from exitsnoop.causes.threads import ended_by_call, ended_by_signal
from exitsnoop.decode import context
from exitsnoop.decode import signals as evidence
from exitsnoop.decode.images import Images
from exitsnoop.decode.notes import Process, kind_bytes, refuse, take
from exitsnoop.decode.origins import Origins
from exitsnoop.decode.signals import Evidence, Memory, with_site
from exitsnoop.decode.sites import Site, site
from exitsnoop.decode.threads import ThreadEnd, thread_end
from exitsnoop.host.kernel_log import KernelLog
from exitsnoop.kernel import notes_taker
from exitsnoop.layout import (
    CRASH_SITE,
    EVIDENCE_DUMPED,
    EVIDENCE_OF_OTHER,
    EXEC_IMAGE,
    FORKED,
    GONE,
    HANDLED_SIGNAL,
    LEFT,
    OOM_EVIDENCE,
    SENDER_ORIGIN,
    SIGNAL_EVIDENCE,
    THREAD_END,
)
from exitsnoop.model.batch import Exits
from exitsnoop.model.cause import Cause
from exitsnoop.model.context import Image, Place
from exitsnoop.model.derived import name
from exitsnoop.model.fields import IMAGE_GROUPS
from exitsnoop.model.remembered import Remembered
from exitsnoop.model.words import SHELLS, si_code_name
from exitsnoop.tracing.children import Children
from exitsnoop.tracing.repeated import Repeated, Sent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from exitsnoop.symbols.resolver import Resolver

MOST = 8192  # records of lost exits must not pile up
MOST_SITES = 256  # the same; each may have some 20 KiB
MOST_COLLECTED = 1024  # the same; all that are left are looked through for each batch
_PLAIN_STATUS = 125 << 8  # the codes up to here mean nothing special, even of a shell
_NO_SITES: list[Site] = []


class Clues:
    """The records about processes whose exits have not arrived.

    Args:
        groups: the groups of fields to collect, see fields.groups().
        per_thread: whether a process has a record of each thread.

    Attributes:
        missing: how many processes ended by a signal without any evidence; with per_thread, how
            many threads.
    """

    def __init__(self, groups: frozenset[str], *, per_thread: bool = False) -> None:
        self.missing = 0
        self._groups = groups
        self._images = Images(per_thread=per_thread)
        self._contexts = context.Contexts(groups)
        self._evidence: dict[Process, Evidence] = {}
        self._handled: dict[Process, list[Evidence]] = {}
        self._memory: dict[Process, Memory] = {}
        self._ends: dict[Process, ThreadEnd] = {}
        self._origins = Origins()
        self._repeated = Repeated(self._origins)
        self._sent: dict[Process, Sent] = {}  # as _evidence: those that repeat
        self._log = KernelLog()
        self._sites: dict[Process, list[Site]] = {}
        self._resolved: dict[Process, list[Site]] = {}  # the same, with their stacks
        self._resolver = _resolver() if "why" in groups else None
        self._collected: list[bytes] = []
        self._takes: dict[bytes, Callable[[bytes], object]] = {
            kind_bytes(SIGNAL_EVIDENCE): self._signal,
            kind_bytes(HANDLED_SIGNAL): self._handled_signal,
            kind_bytes(OOM_EVIDENCE): self._oom,
            kind_bytes(SENDER_ORIGIN): self._origins.add,
            kind_bytes(CRASH_SITE): self._site,
            kind_bytes(THREAD_END): self._thread_end,
            kind_bytes(EXEC_IMAGE): self._images.exec,
            kind_bytes(FORKED): self._images.fork,
            # One of its threads may be reported late.
            kind_bytes(GONE): self._images.gone if per_thread else self._gone,
            kind_bytes(LEFT): self._images.left,
        }
        self._take = notes_taker() or take
        self._children = Children()
        self._exited: Remembered[tuple[int, bytes], Cause] = Remembered(_exited)

    def look_around(self) -> None:
        """Look up what runs now, if that is collected, and open what later reads need."""
        if IMAGE_GROUPS & self._groups:
            self._images.scan()
        if "why" in self._groups:
            self._log.open()

    def close(self) -> None:
        """Free the descriptors."""
        self._log.close()

    def add(self, notes: list[bytes]) -> None:
        """Keep records; complete the exits that came with them before more are added.

        Raises struct.error if one is malformed; for some of them complete() does.
        """
        for kept in (self._evidence, self._sent, self._handled, self._memory, self._ends):
            _keep_most(kept)  # of those that earlier exits have left
        for sites in (self._sites, self._resolved):
            _keep_most(sites, MOST_SITES)
        del self._collected[:-MOST_COLLECTED]
        self._images.sweep()
        self._take(notes, self._takes, refuse, self._collected, self._images.quick)

    def _signal(self, record: bytes) -> None:
        process, sent = self._repeated.find(record)
        if sent and process not in self._memory:
            self._evidence.pop(process, None)
            self._sent[process] = sent
        else:
            self._sent.pop(process, None)
            self._evidence[process] = self._decoded(process, record)

    def _decoded(self, process: Process, record: bytes) -> Evidence:
        _, found = evidence.signal(record)
        memory = self._memory.pop(process, None)
        found = self._origins.complete(found)
        return found._replace(memory=memory) if memory else found

    def _handled_signal(self, record: bytes) -> None:
        process, found = evidence.signal(record)
        self._handled.setdefault(process, []).append(self._origins.complete(found))

    def _oom(self, record: bytes) -> None:
        process, memory = evidence.memory(record)
        if told := self._log.told(process[0]):
            if memory.cgroup is None and None not in (told.limit, told.usage):
                # Others gave memory back between the choice and the signal, so none seemed full.
                memory = memory._replace(cgroup=told.cgroup, limit=told.limit, usage=told.usage)
            if memory.cgroup == told.cgroup:
                memory = memory._replace(filled=told.filled)
        self._memory[process] = memory

    def _site(self, record: bytes) -> None:
        process, found = site(record)
        self._sites.setdefault(process, []).append(found)

    def _thread_end(self, record: bytes) -> None:
        thread, end = thread_end(record)
        self._ends[thread] = end

    def _gone(self, record: bytes) -> None:
        self._sites.pop(self._images.gone(record), None)

    def complete(self, exits: Exits) -> Exits:
        """Return the exits with their causes and contexts, and forget what belonged to them.

        Raises struct.error if a record is malformed.
        """
        columns = self._joined(exits) if self._groups - {"why"} else {}
        if "why" in self._groups:
            if self._sites:
                self._resolve(exits)
            columns["cause"] = self._causes(exits, columns)
            if self._resolver:
                self._resolver.let_go()
        return exits.replace(**columns)

    def _resolve(self, exits: Exits) -> None:
        """Look up where the processes of these exits crashed."""
        if self._resolver is None:
            return
        columns = _columns(exits, "pid", "start_boot_ns", "ppid")
        of = {
            (pid, started): (ppid, self._sites.pop((pid, started)))
            for pid, started, ppid in zip(*columns, strict=True)
            if (pid, started) in self._sites
        }
        crashes = [(one, pid, ppid) for (pid, _), (ppid, sites) in of.items() for one in sites]
        found = iter(self._resolver.resolved(crashes))
        for process, (_, sites) in of.items():
            self._resolved.setdefault(process, []).extend([next(found) for _ in sites])

    def _causes(self, exits: Exits, joined: dict[str, Sequence[Any]]) -> list[Cause]:
        """Return the causes. joined: what else was collected of these exits."""
        nothing = [None] * len(exits)
        exited, judged, handled, ends = self._exited, self._judged, self._handled, self._ends
        statuses = exits.column("status")
        if not handled and not ends:
            different = {*statuses}
            if different == {0}:
                return [exited[0, b""]] * len(statuses)
        names = ("pid", "ppid", "start_boot_ns", "status", "raw_comm", "boot_ns")
        return [
            judged(pid, ppid, started, status, raw_comm, boot_ns, place)
            if status & 0x7F
            or (handled and (pid, started) in handled)
            or (ends and (pid, started) in ends)
            else exited[0, b""]
            if not status
            else self._coded(pid, ppid, status, raw_comm, boot_ns, image)
            for place, image, pid, ppid, started, status, raw_comm, boot_ns in zip(
                joined.get("place", nothing),
                joined.get("image", nothing),
                *_columns(exits, *names),
                strict=True,
            )
        ]

    def _judged(
        self,
        pid: int,
        ppid: int,
        start_boot_ns: int,
        status: int,
        raw_comm: bytes,
        boot_ns: int,
        place: Place | None,
    ) -> Cause:
        """Return the cause of an end for which there are records, or may be."""
        process = pid, start_boot_ns
        if end := self._ends.pop(process, None):
            return ended_by_call(end, status)
        if status & 0x7F and (sent := self._sent.pop(process, None)):
            repeated, record = sent
            if process not in self._handled:
                sites = self._resolved.get(process, _NO_SITES)
                if cause := repeated.cause(status, pid, ppid, place, sites):
                    self._resolved.pop(process, None)
                    return self._passed_on(cause, pid, ppid, status, raw_comm, boot_ns)
            self._evidence[process] = self._decoded(process, record)
        known = self._evidence.pop(process, None) if status & 0x7F else None
        if known and known.flags & EVIDENCE_OF_OTHER:
            return ended_by_signal(status, beside(known, place), pid=pid, ppid=ppid)
        sites = self._resolved.pop(process, [])
        known = known and beside(_with_site(known, sites, status & 0x7F), place)
        if status & 0x7F:
            cause = judge(status, known, pid=pid, ppid=ppid)
        else:
            cause = self._exited[status, raw_comm]
        if status:
            cause = self._passed_on(cause, pid, ppid, status, raw_comm, boot_ns)
        if handled := self._handled.pop(process, None):
            signal = status & 0x7F or None
            handled = [beside(self._with_its_site(one, sites, pid, ppid), place) for one in handled]
            cause = with_handled(
                cause, known, handled, signal=signal, pid=pid, ppid=ppid, boot_ns=boot_ns
            )
        if cause.kind == "unknown":
            self.missing += 1
        return cause

    def _coded(
        self,
        pid: int,
        ppid: int,
        status: int,
        raw_comm: bytes,
        boot_ns: int,
        image: Image | None,
    ) -> Cause:
        """Return the cause of an exit with a code, which may mean something if a shell gives it.

        A script has its own name; its shell is the executable, if that is known.
        """
        if status <= _PLAIN_STATUS:
            cause = self._exited[status, b""]
        else:
            program = ((image and image.exe) or "").rpartition("/")[2]
            cause = self._exited[status, program.encode() if program in SHELLS else raw_comm]
        return self._passed_on(cause, pid, ppid, status, raw_comm, boot_ns)

    def _passed_on(
        self, cause: Cause, pid: int, ppid: int, status: int, raw_comm: bytes, boot_ns: int
    ) -> Cause:
        comm = name(raw_comm)
        return self._children.passed_on(cause, status, comm, pid=pid, ppid=ppid, boot_ns=boot_ns)

    def _with_its_site(self, handled: Evidence, sites: list[Site], pid: int, ppid: int) -> Evidence:
        """Add where a fault was that a handler had, unless its thread crashed there, too."""
        signal, thread, trap = handled.signal, handled.thread, handled.trap
        if handled.flags & EVIDENCE_DUMPED:
            return _with_site(handled, sites, signal)
        if not thread or not trap or self._resolver is None:
            return handled
        if any((one.thread.tid, one.signal) == (thread.tid, signal) for one in sites):
            return handled
        found = next((one for one in sites if one.region(trap.instruction)), None)
        if not found:
            return handled
        place = found.elsewhere(thread, trap.instruction, handled.address)
        (place,) = self._resolver.resolved([(place, pid, ppid)])
        unmapped = si_code_name(signal, handled.si_code) == "SEGV_MAPERR"
        if not unmapped and not found.region(handled.address):
            place = place._replace(regions=())  # what lies there was not looked up
        return handled._replace(site=place)

    def _joined(self, exits: Exits) -> dict[str, Sequence[Any]]:
        """Return what was collected of these exits, as columns."""
        tids, starts = _columns(exits, "tid", "start_boot_ns")
        running = self._images.take(exits.column("pid"), tids, starts, exits.column("last_thread"))
        records = self._collected
        heads = list(map(context.head, records))
        count = len(tids)
        if count and len(heads) >= count:
            own = context.own(heads[:count])
            if (own[context.TID], own[context.START]) == (tids, starts):  # most often
                self._collected = records[count:]
                context.check(self._collected)
                return self._contexts.columns(records[:count], own, running)
        exited = list(zip(tids, starts, strict=True))
        processes = list(map(context.whose, heads))
        context.check(records)
        found = dict(zip(processes, zip(records, heads, strict=True), strict=True))
        joined = [found.pop(process, None) for process in exited]
        self._collected = [record for record, _ in found.values()]
        there = [pair for pair in joined if pair]
        if not there:
            return {}
        columns = self._contexts.columns(
            [record for record, _ in there],
            context.own([raw for _, raw in there]),
            [one for one, pair in zip(running, joined, strict=True) if pair],
        )
        if len(there) == len(joined):
            return columns
        return {
            name: [next(values) if pair else None for pair in joined]
            for name, values in ((name, iter(column)) for name, column in columns.items())
        }


def _with_site(known: Evidence, sites: list[Site], signal: int) -> Evidence:
    """Add where the thread was that the signal was for; several may crash at once."""
    of = known.thread and known.thread.tid
    mine = [one for one in sites if one.signal == signal and of in (None, one.thread.tid)]
    return with_site(known, mine[-1]) if mine else known


def _resolver() -> "Resolver":
    """Import what causes need now: later the right to read it may be gone."""
    import exitsnoop.model.syscalls  # noqa: F401 - causes take names from there
    from exitsnoop.symbols.resolver import Resolver

    return Resolver()


def _exited(ending: tuple[int, bytes]) -> Cause:
    status, raw_comm = ending
    return judge(status, None, comm=name(raw_comm))


def _columns(exits: Exits, *names: str) -> list[Sequence[Any]]:
    return [exits.column(name) for name in names]


def _keep_most(kept: dict[Any, Any], most: int = MOST) -> None:
    while len(kept) > most:
        del kept[next(iter(kept))]
