"""From options to rows: which columns, in which format, and what to do with a batch of exits."""

import os
import time

from exitsnoop.cli import garbage
from exitsnoop.cli.choice import DEFAULT, DEFAULT_JSON, choose
from exitsnoop.cli.options import refuse
from exitsnoop.cli.output import CannotWrite, Output, complain
from exitsnoop.model.fields import COLLECTED
from exitsnoop.model.losses import why_lost

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exitsnoop.cli.options import Options
    from exitsnoop.cli.priority import Priority
    from exitsnoop.filters.filters import Filters
    from exitsnoop.model.batch import Exits
    from exitsnoop.model.source import Source
    from exitsnoop.sinks import Sink
    from exitsnoop.sinks.json_lines import Lines
    from exitsnoop.store.redact import Kept
    from exitsnoop.tracing.tracer import Tracer


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
    if options.no_args and "args" in chosen:
        refuse("--no-args shows no arguments: leave out -a, and args of -o")
    if options.redact:
        kept_arguments(options)  # a mistake is reported before a file is emptied, or tracing begins
    return tuple(dict.fromkeys(chosen))


def output_of(options: "Options", names: tuple[str, ...]) -> Output:
    """Return the output that the options ask for. Raises CannotWrite.

    A new file with these columns is for its owner alone if they have arguments, which may be
    secret: a cause has those of the sender.
    """
    return Output(options.output, private=bool({"args", "cause"} & {*names}))


def fields(names: "Iterable[str]") -> set[str]:
    """Return which of the columns must be collected, the cause apart."""
    return {name for name in names if name in COLLECTED} - {"cause"}


def sink(
    options: "Options",
    names: tuple[str, ...],
    output: Output,
    lines: "Lines | None" = None,
    between: tuple[int, int] | None = None,
) -> "Sink":
    """Return the format that the options ask for.

    Args:
        options: the options.
        names: of the columns.
        output: where it goes.
        lines: of the extension, if that is there.
        between: from when to when exits may be, nanoseconds since the epoch; by default now.
    """
    form = _form(options, names, output, lines, between)
    if not (options.no_args or options.redact):
        return form
    from exitsnoop.cli.hiding import Hiding

    return Hiding(form, kept_arguments(options))


def kept_arguments(options: "Options") -> "Kept":
    """Return what decides about arguments. Raises UsageError."""
    from exitsnoop.store.redact import Kept

    try:
        return Kept(args=not options.no_args, redact=options.redact)
    except ValueError as error:
        refuse(f"argument --redact: {error}")


def _form(
    options: "Options",
    names: tuple[str, ...],
    output: Output,
    lines: "Lines | None",
    between: tuple[int, int] | None,
) -> "Sink":
    label = options.label if options.label != "" else "exit"
    if options.json:
        from exitsnoop.sinks.json_lines import JsonLines

        return JsonLines(names, label=label, lines=lines)
    if options.csv:
        from exitsnoop.sinks.csv import Csv

        return Csv(names, label=label, ascii_only=not output.takes_utf8, formulas=options.formulas)
    from exitsnoop.sinks.table import Table

    return Table(
        names,
        utc=options.utc,
        label=label,
        ascii_only=not output.takes_utf8,
        color=wants_color(options.color, output),
        terminal_width=output.width if output.is_terminal else None,
        between=between,
    )


def load_what_rows_need(names: "Iterable[str]", output: Output) -> None:
    """Import what rows would import when they need it; what the tracer needs comes with it."""
    from importlib import import_module

    load_what_fields_need(names)
    if output.is_terminal:
        import_module("exitsnoop.sinks.terminal")
    if output.takes_utf8:
        import_module("unicodedata")


def load_what_fields_need(names: "Iterable[str]") -> None:
    """Import what makes these fields.

    Without capabilities not even root can read a package in a home that only its owner may enter.
    """
    from exitsnoop.model.fields import FIELDS, function

    for field in map(FIELDS.__getitem__, names):
        for maker in (field.by, field.many_by):
            if maker:
                function(maker)


def say_unknown_containers(filters: "Filters") -> None:
    """Say which names to filter by no container has now: a name may be wrong, or come later."""
    from exitsnoop.filters.checks import is_id
    from exitsnoop.host.containers import is_there
    from exitsnoop.sinks.escape import word

    for name in filters.containers:
        if not is_id(name) and not is_there(name):
            complain(f"no container has a name that starts with {word(name)} now; one may come")


def wants_color(choice: str, output: Output) -> bool:
    """Return whether there are to be colors, by --color: "auto", "always" or "never"."""
    if choice == "auto":
        return output.is_terminal and not os.environ.get("NO_COLOR")
    return choice == "always"


# After a signal that is to end it. A full buffer of ordinary exits takes less; what others call
# their processes can take so much that it would go on for minutes.
_MOST_AFTER_STOP = 16 << 20  # characters


def follow(
    source: "Tracer",
    form: "Sink",
    output: Output,
    priority: "Priority",
    note: "Callable[[Exits], None] | None" = None,
) -> None:
    """Write the exits of a source until it ends or nobody reads them, and report losses.

    Args:
        source: gives the exits.
        form: the format to write them in.
        output: where to write them.
        priority: the priority of this thread.
        note: is given every batch, unwanted exits included. With it a reader that leaves does not
            end this: only the end of the source does, or a write that fails.

    Raises CannotWrite, also if too much is left to write when the trace is to end; BrokenPipeError
    if nobody reads the output.
    """
    room = _MOST_AFTER_STOP
    garbage.enable()
    losses = Losses(source, form, output)
    try:
        output.write(form.header())  # also says that tracing is on
        for batch in source.batches(reader=None if note else output.fileno()):
            if note:
                note(batch)
            if shown := batch.where(batch.column("wanted")):
                text = form.rows(shown)
                room -= len(text) if source.stopped else 0
                if room < 0:
                    output.unwritten += len(shown)
                    raise CannotWrite(OSError(0, "told to end, with too many long rows left"))
                output.write(text, rows=True)
            losses.report()
            priority.give_way()
    finally:
        losses.sum_up()


def count_unwritten(
    source: "Source", output: Output, note: "Callable[[Exits], None] | None" = None
) -> None:
    """After a failed write, go on until the source ends; report how many were not written."""
    for batch in source.batches():
        if note:
            note(batch)
        output.unwritten += sum(batch.column("wanted"))
    if output.unwritten:
        complain(f"{_exits(output.unwritten)} traced, but not written")


class Losses:
    """Reports lost exits on standard error: at most once a second, and all of them at the end.

    The rows report them, too, if their format can.
    """

    def __init__(self, source: "Source", form: "Sink", output: Output) -> None:
        self._source = source
        self._sink = form
        self._output = output
        self._reported = self._undecided = 0
        self._reported_at = float("-inf")

    def report(self) -> None:
        """Report new losses, if it is time."""
        if time.monotonic() - self._reported_at >= 1:
            self._report_new()

    def sum_up(self) -> None:
        """Report all losses, if there were any."""
        if self._source.lost:
            try:
                self._report_new()
            except (CannotWrite, BrokenPipeError):
                pass  # then only standard error has it
            complain(f"{_exits(self._source.lost)} lost in all; the rows are not complete")
        if unexplained := self._source.unexplained:
            complain(f"{unexplained} {'cause is' if unexplained == 1 else 'causes are'} unknown")

    def _report_new(self) -> None:
        new = self._source.lost - self._reported
        if not new:
            return
        undecided = min(self._source.undecided - self._undecided, new)
        for line in why_lost(new, undecided):
            complain(line)
        self._reported += new
        self._undecided += undecided
        self._reported_at = time.monotonic()
        self._output.write(self._sink.lost(new, time.time_ns()))


def _exits(count: int) -> str:
    return "1 exit was" if count == 1 else f"{count} exits were"
