"""The loop of the recorder: what the tracer gives goes to the writer."""

import time
from collections.abc import Callable

from exitsnoop.kernel.clock_steps import ClockSteps
from exitsnoop.kernel.memory import return_memory
from exitsnoop.recorder.notices import Notices
from exitsnoop.recorder.notify import Service
from exitsnoop.store.boots import boot_clock_ns
from exitsnoop.store.writer import Writer
from exitsnoop.tracing.tracer import Tracer

_RETURNED_EACH_S = 10.0  # memory; that takes some milliseconds


class Ending:
    """Stops a tracer, and notes when: all that ended before that is recorded.

    Attributes:
        at_ns: when, by the boot clock; None if it was not stopped.
    """

    def __init__(self, tracer: Tracer) -> None:
        self.at_ns: int | None = None
        self._tracer = tracer

    def stop(self) -> None:
        """Stop it. Harmless when repeated."""
        if self.at_ns is None:
            self.at_ns = boot_clock_ns()
        self._tracer.stop()


def record(
    tracer: Tracer,
    writer: Writer,
    notices: Notices,
    service: Service,
    after_batch: Callable[[], None],
    ending: Ending | None = None,
) -> None:
    """Write all exits of a tracer until it ends, and close the writer.

    While nothing ends nothing is done, except what the service manager wants. When the wall clock
    is set, the times of what was recorded follow it at once.

    Args:
        tracer: gives the exits.
        writer: takes them.
        notices: what is to be said.
        service: the service manager.
        after_batch: is called after each batch.
        ending: what stops the tracer, if that is known.

    Raises MalformedRecord when all exits before it have been written. Then the recording says that
    the recorder failed.
    """
    why = "failed"
    try:
        with ClockSteps() as steps:
            tracer.wake_on(steps.fileno())
            service.ready()
            _follow(tracer, writer, steps, notices, service, after_batch)
        why = "stopped"
    finally:
        service.stopping()
        notices.sum_up(writer.close(why, ending.at_ns if ending else None))


def _follow(
    tracer: Tracer,
    writer: Writer,
    steps: ClockSteps,
    notices: Notices,
    service: Service,
    after_batch: Callable[[], None],
) -> None:
    lost = all_undecided = 0
    returned = time.monotonic()
    while not tracer.ended:
        # What comes before the next commit is in time for it. Read a little at a time, with cold
        # caches, each exit costs more.
        until_due = _seconds_until(writer.due, service.due)
        exits = tracer.next_batch(until_due, patient=writer.due is not None)
        before, lost = lost, tracer.lost
        undecided = min(tracer.undecided - all_undecided, lost - before)
        all_undecided += undecided
        writer.add(exits, lost - before, undecided)
        if steps.happened():
            writer.look_at_clock()
        writer.tick()
        notices.look()
        service.tick()
        after_batch()
        if time.monotonic() - returned >= _RETURNED_EACH_S:
            return_memory()
            returned = time.monotonic()


def _seconds_until(*due: float | None) -> float | None:
    """Return how long it is until the first of these times; None if there is none."""
    times = [at for at in due if at is not None]
    return max(0.0, min(times) - time.monotonic()) if times else None
