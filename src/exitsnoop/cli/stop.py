"""What ends a trace from outside: signals."""

import atexit
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

    from exitsnoop.tracing.tracer import Tracer

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def stop_on_signals(tracer: "Tracer") -> None:
    """Have the first of them end the trace, with all rows, and a second one the process."""

    def stop(_number: int, _frame: "FrameType | None") -> None:
        tracer.stop()
        for number in STOP_SIGNALS:  # even if nobody takes our output
            signal.signal(number, signal.SIG_DFL)

    for number in STOP_SIGNALS:
        if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
            continue  # nohup
        signal.signal(number, stop)
    # On its way out, the interpreter gives signals back what they do by default.
    atexit.register(signal.pthread_sigmask, signal.SIG_BLOCK, STOP_SIGNALS)
