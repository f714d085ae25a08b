"""Signals that end a trace, or what is like one."""

import atexit
import os
import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Protocol

    class Stoppable(Protocol):
        """A Tracer, or another source that goes on until it is stopped."""

        def stop(self) -> None:
            """End it, with all rows written."""


STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_AT_ONCE_S = 0.1  # nobody presses a key twice in so short a time


class Patience:
    """Tells a signal that insists from the first one, and from the same one that comes with that.

    `timeout` sends each signal twice, to its command and to its process group. A terminal that is
    closed hangs up by its shell and by the kernel.
    """

    def __init__(self) -> None:
        self._first: tuple[int, float] | None = None

    def is_over(self, number: int) -> bool:
        """Take note of a signal; return whether one came before it: another, or not just now."""
        now = time.monotonic()
        if self._first is None:
            self._first = number, now
        first, came = self._first
        return number != first or now - came >= _AT_ONCE_S


def stop_on_signals(source: "Stoppable") -> None:
    """Let the first signal end the trace, with all rows written, and a later one the process.

    Signals that whoever started us had blocked come from now on.
    """
    patience = Patience()

    def stop(number: int, _frame: "FrameType | None") -> None:
        source.stop()
        if patience.is_over(number):  # perhaps nobody reads our output
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    for number in STOP_SIGNALS:
        if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
            continue  # nohup
        signal.signal(number, stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    # As it exits, the interpreter restores the default actions of signals.
    atexit.register(signal.pthread_sigmask, signal.SIG_BLOCK, STOP_SIGNALS)
