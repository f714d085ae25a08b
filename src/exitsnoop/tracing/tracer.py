"""Tracer: filters in, exits out."""

import os

from exitsnoop.errors import NoSuchProcess, TraceError
from exitsnoop.filters.filters import Filters
from exitsnoop.host.processes import has_boot_clock_of_kernel
from exitsnoop.kernel.plan import pid_key, plan, tree_entry
from exitsnoop.kernel.session import join_tree, open_session
from exitsnoop.model.later import Later, LaterUnpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    import inspect
    import typing
    from collections import abc

    from typing_extensions import Unpack  # typing has it since 3.11

    from exitsnoop.filters import keywords
    from exitsnoop.model import batch
    from exitsnoop.model import exit as exit_
    from exitsnoop.tracing.targets import Targets
else:  # for typing.get_type_hints(): imported when annotations are resolved, not by a start
    asyncio, inspect, abc = map(Later, ("asyncio", "inspect", "collections.abc"))
    typing = Later("typing")
    Unpack, keywords = LaterUnpack(), Later("exitsnoop.filters.keywords")
    batch, exit_ = Later("exitsnoop.model.batch"), Later("exitsnoop.model.exit")

RING_BYTES = 2 * 1024 * 1024  # 37,000 exits
FULL_RING_BYTES = 4 * RING_BYTES  # collected fields take more room, and longer to read
MOST_RING_BYTES = 1 << 31  # the kernel's number has 32 bits
_HIDE_NONE = {"pids", "tree", "per_thread", "why", "fields"}  # of the processes that they name


class _Keywords:
    """A signature with every keyword, for inspect.signature(); made on first access."""

    def __get__(self, tracer: object, kind: object) -> "inspect.Signature":
        from exitsnoop.tracing.keywords import signature

        return signature(
            unwanted=(False, bool), ring_bytes=(None, int | None), pause_s=(None, float | None)
        )


class Tracer:
    """Every process that ends from now on, until stopped.

    The constructor returns when tracing is on: each exit after that is reported exactly once, in
    the order of time. There are several ways to read them: `for` and `async for`, next(), read()
    and batches(). They share one queue, so they may be mixed. Iteration ends after stop(), or when
    all processes of `pids` have ended; it gives all earlier exits before it ends.

    >>> with Tracer(failed=True) as tracer:
    ...     for ended in tracer:
    ...         print(ended.pid, ended.comm, ended.exit_code)

    One thread at a time may read, and in it several tasks. Any thread may call close() or
    leave_out(); any thread, or a signal handler, may call stop(). After os.fork() the Tracer is the
    parent's: in the child it has ended, and nothing that is done with it there reaches the parent.
    Tracing needs CAP_BPF and CAP_PERFMON, or root, and Linux 5.8 or later with BTF.

    Args:
        filters: what to trace and what to collect.
        options: the keywords of Filters, instead of a Filters object. `why` costs a program at
            every signal that is sent.
        unwanted: also give exits of `pids` and `tree` that the other filters leave out, marked with
            `wanted` False.
        ring_bytes: size of each buffer that the kernel writes to (one for every 32 CPUs): a power
            of two, from a page to 2 GiB. Default: 2 MiB, or 8 MiB with why or fields. An exit takes
            56 bytes, and some hundred more with fields. Exits that find no room are counted in
            `lost`.
        pause_s: where exits come in numbers, how long to let more come before they are read, in
            seconds: a hundredth by default. The more come at a time, the less each costs.

    Raises:
        NotPermitted: a privilege is missing.
        KernelRefused: the kernel cannot, or will not, run the BPF program.
        NoSuchProcess: one of pids, tree or ppids does not exist, or ended before tracing began.
        TraceError: tracing cannot begin for another reason, such as a limit of open files.
        ValueError: an argument is out of range.

    Reading raises MalformedRecord if a record cannot be decoded, after the exits before it have
    been given. Tracing has ended then.
    """

    __signature__ = _Keywords()

    def __init__(
        self,
        filters: "Filters | None" = None,
        *,
        unwanted: bool = False,
        ring_bytes: int | None = None,
        pause_s: float | None = None,
        **options: "Unpack[keywords.FilterOptions]",
    ) -> None:
        self._closed = True
        if filters is None:
            filters = Filters(**options)
        elif options:
            raise TypeError("give a Filters object or its parts, not both")
        if ring_bytes is None:
            ring_bytes = FULL_RING_BYTES if filters.groups() else RING_BYTES
        least = os.sysconf("SC_PAGESIZE")
        if not least <= ring_bytes <= MOST_RING_BYTES or ring_bytes & (ring_bytes - 1):
            raise ValueError(
                f"ring_bytes must be a power of two from {least} (a page) to {MOST_RING_BYTES}"
            )
        if pause_s is not None and not 0 <= pause_s <= 1:
            raise ValueError("pause_s must be between 0 and 1")
        self._filters = filters
        self._lost = self._undecided = self._signals_recorded = 0
        self._waiters: set[asyncio.Future[None]] = set()
        self._undo: list[abc.Callable[[], None]] = []  # what frees our resources, in reverse
        try:
            self._start(unwanted=unwanted, ring_bytes=ring_bytes, pause_s=pause_s)
        except BaseException as error:
            self._release()
            if isinstance(error, (OSError, ImportError)) and not isinstance(error, TraceError):
                from exitsnoop.kernel.refusals import lacking  # by now there is room for it

                raise lacking(error) from error
            raise
        self._closed = False

    def _start(self, *, unwanted: bool, ring_bytes: int, pause_s: float | None) -> None:
        filters = self._filters
        if not has_boot_clock_of_kernel():
            raise TraceError(
                "this process is in a time namespace whose boot clock is not that of the kernel: "
                "run exitsnoop outside of it (nsenter --time=/proc/1/ns/time)"
            )
        targets = self._held_targets() if filters.pids or filters.tree or filters.ppids else {}
        self._session = open_session(plan(filters, unwanted=unwanted), ring_bytes=ring_bytes)
        self._undo.append(self._session.close)
        # From here on no exit is missed, so imports that take long come now; and they come before
        # the caller may give up the right to read them.
        import threading

        from exitsnoop.tracing.forks import call_in_child
        from exitsnoop.tracing.reading import Reading

        call_in_child(Tracer._leave_to_parent, self)
        # Not the lock of Reading: stop() must not wait for the thread that it is to stop.
        self._wake_lock = threading.RLock()
        self._reading = Reading(
            self._session, filters, unwanted=unwanted, pause_s=pause_s, targets=targets
        )
        self._undo.append(self._reading.close)
        if filters.tree:
            self._grow_tree()
        self._reading.look_around()
        self._require_no_gap()

    def _held_targets(self) -> "dict[str, Targets]":
        from exitsnoop.tracing.targets import Targets  # most runs do without

        held = {}
        for name in ("pids", "tree", "ppids"):
            pids = getattr(self._filters, name)
            if pids and name not in self._filters.excluding:
                held[name] = targets = Targets(pids)
                self._undo.append(targets.close)
        return held

    def _release(self) -> None:
        while self._undo:
            self._undo.pop()()

    def _leave_to_parent(self) -> None:
        """In a child: close the copies of the parent's descriptors, or all would stay attached."""
        self._closed = True
        self._release()
        if reading := vars(self).get("_reading"):  # made by now
            from threading import RLock

            self._wake_lock, reading.lock = RLock(), RLock()

    def _grow_tree(self) -> None:
        """Add the descendants that are there already; new ones are added as they are forked."""
        from exitsnoop.tracing.targets import descendants, has_ended

        grown = []
        for pid in descendants(self._filters.tree):
            join_tree(self._session, tree_entry(pid))
            grown.append(pid)
        for pid in filter(has_ended, grown):  # perhaps before they were added
            self._session.leave_tree(pid_key(pid))

    def _require_no_gap(self) -> None:
        """Refuse a process that ended while the program was being attached: it left no record."""
        gone = self._reading.waiting.reap()
        if not gone or not self._filters.given() <= _HIDE_NONE:
            return
        recorded = self._reading.ended_before()
        for pid in gone:
            if pid not in recorded:
                raise NoSuchProcess(f"process {pid} had ended before tracing began", pid)

    def __enter__(self) -> "Tracer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> "Tracer":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> "typing.NoReturn":
        raise TypeError("a Tracer cannot be copied or sent: open one in the process that reads it")

    def __del__(self) -> None:
        if not self._closed:
            self.close()

    @property
    def lost(self) -> int:
        """How many exits, up to now, are missing: the buffer was full, or they are `undecided`."""
        self._count_lost()
        return self._lost

    @property
    def undecided(self) -> int:
        """How many of `lost` a filter could not decide about: their cgroup is not known in full."""
        self._count_lost()
        return self._undecided

    def _count_lost(self) -> None:
        try:
            undelivered, undecided = self._session.lost()
        except ValueError:
            return  # closed: the last count stands
        self._undecided = undecided + self._reading.undecided
        self._lost = undelivered + self._undecided

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
        """How many processes ended by a signal without any evidence: their cause is "unknown"."""
        clues = self._reading.clues
        return clues.missing if clues else 0

    @property
    def ended(self) -> bool:
        """Whether everything has been read, and nothing more can come."""
        return self._reading.ended

    @property
    def stopped(self) -> bool:
        """Whether stop() or close() was called."""
        return self._reading.stopping

    def fileno(self) -> int:
        """Return a descriptor for select, poll or an event loop: readable when read() is due."""
        return self._reading.waiting.fileno()

    def stop(self) -> None:
        """Stop tracing; reading still gives all exits before that. Harmless when repeated."""
        self._reading.stopping = True
        with self._wake_lock:
            if not self._closed:
                self._reading.waiting.wake()

    def leave_out(self, pid: int) -> None:
        """Take a process out of the tree; its descendants stay. Harmless if it is not in it."""
        with self._wake_lock:  # a thread that reads may wait for long
            if self._filters.tree and not self._closed:
                self._session.leave_tree(pid_key(pid))
                if not self._session.tree_members():
                    self._reading.waiting.wake()

    @property
    def running(self) -> int:
        """How many processes of `tree` run: at the end, how many had not ended by then."""
        with self._wake_lock:
            return 0 if self._closed or not self._filters.tree else self._session.tree_members()

    def close(self) -> None:
        """Detach and free everything. Unread exits are dropped. Harmless when repeated."""
        self.stop()
        with self._reading.lock, self._wake_lock:
            if self._closed:
                return
            self._session.settle()
            self._count_lost()
            self._signals_recorded = self._session.signals_recorded()
            self._closed = True
            self._release()
            for waiter in list(self._waiters):
                waiter.get_loop().call_soon_threadsafe(_resolve, [waiter])

    def read(self) -> "list[exit_.Exit]":
        """Return the exits that are there now; never blocks. `ended` says whether more can come."""
        return self._reading.take_all()

    def next_batch(self, timeout: float | None = None, *, patient: bool = False) -> "batch.Exits":
        """Wait for exits, and return some: what is there, at most some thousands.

        There may be none: after so many seconds, at the end, and when something else happened, such
        as stop(). `ended` says whether more can come.

        Args:
            timeout: how long to wait, in seconds; None: for ever.
            patient: wait so long though exits are there, so that each costs less. It still returns
                if there are many, if a signal ended one, or if one is the first of its cgroup.
        """
        self._reading.pause()
        if patient and timeout is not None:
            timeout = self._reading.gather(timeout)
        return self._reading.take(timeout)

    def make_room(self) -> None:
        """Take what the kernel's buffers hold into memory, if reading must wait; any thread may."""
        self._reading.make_room()

    def wake_on(self, descriptor: int) -> None:
        """Have next_batch() return, too, while a descriptor is readable, until that is closed."""
        self._reading.waiting.wake_on(descriptor)

    def batches(self, reader: int | None = None) -> "abc.Iterator[batch.Exits]":
        """Iterate over batches of exits: what is there at a time, at most some thousands.

        That is faster than one by one: an Exit is made only on access.

        Args:
            reader: the writing end of a pipe or socket: iteration ends when its reader is gone.
        """
        reading = self._reading
        with reading.lock:
            if reader is not None and not self._closed:
                reading.waiting.watch(reader)
        try:
            while not reading.ended:
                if batch := self.next_batch():
                    yield batch
                elif reading.waiting.reader_left:
                    return
        finally:
            with reading.lock:
                if reader is not None and not self._closed:
                    reading.waiting.unwatch()

    def __iter__(self) -> "Tracer":
        return self

    def __next__(self) -> "exit_.Exit":
        while (ended := self._reading.take_one()) is None:
            if self._reading.ended:
                raise StopIteration
            self._reading.pause()
            self._reading.fill()
        return ended

    def __aiter__(self) -> "Tracer":
        return self

    async def __anext__(self) -> "exit_.Exit":
        reading = self._reading
        while (ended := reading.take_one()) is None:
            if reading.ended:
                raise StopAsyncIteration
            if pause_s := reading.pace.pause_s():
                await asyncio.sleep(pause_s)
            if not reading.is_due:
                await self._readable(asyncio.get_running_loop())
            reading.fill(timeout=0)
        return ended

    async def _readable(self, loop: "asyncio.AbstractEventLoop") -> None:
        with self._reading.lock:
            if self._closed:
                return
            self._waiters.add(waiter := loop.create_future())
            loop.add_reader(fd := self.fileno(), _resolve, self._waiters)
        try:
            await waiter
        finally:
            self._waiters.remove(waiter)
            if not self._waiters:
                loop.remove_reader(fd)


def _resolve(waiters: "abc.Iterable[asyncio.Future[None]]") -> None:
    for waiter in [one for one in waiters if not one.done()]:
        waiter.set_result(None)
