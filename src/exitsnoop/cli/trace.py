"""`exitsnoop [options]`: trace until told to stop, or until what it follows has ended."""

import os

from exitsnoop.cli.options import Options, wanted
from exitsnoop.cli.output import CannotWrite, complain
from exitsnoop.cli.ready import Ready
from exitsnoop.cli.show import (
    columns,
    count_unwritten,
    fields,
    follow,
    load_what_rows_need,
    output_of,
    say_unknown_containers,
    sink,
)
from exitsnoop.kernel import lines
from exitsnoop.tracing.tracer import Tracer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from exitsnoop.cli.priority import Priority


def run(options: Options) -> int:
    """Print what the options ask for; return the exit status. Raises TraceError, CannotWrite."""
    names = columns(options)
    filters = wanted(options, fields=fields(names), why=options.why or "cause" in names)
    ready = Ready(options.ready_fd)
    output = output_of(options, names)  # what cannot be written is refused before tracing begins
    with Tracer(filters) as tracer:
        # From here on no exit is missed, so what has been put off until now may take its time.
        output.begin()
        form = sink(options, names, output, lines)
        load_what_rows_need(names, output)
        priority = _prepare(tracer)
        ready.tell()  # from now on a signal ends the trace in order, too
        if options.output is not None:  # nothing on the terminal shows it
            complain(f"tracing has begun; rows go to {options.output}")
        if filters.containers:
            say_unknown_containers(filters)
        try:
            follow(tracer, form, output, priority)
        except CannotWrite:
            tracer.stop()
            count_unwritten(tracer, output)
            raise
        return os.EX_IOERR if tracer.lost else os.EX_OK


def _prepare(tracer: Tracer) -> "Priority":
    """Do what must come before the first row; until then a signal ends us without any."""
    from exitsnoop.cli.priority import Priority
    from exitsnoop.cli.stop import stop_on_signals
    from exitsnoop.kernel.privileges import drop

    stop_on_signals(tracer)
    priority = Priority()
    drop()
    return priority
