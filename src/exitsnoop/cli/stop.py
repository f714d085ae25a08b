"""Signals that end a trace."""

import atexit
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

    from exitsnoop.tracing.tracer import Tracer

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def stop_on_signals(tracer: "Tracer") -> None:
    """Let the first signal end the trace, with all rows written, and a second one the process."""

    def stop(_number: int, _frame: "FrameType | None") -> None:
        tracer.stop()
        for number in STOP_SIGNALS:  # even if nobody reads our output
            signal.signal(number, signal.SIG_DFL)

    for number in STOP_SIGNALS:
        if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
            continue  # nohup
        signal.signal(number, stop)
    # As it exits, the interpreter restores the default actions of signals.
    atexit.register(signal.pthread_sigmask, signal.SIG_BLOCK, STOP_SIGNALS)
