"""`exitsnoop timeline`: when each process of a build, or of a stretch of time, ran."""

import os
import signal
from time import time_ns
from typing import TYPE_CHECKING

from exitsnoop.cli import garbage
from exitsnoop.cli.hiding import hidden
from exitsnoop.cli.options import RUN, WRITTEN, refuse, wanted
from exitsnoop.cli.output import STDOUT, Output, complain
from exitsnoop.cli.progress import Progress
from exitsnoop.cli.recording import add_store
from exitsnoop.cli.show import kept_arguments, load_what_fields_need
from exitsnoop.cli.statuses import EX_NOT_RECORDED
from exitsnoop.cli.stretch import add_stretch
from exitsnoop.filters.table import WHICH, WHOSE
from exitsnoop.model.fields import COLLECTED

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from exitsnoop.cli.matching import Matching
    from exitsnoop.cli.priority import Priority
    from exitsnoop.cli.stretch import Stretch
    from exitsnoop.cli.verbs import Given
    from exitsnoop.model.batch import Exits
    from exitsnoop.reports.timeline.gathering import Gathering
    from exitsnoop.reports.timeline.timeline import About, Timeline
    from exitsnoop.store.recording import Recording
    from exitsnoop.store.redact import Kept
    from exitsnoop.tracing.tracer import Tracer

NAME = "timeline"
TAKES_COMMAND = True
SUMMARY = "show when each process ran, and the critical path: a trace, or a page"
USUAL = "timeline.pftrace"
NOTES = f"""\
It runs COMMAND, or reads a stretch of the recording. It writes a trace for
https://ui.perfetto.dev ({USUAL} by default), or a page (HTML) if the name of the
file ends in .html; -o may be given more than once. Standard error says what failed
and what the critical path is made of.

examples:
    exitsnoop timeline -- make -j8
    exitsnoop timeline -o build.html -o build.pftrace -- make -j8
    exitsnoop timeline --since 03:00 --until 03:10 -o night.html
    exitsnoop timeline --since 1h --tree 812 -o deploy.html

exit status:
     0  it is written
     2  usage error
     3  there is no recording, or not of that time
    74  exits of that time were lost, a file of the recording is damaged, or the
        output could not be written
    77  this user may not read the recording, or may not trace
With COMMAND, the status is that of COMMAND, or 74 if the output could not be written.
"""
# What a time line shows of a process. Which lines it was below is said by each parent itself.
_SHOWN = {*COLLECTED} - {"cause", "ancestors", "ancestors_truncated"}


def add_arguments(parser: "argparse.ArgumentParser") -> None:
    """Add its own options, and the filters of a trace."""
    from exitsnoop.cli.parser import add_groups, add_options

    parser.epilog = NOTES
    parser.usage = f"exitsnoop {NAME} [options] [-- COMMAND]"
    group = parser.add_argument_group("what time of the recording, without COMMAND")
    add_store(group)
    add_stretch(group)
    add_groups(parser, (WHOSE, WHICH, RUN))
    written = parser.add_argument_group(WRITTEN)
    written.add_argument(
        "-o",
        "--output",
        dest="outputs",
        action="append",
        metavar="FILE",
        default=None,
        help="write to this file, which is overwritten: a page if its name ends in .html, else a "
        f"trace (default: {USUAL}); - is standard output, as a trace",
    )
    add_options(written, ("no_args", "redact"))


def run(options: "Given") -> int:
    """Write the time line; return the exit status.

    Raises UsageError, StoreError, TraceError, CannotWrite, BrokenPipeError.
    """
    outputs = options.outputs or [USUAL]
    if "-" in outputs and os.isatty(STDOUT):
        refuse("a trace is not for a terminal: name a file (-o)")
    if options.command is None:
        for name, given in (("--linger", options.linger), ("--as-root", options.as_root)):
            if given:
                refuse(f"{name} is for COMMAND, which goes after --")
        return _of_recording(options, outputs)
    if not options.command:
        refuse("there is no COMMAND after --")
    if options.since or options.until or options.boot or options.store:
        refuse("--since, --until, --boot and --store are for a recording: leave out COMMAND")
    return _of_command(options, [*options.command], outputs)


class _Files:
    """The files to write, which are opened before there is anything to write."""

    def __init__(self, paths: "Sequence[str]") -> None:
        """Open them. Raises CannotWrite."""
        # Arguments may be secret: a new file is for its owner alone.
        self._files = [
            (path, Output(None if path == "-" else path, private=True)) for path in paths
        ]

    def begin(self) -> None:
        """Empty them. Raises CannotWrite."""
        for _, output in self._files:
            output.begin()

    def write(self, of: "Timeline", version: str, note: "Callable[[str], None]") -> None:
        """Write a time line to all of them. Raises CannotWrite, BrokenPipeError."""
        from exitsnoop.pages.timeline.page import page
        from exitsnoop.pages.timeline.trace import trace

        for path, output in self._files:
            note(f"writing {path}")
            if _is_page(path):
                output.write(page(of, version))
                continue
            part = bytearray()
            for packet in trace(of):
                part += packet
                if len(part) >= _AT_ONCE:
                    output.write_bytes(bytes(part))
                    part.clear()
            output.write_bytes(bytes(part))

    def told(self) -> str:
        """Return what was written."""
        pages = [path for path, _ in self._files if _is_page(path)]
        traces = [path for path, _ in self._files if not _is_page(path)]
        words = [f"open {path} in a browser" for path in pages]
        words += [f"open {path} in https://ui.perfetto.dev" for path in traces if path != "-"]
        return "; ".join(words)


_AT_ONCE = 1 << 20


def _is_page(path: str) -> bool:
    return path.lower().endswith((".html", ".htm"))


def _sum_up(of: "Timeline", files: _Files) -> None:
    from exitsnoop.reports.timeline import told

    count = of.counts.ended
    processes = "1 process" if count == 1 else f"{count:,} processes"
    complain(f"{processes} in {told.took(of.to_ns - of.from_ns)}, {of.counts.failed:,} failed")
    for line in (told.failures(of), told.critical(of), *told.missing(of), files.told()):
        if line:
            complain(line.removesuffix("."))


def _of_command(options: "Given", command: "list[str]", outputs: "Sequence[str]") -> int:
    from exitsnoop.cli.command import refuse_targets, traced
    from exitsnoop.cli.ready import Ready

    refuse_targets(options)
    kept = _kept(options)
    filters = wanted(options, tree=[os.getpid()], fields=_SHOWN, why=True)
    ready = Ready(options.ready_fd)
    followed = _Followed(command, _Files(outputs), kept)
    status = traced(options, command, filters, ready, followed)
    return status or (os.EX_IOERR if followed.failed else os.EX_OK)


def _kept(options: "Given") -> "Kept | None":
    """Return what decides about arguments; None if all are written. Raises UsageError."""
    kept = kept_arguments(options)
    return kept if options.no_args or options.redact else None


class _Followed:
    """The exits of COMMAND: they become a time line when it has ended.

    Attributes:
        failed: whether that could not be written.
    """

    def __init__(self, command: "list[str]", files: _Files, kept: "Kept | None") -> None:
        import shlex
        from importlib import import_module

        from exitsnoop import __version__
        from exitsnoop.reports.timeline.gathering import Gathering

        for name in ("page", "trace"):  # later this process may not be able to read them
            import_module(f"exitsnoop.pages.timeline.{name}")
        load_what_fields_need(_SHOWN | {"unit", "container", "cause"})
        self._version = __version__
        self._title = command[0] if kept else shlex.join(command)
        self._files = files
        self._kept = kept
        self._counts = Gathering()
        self.failed = False
        self.begin = files.begin

    def show(self, tracer: "Tracer", priority: "Priority") -> None:
        garbage.enable()
        for batch in tracer.batches():
            self._counts.add(_shown(batch.where(batch.column("wanted")), self._kept))
            priority.give_way()

    def sum_up(self, tracer: "Tracer", pid: int) -> None:
        from exitsnoop.cli.output import CannotWrite
        from exitsnoop.reports.timeline.timeline import About, timeline

        about = About(
            self._title,
            pid,
            None,
            time_ns(),
            lost=tracer.lost,
            running=tracer.running,
            without=(os.getpid(),),
        )
        progress = Progress()
        try:
            of = timeline(self._counts, about)
            self._files.write(of, self._version, progress.say)
        except (CannotWrite, BrokenPipeError) as error:
            complain(str(error))
            self.failed = True
            return
        finally:
            progress.end()
        _sum_up(of, self._files)


def _shown(exits: "Exits", kept: "Kept | None") -> "Exits":
    """Return exits with what may be written of their arguments."""
    return hidden(exits, kept) if kept and len(exits) else exits


def _of_recording(options: "Given", outputs: "Sequence[str]") -> int:
    from exitsnoop import __version__
    from exitsnoop.cli.matching import Matching
    from exitsnoop.cli.recording import opened
    from exitsnoop.cli.stretch import asked, stretch
    from exitsnoop.filters.recorded import RecordedFilters
    from exitsnoop.reports.timeline.timeline import timeline

    kept = _kept(options)
    filters = wanted(options, RecordedFilters)
    moments = asked(options)
    progress = Progress()
    recording = opened(options, progress)
    during = stretch(moments, recording)
    if during.was_not_recorded(recording):
        return EX_NOT_RECORDED
    garbage.enable()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    files = _Files(outputs)
    matching = Matching(recording, filters)
    try:
        counts = _gathered(recording, matching, during, kept, progress)
        of = timeline(counts, _about(recording, during))
        files.begin()
        files.write(of, __version__, progress.say)
    finally:
        progress.end()
    recording.unreadable |= matching.unreadable
    _sum_up(of, files)
    matching.say_what_is_undecided()
    lost = any(gap.lost for gap in of.about.gaps)
    return os.EX_IOERR if lost or recording.unreadable else os.EX_OK


def _gathered(
    recording: "Recording",
    matching: "Matching",
    during: "Stretch",
    kept: "Kept | None",
    progress: Progress,
) -> "Gathering":
    """Return the processes of a recording: of each boot apart, as its clock begins anew."""
    from dataclasses import replace

    from exitsnoop.cli.matching import query
    from exitsnoop.reports.timeline.gathering import Gathering

    counts = Gathering()
    every = query(matching.filters, during)
    for boot in recording.boots():
        if during.boot_id in (None, boot.boot_id):
            for batch in matching.batches(replace(every, boot_id=boot.boot_id), None):
                counts.add(_shown(batch, kept), boot.boot_id)
                progress.say_how_far(batch.column("wall_ns")[-1], during.from_ns, during.to_ns)
    return counts


def _about(recording: "Recording", during: "Stretch") -> "About":
    from exitsnoop.reports.gaps import missing
    from exitsnoop.reports.timeline.timeline import About

    coverage = recording.coverage()
    gaps = coverage.gaps(during.from_ns, during.to_ns)
    some = coverage.filtered(during.from_ns, during.to_ns)
    boots = recording.boots()
    return About(
        (boots[-1].hostname if boots else None) or "?",
        None,
        during.from_ns,
        during.now_ns,
        gaps=gaps,
        missing=missing(recording, gaps, some, during.from_ns, during.now_ns),
    )
