"""The loop of the recorder: what the tracer gives goes to the writer."""

import time
from collections.abc import Callable

from exitsnoop.kernel.clock_steps import ClockSteps
from exitsnoop.kernel.memory import return_memory
from exitsnoop.recorder.notices import Notices
from exitsnoop.recorder.notify import Service
from exitsnoop.store.writer import Writer
from exitsnoop.tracing.tracer import Tracer

_RETURNED_EACH_S = 10.0  # memory; that takes some milliseconds


def record(
    tracer: Tracer,
    writer: Writer,
    notices: Notices,
    service: Service,
    after_batch: Callable[[], None],
) -> None:
    """Write all exits of a tracer until it ends, and close the writer.

    While nothing ends nothing is done, except what the service manager wants. When the wall clock
    is set, the times of what was recorded follow it at once.

    after_batch: is called after each batch.

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
        notices.sum_up(writer.close(why))


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
