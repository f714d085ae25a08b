"""Tracer: filters in, Exit records out."""

import os
import time

from exitsnoop.errors import MalformedRecord
from exitsnoop.filters.filters import Filters
from exitsnoop.kernel.plan import pid_key, plan, tree_entry
from exitsnoop.kernel.session import join_tree, open_session
from exitsnoop.tracing.targets import Targets, already_ended, descendants, has_ended

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

    from typing_extensions import Unpack  # typing has it since 3.11

    from exitsnoop.filters.keywords import FilterOptions
    from exitsnoop.model.batch import Exits
    from exitsnoop.model.exit import Exit
    from exitsnoop.tracing.join import Clues

RING_BYTES = 2 * 1024 * 1024  # 37,000 exits
FULL_RING_BYTES = 4 * RING_BYTES  # with what is collected of each, and that takes longer to read
# How many exits are read at a time. That bounds what a burst makes Python hold, and so for good: of
# what it took for the largest batch it gives little back.
BATCH = 2048
FULL_BATCH = 256  # some KB each, with what is collected

# An exit that comes alone is read at once. Where they come in numbers (several in one batch, or one
# right after the other) the next batch is given PAUSE_S to grow: the kernel wakes us only for the
# first record we have not seen, and a wake-up costs the dying process more than all the rest.
ALONE_S = 0.002
PAUSE_S = 0.01


class Tracer:
    """Every process that ends from now on, until stopped.

    The constructor returns when tracing is on: what ends after that is reported, exactly once.
    Iterate, with `for` or `async for`, to get the exits in the order of their time. Iteration ends
    after stop(), or when all processes of `pids` have ended, and has then given all before that.

    >>> with Tracer(failed=True) as tracer:
    ...     for exit in tracer:
    ...         print(exit.pid, exit.comm, exit.exit_code)

    One thread at a time may iterate. Any thread may call close(); any thread, or a signal handler,
    stop(). Needs CAP_BPF and CAP_PERFMON, or root, and a kernel with BTF, 5.8 or later.

    Args:
        filters: what to trace and what to collect, as a Filters object; or give its parts:
        options: what to trace, and what to collect of it. Those that are given must all hold; of a
            list, one.

            pids: these processes.
            tree: these processes and their descendants, also those of parents that have ended.
            ppids: processes whose parent, as they exit, is one of these.
            users: processes of these users, by name or uid.
            names: processes with a name like one of these shell patterns.
            cgroups: processes in these cgroups or below: paths as in `Exit.cgroup`, or directories.
            containers: processes in containers whose id or name starts with one of these.
            excluding: names of the five before this: all processes but those.
            min_age, max_age: processes that lived so many seconds.
            failed: what did not end with exit(0).
            signals, codes: what ended by one of these signals, or with one of these exit codes.
            causes: what had one of these kinds of cause (kinds.KINDS); implies why.
            per_thread: report every thread that ends; its process ended with it if last_thread.
            why: find out the cause of each end. Costs a program at every signal that is sent.
            fields: collect these attributes of Exit, from `uid` on. Costs what is collected; `args`
                and `exe` a program at every exec and fork.
        unwanted: give also exits of `pids` and `tree` that the rest leaves out, with wanted False.
        ring_bytes: size of each buffer the kernel writes to (one for every 32 CPUs), a power of two
            and at least a page; by default 2 MiB, and 8 with why or fields. An exit takes 56 bytes,
            and what is collected of it some hundred; exits that find no room are counted in `lost`.

    Raises:
        NotPermitted: a privilege is missing.
        KernelRefused: the kernel cannot, or will not, run the BPF program.
        NoSuchProcess: one of pids does not exist, or ended before tracing was on.
        ValueError: an argument is out of range.

    Reading, in whatever way, raises MalformedRecord where the kernel side sent what is no record;
    nothing can be read after that.
    """

    def __init__(
        self,
        filters: Filters | None = None,
        *,
        unwanted: bool = False,
        ring_bytes: int | None = None,
        **options: "Unpack[FilterOptions]",
    ) -> None:
        self._closed = True
        if filters is None:
            filters = Filters(**options)
        elif options:
            raise TypeError("give a Filters object or its parts, not both")
        if ring_bytes is None:
            ring_bytes = FULL_RING_BYTES if filters.groups() else RING_BYTES
        if ring_bytes < os.sysconf("SC_PAGESIZE") or ring_bytes & (ring_bytes - 1):
            raise ValueError("ring_bytes must be a power of two and at least a page")
        self._filters = filters
        self._unwanted = unwanted
        self._groups = filters.groups()
        self._batch = FULL_BATCH if self._groups else BATCH
        self._clues: Clues | None = None
        self._stopping = False
        self._ended = False
        self._lost = 0
        self._signals_recorded = 0
        self._busy = False
        self._drained_at = 0.0
        self._behind = False  # more may be there, though no descriptor says so
        self._early: list[Exits] = []  # read by the constructor
        self._pending: Iterator[Exit] = iter(())  # of the last batch, not given yet
        self._reader: int | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._undo: list[Callable[[], None]] = []  # what frees what we have, the last first
        try:
            self._start(ring_bytes)
        except BaseException:
            self._release()
            raise
        self._closed = False

    def _start(self, ring_bytes: int) -> None:
        filters = self._filters
        self._pids = self._held(filters.pids)
        self._roots = self._held(filters.tree)
        self._parents = self._held(() if "ppids" in filters.excluding else filters.ppids)
        planned = plan(filters, unwanted=self._unwanted)
        self._session = open_session(planned, ring_bytes=ring_bytes)
        self._undo.append(self._session.close)
        # From here on no exit is missed. What takes long to import has waited for that; it is here
        # before the caller may give up the right to read it.
        import select
        import struct
        import threading

        from exitsnoop.decode import exits
        from exitsnoop.host import clock
        from exitsnoop.model.batch import Exits

        self._decode, self._wall_offset_ns = exits.decode, clock.wall_offset_ns
        self._malformed = (struct.error, ValueError)  # what a decoder raises
        self._none = Exits({})
        self._lock = threading.RLock()  # held while descriptors are in use: close() waits for it
        # Apart from the other: stop() must not wait for who waits to be stopped.
        self._wake_lock = threading.RLock()
        self._epoll = select.epoll()
        self._undo.append(self._epoll.close)
        self._wake = wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._undo.append(lambda: os.close(wake))  # not of self, which would refer to itself
        watched = [fd for targets in self._all_targets() for fd in targets.pidfds()]
        for fd in (*self._session.filenos(), self._wake, *watched):
            self._epoll.register(fd, select.EPOLLIN)
        self._grow_tree()
        if self._groups:
            from exitsnoop.tracing.join import Clues  # the plain path does without

            self._clues = Clues(self._groups, per_thread=filters.per_thread)
            self._clues.look_around()
        self._require_no_gap(filters)

    def _held(self, pids: "Iterable[int]") -> Targets:
        targets = Targets(pids)
        self._undo.append(targets.close)
        return targets

    def _release(self) -> None:
        while self._undo:
            self._undo.pop()()

    def _all_targets(self) -> tuple[Targets, Targets, Targets]:
        return self._pids, self._roots, self._parents

    def _grow_tree(self) -> None:
        """Add the descendants that are there already; new ones are added as they are forked."""
        grown = []
        for pid in descendants(self._filters.tree):
            join_tree(self._session, tree_entry(pid))
            grown.append(pid)
        for pid in grown:
            if has_ended(pid):  # perhaps before it was added
                self._session.leave_tree(pid_key(pid))

    def _require_no_gap(self, filters: Filters) -> None:
        """Refuse a process that ended while the program was being attached: it left no record."""
        gone = [pid for targets in self._all_targets() for pid in targets.reap(self._epoll)]
        if not gone or self._is_filtered(filters):
            return
        self._early.append(self._drain())
        while self._behind:
            self._early.append(self._drain())
        recorded = {pid for exits in self._early for pid in exits.column("pid")}
        for pid in gone:
            if pid not in recorded:
                raise already_ended(pid)

    def _is_filtered(self, filters: Filters) -> bool:
        """Whether an exit of a target need not leave a record."""
        return not filters.given() <= {"pids", "tree", "per_thread", "why", "fields"}

    def __enter__(self) -> "Tracer":
        return self

    def __exit__(
        self,
        kind: "type[BaseException] | None",
        error: "BaseException | None",
        traceback: "TracebackType | None",
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if not self._closed:
            self.close()

    @property
    def lost(self) -> int:
        """How many exits, up to now, could not be delivered because the buffer was full."""
        try:
            self._lost = self._session.lost()
        except ValueError:
            pass  # closed: the last count stands
        return self._lost

    @property
    def signals_recorded(self) -> int:
        """How many signals that could end a process have been kept as evidence, with why."""
        try:
            self._signals_recorded = self._session.signals_recorded()
        except ValueError:
            pass
        return self._signals_recorded

    @property
    def unexplained(self) -> int:
        """How many processes ended by a signal of which nothing is known: kind "unknown"."""
        return self._clues.missing if self._clues else 0

    @property
    def ended(self) -> bool:
        """Whether everything has been read that ever will be."""
        return self._ended and not self._early

    def fileno(self) -> int:
        """Return a descriptor for select, poll or an event loop: readable when read() is due."""
        return self._epoll.fileno()

    def stop(self) -> None:
        """End the tracing; iteration still gives what ended before. Harmless when stopped."""
        self._stopping = True
        with self._wake_lock:
            if not self._closed:
                os.eventfd_write(self._wake, 1)

    def leave_out(self, pid: int) -> None:
        """Take a process out of the tree; its descendants stay. Harmless if it is not in."""
        with self._lock:
            if self._filters.tree and not self._closed:
                self._session.leave_tree(pid_key(pid))

    def close(self) -> None:
        """Detach and free everything; iteration ends at once. Harmless when closed."""
        self.stop()
        with self._lock, self._wake_lock:
            if self._closed:
                return
            self._session.settle()
            self._lost = self._session.lost()
            self._signals_recorded = self._session.signals_recorded()
            self._closed = self._ended = True
            self._early.clear()
            self._release()
            if self._waiter:
                self._waiter.get_loop().call_soon_threadsafe(_resolve, self._waiter)

    def read(self) -> "list[Exit]":
        """Return the exits that are there now; never blocks. `ended` says whether more can come."""
        records: list[Exit] = []
        while (batch := self._next_batch(timeout=0)) or self._behind:
            records += batch
        return records

    def batches(self, reader: int | None = None) -> "Iterator[Exits]":
        """Iterate over sequences of exits, of what is there at a time, some thousands at most.

        That is quicker than one by one, and an Exit is made only as it is asked for.

        Args:
            reader: the writing end of a pipe or socket: iteration ends when its reader is gone.
        """
        if reader is not None:
            try:
                self._epoll.register(reader, 0)
                self._reader = reader
            except PermissionError:
                pass  # a file; only pipes and their like are pollable
        while not self.ended:
            self._pause()
            if batch := self._next_batch():
                yield batch

    def __iter__(self) -> "Tracer":
        return self

    def __next__(self) -> "Exit":
        while True:
            for record in self._pending:
                return record
            if self.ended:
                raise StopIteration
            self._pause()
            self._pending = iter(self._next_batch())

    def __aiter__(self) -> "Tracer":
        return self

    async def __anext__(self) -> "Exit":
        import asyncio  # slow to import, and most runs do without

        while True:
            for record in self._pending:
                return record
            if self.ended:
                raise StopAsyncIteration
            if self._busy and not self._behind:
                await asyncio.sleep(PAUSE_S)
            if not (self._early or self._behind or self._closed):
                await self._readable(asyncio.get_running_loop())
            self._pending = iter(self._next_batch(timeout=0))

    async def _readable(self, loop: "asyncio.AbstractEventLoop") -> None:
        self._waiter = loop.create_future()
        fd = self.fileno()
        loop.add_reader(fd, _resolve, self._waiter)
        try:
            await self._waiter
        finally:
            loop.remove_reader(fd)
            self._waiter = None

    def _pause(self) -> None:
        if self._busy and not self._behind:
            time.sleep(PAUSE_S)

    def _next_batch(self, timeout: float | None = None) -> "Exits":
        """Return some exits; none after the time-out, or when woken for another reason."""
        with self._lock:
            if self._early:
                return self._early.pop(0)
            if self._closed:
                return self._none
            if not self._behind:
                self._wait(timeout)
            return self._drain()

    def _completed(self, exits: "Exits", clues: "Clues") -> "Exits":
        completed = clues.complete(exits)
        passing = self._filters.passing(completed)
        if not self._unwanted:
            return completed.where(passing)
        wanted = [a and b for a, b in zip(completed.column("wanted"), passing, strict=True)]
        return completed.replace(wanted=wanted)

    def _wait(self, timeout: float | None) -> None:
        for fd, _ in self._epoll.poll(timeout):
            if fd == self._reader:
                self._ended = True
        for targets in self._all_targets():
            targets.reap(self._epoll)

    def _has_finished(self) -> bool:
        """Whether no more exits are wanted."""
        if self._stopping or self._pids.all_ended or self._parents.all_ended:
            return True
        return bool(self._filters.tree) and not self._session.tree_members()

    def _drain(self) -> "Exits":
        try:
            return self._drained()
        except self._malformed as error:
            self._ended = True
            raise MalformedRecord(
                f"what the kernel side sent is no record ({error}): a fault of exitsnoop's, which "
                "can tell nothing more; please report it"
            ) from error

    def _drained(self) -> "Exits":
        # Asked before draining: what ended before the answer is in the ring by then.
        finishing = self._has_finished()
        block, notes, complete = self._session.drain(self._batch)
        exits = self._decode(block, self._wall_offset_ns())
        if notes and self._clues:
            self._clues.add(notes)
        now = time.monotonic()
        self._busy = not complete or len(exits) > 1 or now - self._drained_at < ALONE_S
        self._behind = not complete
        if block or notes:
            self._drained_at = now
        if finishing and complete:
            self._session.settle()
            self._ended = True
        elif (block or notes) and self._has_finished():
            os.eventfd_write(self._wake, 1)  # what would have woken us for that is drained
        return self._completed(exits, self._clues) if exits and self._clues else exits


def trace(**options: "Unpack[FilterOptions]") -> Tracer:
    """Return a Tracer, attached: for a loop that needs no more than the exits.

    >>> for exit in trace(pids=[4242]):
    ...     print(exit.status)

    It is closed when nothing refers to it any more, so at the latest when the loop is left. See
    Tracer for the options and the errors.
    """
    return Tracer(**options)


def _resolve(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)
