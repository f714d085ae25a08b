"""`exitsnoop [options]`: trace until told to stop, or until what it follows has ended."""

import argparse
import os
import signal
import time
from types import FrameType

from exitsnoop.cli.options import wanted
from exitsnoop.cli.output import Output, complain
from exitsnoop.sinks.table import Table
from exitsnoop.tracer import Tracer

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(options: argparse.Namespace, output: Output) -> int:
    """Print what the options ask for; return the exit status. Raises TraceError, OSError."""
    filters = wanted(options)
    table = Table(
        timestamp=options.timestamp,
        utc=options.utc,
        label=options.label if options.label != "" else "exit",
        why=filters.why,
        ascii_only=not output.takes_utf8,
    )
    # Held back until there is a tracer to stop: a signal in between must not cost the rows.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    with Tracer(**filters._asdict()) as tracer:
        _stop_on_signals(tracer)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        losses = Losses(tracer)
        try:
            output.write(table.header())  # also says that tracing is on
            for batch in tracer.batches(reader=output.fileno()):
                output.write(table.rows(batch))
                losses.report()
        finally:
            losses.sum_up()
        return os.EX_IOERR if tracer.lost else os.EX_OK


def _stop_on_signals(tracer: Tracer) -> None:
    def stop(_number: int, _frame: FrameType | None) -> None:
        tracer.stop()
        for number in STOP_SIGNALS:  # the next one ends us even if nobody takes our output
            signal.signal(number, signal.SIG_DFL)

    for number in STOP_SIGNALS:
        if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
            continue  # nohup
        signal.signal(number, stop)


class Losses:
    """Says on standard error when exits were lost, once a second at most, and at the end all."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._reported = 0
        self._reported_at = float("-inf")

    def report(self) -> None:
        """Tell of new losses, if it is time."""
        lost = self._tracer.lost
        now = time.monotonic()
        if lost > self._reported and now - self._reported_at >= 1:
            complain(f"{lost - self._reported} exits were lost: they came too fast to be read")
            self._reported, self._reported_at = lost, now

    def sum_up(self) -> None:
        """Tell of all losses, if there were any."""
        if self._tracer.lost:
            complain(f"{self._tracer.lost} exits were lost in all; the rows are not complete")
        if self._tracer.unexplained:
            complain(f"{self._tracer.unexplained} causes are unknown")
