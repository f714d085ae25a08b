"""Signals that end a trace, or what is like one."""

import atexit
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Protocol

    class Stoppable(Protocol):
        """A Tracer, or another source that goes on until it is stopped."""

        def stop(self) -> None:
            """End it, with all rows written."""


STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def stop_on_signals(source: "Stoppable") -> None:
    """Let the first signal end the trace, with all rows written, and a second one the process."""

    def stop(_number: int, _frame: "FrameType | None") -> None:
        source.stop()
        for number in STOP_SIGNALS:  # even if nobody reads our output
            signal.signal(number, signal.SIG_DFL)

    for number in STOP_SIGNALS:
        if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
            continue  # nohup
        signal.signal(number, stop)
    # As it exits, the interpreter restores the default actions of signals.
    atexit.register(signal.pthread_sigmask, signal.SIG_BLOCK, STOP_SIGNALS)
