"""Reading: drains a session, decodes and completes the exits, and queues them until they are taken.

Imported when the session is attached: then no exit is missed meanwhile.
"""

import struct
import threading
import time

from exitsnoop.decode.exits import decode
from exitsnoop.errors import MalformedRecord
from exitsnoop.host.clock import wall_offset_ns
from exitsnoop.model.batch import Exits
from exitsnoop.tracing.wait import PAUSE_S, Pace, Waiting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exitsnoop.filters.filters import Filters
    from exitsnoop.kernel.session import Session
    from exitsnoop.model.exit import Exit
    from exitsnoop.tracing.join import Clues
    from exitsnoop.tracing.targets import Targets

# How many exits are drained at a time. That bounds the memory that a burst takes, and keeps: Python
# gives back little of what the largest batch took.
BATCH = 2048
FULL_BATCH = 256  # with collected fields, each is some KB
GATHERED_BYTES = 1 << 20  # so much is not gathered, but read
STAGED_BYTES = 64 << 20  # about so much is taken into memory before it can be read


class Reading:
    """Exits from an attached session, each given once.

    Args:
        session: where they come from.
        filters: what the caller requested.
        unwanted: whether to give, marked, what the filters leave out.
        pause_s: how long to let more come between two reads; None: as long as is usual.
        targets: the processes of those of `pids`, `tree` and `ppids` that are given.

    Attributes:
        lock: held while descriptors are in use, so that close() waits for a reader.
        waiting: what a reader waits for.
        pace: when to read next.
        clues: what is known about the exits to come; None on the plain path.
        stopping: no more exits are wanted but those that are there.
        undecided: how many exits were left out as a filter could not decide: they are lost.

    Raises OSError if the process may have no more descriptors.
    """

    def __init__(
        self,
        session: "Session",
        filters: "Filters",
        *,
        unwanted: bool,
        pause_s: float | None,
        targets: "Mapping[str, Targets]",
    ) -> None:
        self.lock = threading.RLock()
        self.waiting = Waiting(session.filenos(), targets.values())
        self.pace = Pace(PAUSE_S if pause_s is None else pause_s)
        self.clues: Clues | None = None
        self.stopping = False
        self.undecided = 0
        self._session = session
        self._filters = filters
        self._unwanted = unwanted
        # All ended, they end the trace; those of `tree` may leave descendants.
        self._followed = [targets[name] for name in ("pids", "ppids") if name in targets]
        self._batch = FULL_BATCH if filters.groups() else BATCH
        self._unread = Unread()
        self._staged = 0  # bytes that were looked at, and not drained yet
        self._drained_all = False
        self._malformed: MalformedRecord | None = None  # to be raised after what was read before

    def look_around(self) -> None:
        """Find out what collected fields need to know about processes that run already.

        Imports and opens what later reads need, too: the caller may give up the right to it.
        """
        if self._filters.causes or self._filters.containers:
            import exitsnoop.filters.match  # noqa: F401 - passing() takes it from there
        groups = self._filters.groups()
        if groups:
            from exitsnoop.tracing.join import Clues  # the plain path does without

            self.clues = Clues(groups, per_thread=self._filters.per_thread)
            self.clues.look_around()

    @property
    def ended(self) -> bool:
        """Whether everything has been taken, and nothing more can come."""
        return self._drained_all and not self._unread and self._malformed is None

    @property
    def is_due(self) -> bool:
        """Whether fill() has something to do, though no descriptor is readable."""
        return self.pace.behind or self._malformed is not None

    def take_one(self) -> "Exit | None":
        """Take an exit that was read; None if there is none."""
        with self.lock:
            return self._unread.one()

    def take(self, timeout: float | None = None) -> Exits:
        """Take some exits; none after the time-out, or when woken for another reason."""
        with self.lock:
            if not self._unread:
                self.fill(timeout)
            return self._unread.batch()

    def take_all(self) -> "list[Exit]":
        """Take all that are there now, without waiting."""
        exits: list[Exit] = []
        try:
            while (batch := self.take(timeout=0)) or self.pace.behind:
                exits += batch
        except MalformedRecord as error:
            if not exits:
                raise
            self._malformed = error
        return exits

    def fill(self, timeout: float | None = None) -> None:
        """Wait until there is something to read, and read some of it. Raises MalformedRecord."""
        with self.lock:
            error, self._malformed = self._malformed, None
            if error:
                raise error
            if self._drained_all:
                return
            if not (self.pace.behind or self._staged):
                self.waiting.wait(timeout)
                if self.waiting.reader_left:
                    return
            self._unread.add(self._drain())

    def pause(self) -> None:
        """Let more come first, where they come in numbers."""
        if pause_s := self.pace.pause_s():
            time.sleep(pause_s)

    def gather(self, timeout: float) -> float:
        """Let more come for so long: until much has come, or something that should not wait.

        Returns how much of the time is left.
        """
        until = time.monotonic() + timeout
        gathered, presses = 0, self.stopping or self.pace.hurries
        while not presses and gathered < GATHERED_BYTES:
            before = gathered
            gathered, presses = self._look()
            if gathered == before:  # so sleep until something comes
                with self.lock:
                    if self.waiting.wait(max(0, until - time.monotonic())):
                        break
            pause_s = min(self.pace.longest_s, until - time.monotonic())
            if presses or pause_s <= 0:
                break
            time.sleep(pause_s)
            presses = self.stopping
        return max(0, until - time.monotonic())

    def make_room(self) -> None:
        """Take what the kernel's buffers hold into memory, within a bound."""
        with self.lock:
            if self._staged < STAGED_BYTES:
                self._look()

    def _look(self) -> tuple[int, bool]:
        with self.lock:
            if self._drained_all:
                return 0, True
            self._staged, presses = self._session.look()
            return self._staged, presses

    def ended_before(self) -> set[int]:
        """Read all that is there; return the PIDs of all exits that have not been taken."""
        recorded: set[int] = set()
        while True:
            exits = self._drain()
            recorded.update(exits.column("pid") if exits else ())
            self._unread.add(exits)
            if not self.pace.behind:
                return recorded

    def close(self) -> None:
        """Drop what was not taken, and free the descriptors."""
        self._drained_all = True
        self._malformed = None
        self._unread.clear()
        self.waiting.close()
        if self.clues:
            self.clues.close()

    def _has_finished(self) -> bool:
        """Whether no more exits are wanted."""
        if self.stopping or any(targets.all_ended for targets in self._followed):
            return True
        return bool(self._filters.tree) and not self._session.tree_members()

    def _drain(self) -> Exits:
        try:
            return self._drained()
        except (struct.error, ValueError) as error:
            self._drained_all = True
            raise MalformedRecord(
                "cannot decode a record from the BPF program; "
                "this is a bug in exitsnoop; tracing has stopped"
            ) from error

    def _drained(self) -> Exits:
        # Asked before draining: what ended before the answer is in the ring by then.
        finishing = self._has_finished()
        if finishing:  # else there is no end while more come than can be read
            self._session.detach()
        block, notes, complete = self._session.drain(self._batch)
        self._staged = 0
        exits = decode(block, wall_offset_ns())
        if notes and self.clues:
            self.clues.add(notes)
        anything = bool(block or notes)
        self.pace.note(len(exits), anything=anything, complete=complete)
        if finishing and complete:
            self._session.settle()
            self._drained_all = True
        elif anything and self._has_finished():
            self.waiting.wake()  # the records that would have woken us are drained
        return self._completed(exits, self.clues) if exits and self.clues else exits

    def _completed(self, exits: Exits, clues: "Clues") -> Exits:
        completed = clues.complete(exits)
        passing = self._filters.passing(completed)
        if self._filters.containers:
            passing = self._decided(completed, passing)
        if not self._unwanted:
            return completed.where(passing)
        wanted = [a and b for a, b in zip(completed.column("wanted"), passing, strict=True)]
        return completed.replace(wanted=wanted)

    def _decided(self, exits: Exits, passing: list[bool]) -> list[bool]:
        """Let no exit pass whose container is unknown.

        The buffer had no room for its cgroup, or the path was too long to be read whole.
        """
        from exitsnoop.model.cgroup import container, is_cut

        known = [
            path is not None and not (is_cut(path) and container(path) is None)
            for path in exits.column("cgroup")
        ]
        wanted = exits.column("wanted")
        self.undecided += sum(a and not b for a, b in zip(wanted, known, strict=True))
        return [passes and there for passes, there in zip(passing, known, strict=True)]


class Unread:
    """The one queue behind all ways to read a Tracer: it gives each exit once, in order."""

    def __init__(self) -> None:
        self._batches: list[Exits] = []
        self._opened = Exits({})  # the batch that one() takes from
        self._left = 0  # how many of its exits are not given yet
        self._ones: Iterator[Exit] = iter(())

    def __bool__(self) -> bool:
        return bool(self._left or self._batches)

    def add(self, exits: Exits) -> None:
        """Put exits at the end."""
        if exits:
            self._batches.append(exits)

    def one(self) -> "Exit | None":
        """Take the first exit; None if there is none."""
        if not self._left:
            if not self._batches:
                return None
            self._opened = self._batches.pop(0)
            self._left, self._ones = len(self._opened), iter(self._opened)
        self._left -= 1
        return next(self._ones)

    def batch(self) -> Exits:
        """Take some of the first exits; an empty batch if there are none."""
        if self._left:
            rest = self._opened[len(self._opened) - self._left :]
            self._left = 0
            return rest
        return self._batches.pop(0) if self._batches else Exits({})

    def clear(self) -> None:
        """Drop all."""
        self._left = 0
        self._batches.clear()
