"""`exitsnoop [options]`: trace until told to stop, or until what it follows has ended."""

import argparse
import atexit
import os
import signal
from types import FrameType

from exitsnoop.cli.options import wanted
from exitsnoop.cli.output import Output
from exitsnoop.cli.priority import go_first
from exitsnoop.cli.show import (
    columns,
    count_unwritten,
    fields,
    follow,
    load_what_rows_need,
    sink,
)
from exitsnoop.privileges import drop
from exitsnoop.tracer import Tracer

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(options: argparse.Namespace) -> int:
    """Print what the options ask for; return the exit status. Raises TraceError, OSError."""
    names = columns(options)
    filters = wanted(options, fields=fields(names), why=options.why or "cause" in names)
    output = Output(options.output)  # after the options proved right: it may empty a file
    form = sink(options, names, output)
    load_what_rows_need(names, output)
    # Held back until there is a tracer to stop: a signal in between must not cost the rows.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    with Tracer(**filters._asdict()) as tracer:
        go_first()
        drop()
        _stop_on_signals(tracer)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        try:
            follow(tracer, form, output)
        except BrokenPipeError:
            raise  # the reader has what it wanted
        except OSError:
            tracer.stop()
            count_unwritten(tracer, output, note=lambda _: None)
            raise
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
    # On its way out, the interpreter gives signals back what they do by default.
    atexit.register(signal.pthread_sigmask, signal.SIG_BLOCK, STOP_SIGNALS)
