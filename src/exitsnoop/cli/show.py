"""From options to rows: which columns, in which format, and what to do with a batch of exits."""

import gc
import os
import time

from exitsnoop.cli.choice import DEFAULT, DEFAULT_JSON, choose
from exitsnoop.cli.output import Output, complain
from exitsnoop.model.fields import COLLECTED
from exitsnoop.tracing.tracer import Tracer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from exitsnoop.cli.options import Options
    from exitsnoop.cli.priority import Priority
    from exitsnoop.model.exit import Exit
    from exitsnoop.sinks import Sink


def columns(options: "Options") -> tuple[str, ...]:
    """Return the names of the columns that the options ask for."""
    for_programs = options.json or options.csv
    chosen = list(choose(options.columns, DEFAULT_JSON if for_programs else DEFAULT))
    if (options.timestamp or options.utc) and "time" not in chosen:
        chosen.insert(0, "time")
    if options.why or (options.causes and not options.columns):
        chosen.append("cause")
    if options.args:
        chosen.append("args")
    return tuple(dict.fromkeys(chosen))


def fields(names: "Iterable[str]") -> set[str]:
    """Return which of the columns must be collected, the cause apart."""
    return {name for name in names if name in COLLECTED} - {"cause"}


def sink(options: "Options", names: tuple[str, ...], output: Output) -> "Sink":
    """Return the format that the options ask for."""
    label = options.label if options.label != "" else "exit"
    if options.json:
        from exitsnoop.sinks.json_lines import JsonLines

        return JsonLines(names, label=label)
    if options.csv:
        from exitsnoop.sinks.csv import Csv

        return Csv(names, label=label, ascii_only=not output.takes_utf8)
    from exitsnoop.sinks.table import Table

    return Table(
        names,
        utc=options.utc,
        label=label,
        ascii_only=not output.takes_utf8,
        color=_wants_color(options.color, output),
        terminal_width=output.width if output.is_terminal else None,
    )


def load_what_rows_need(names: "Iterable[str]", output: Output) -> None:
    """Import what rows would import when they need it; what the tracer needs comes with it.

    Without capabilities not even root can read a package in a home that only its owner may enter.
    """
    from importlib import import_module

    if "cause" in names:
        import_module("exitsnoop.model.syscalls")
    if output.is_terminal:
        import_module("exitsnoop.sinks.terminal")
        import_module("unicodedata")


def _wants_color(choice: str, output: Output) -> bool:
    if choice == "auto":
        return output.is_terminal and not os.environ.get("NO_COLOR")
    return choice == "always"


def follow(
    tracer: Tracer,
    form: "Sink",
    output: Output,
    priority: "Priority",
    note: "Callable[[Sequence[Exit]], None] | None" = None,
) -> None:
    """Write the exits until the trace ends or nobody reads them; tell of losses. Raises OSError.

    Args:
        tracer: what to follow.
        form: how to write them.
        output: where to.
        priority: which this thread has.
        note: is given every batch, also exits that are not wanted; then only the trace decides
            when it ends, or a write that fails.
    """
    gc.freeze()  # what there is now stays: it need not be looked through again
    gc.enable()
    losses = Losses(tracer, form, output)
    try:
        output.write(form.header())  # also says that tracing is on
        for batch in tracer.batches(reader=None if note else output.fileno()):
            if note:
                note(batch)
            if shown := batch.where(batch.column("wanted")):
                output.write(form.rows(shown), rows=True)
            losses.report()
            priority.give_way()
    finally:
        losses.sum_up()


def count_unwritten(
    tracer: Tracer, output: Output, note: "Callable[[Sequence[Exit]], None]"
) -> None:
    """After a write that failed, go on until the trace ends; tell how many were not written."""
    for batch in tracer.batches():
        note(batch)
        output.unwritten += sum(batch.column("wanted"))
    if output.unwritten:
        complain(f"{output.unwritten} exits were traced, but not written")


class Losses:
    """Says on standard error when exits were lost, once a second at most, and at the end all.

    The rows say it, too, where the format has a way to.
    """

    def __init__(self, tracer: Tracer, form: "Sink", output: Output) -> None:
        self._tracer = tracer
        self._sink = form
        self._output = output
        self._reported = 0
        self._reported_at = float("-inf")

    def report(self) -> None:
        """Tell of new losses, if it is time."""
        if time.monotonic() - self._reported_at >= 1:
            self._tell()

    def sum_up(self) -> None:
        """Tell of all losses, if there were any."""
        if self._tracer.lost:
            try:
                self._tell()
            except OSError:
                pass  # then standard error alone has it
            complain(f"{self._tracer.lost} exits were lost in all; the rows are not complete")
        if self._tracer.unexplained:
            complain(f"{self._tracer.unexplained} causes are unknown")

    def _tell(self) -> None:
        new = self._tracer.lost - self._reported
        if not new:
            return
        complain(f"{new} exits were lost: they came too fast to be read")
        self._reported += new
        self._reported_at = time.monotonic()
        self._output.write(self._sink.lost(new, time.time_ns()))
