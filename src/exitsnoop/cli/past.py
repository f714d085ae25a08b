"""`exitsnoop past`: exits that were recorded, as live ones are shown."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from time import time_ns
from typing import TYPE_CHECKING

from exitsnoop.cli import garbage
from exitsnoop.cli.following import Following
from exitsnoop.cli.matching import Matching, query
from exitsnoop.cli.options import WRITTEN, refuse, wanted
from exitsnoop.cli.output import complain
from exitsnoop.cli.progress import Progress
from exitsnoop.cli.recording import add_store, opened
from exitsnoop.cli.show import columns, output_of, sink
from exitsnoop.cli.statuses import EX_NOT_RECORDED
from exitsnoop.cli.stop import stop_on_signals
from exitsnoop.cli.stretch import add_stretch, asked, stretch
from exitsnoop.filters.recorded import RecordedFilters
from exitsnoop.filters.table import SHOWN, WHICH, WHOSE
from exitsnoop.model.batch import Exits
from exitsnoop.store.query import Query
from exitsnoop.store.recording import Recording

if TYPE_CHECKING:
    import argparse

    from exitsnoop.cli.verbs import Given

NAME = "past"
SUMMARY = "show exits that were recorded: the same filters, columns and formats"
NOTES = """\
The filters, columns and formats are those of a live trace; what they say about
tracing, they do here with what was recorded. Users are those that the recording
names, cgroups the paths in it: it may be of another machine. Times are local.
Standard error says what was not recorded.

examples:
    exitsnoop past -x --since 2h                   # failed in the last two hours
    exitsnoop past -wt --since 03:00 --until 03:10
    exitsnoop past -x --last 20 -o +unit           # the last 20 that failed
    exitsnoop past --boot -1 --cause oom           # before the last reboot
    exitsnoop past --follow --last 10 -n nginx

exit status:
     0  it was shown, or no exit of that time passes the filters
     2  usage error
     3  there is no recording, or not of that time
    74  exits of that time were lost, a file of the recording is damaged, or the
        output could not be written
    77  this user may not read the recording
"""


def add_arguments(parser: "argparse.ArgumentParser") -> None:
    """Add its own options, and those of a trace."""
    from exitsnoop.cli.parser import Store, add_groups

    parser.epilog = NOTES
    group = parser.add_argument_group("what time")
    add_store(group)
    add_stretch(group)
    group.add_argument(
        "--last",
        action=Store,
        type=_count,
        metavar="N",
        default=None,
        help="only the last N of them",
    )
    group.add_argument("--reverse", action="store_true", default=False, help="the newest first")
    group.add_argument(
        "--follow",
        action="store_true",
        default=False,
        help="go on with what is recorded from now on, until Ctrl-C",
    )
    add_groups(parser, (WHOSE, WHICH, SHOWN, WRITTEN))


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text)):
        raise ValueError(f"{text!r} is not a number of exits")
    return int(text)


def run(options: "Given") -> int:
    """Print what was recorded; return the exit status.

    Raises UsageError, StoreError, CannotWrite, BrokenPipeError.
    """
    if options.follow and (options.until or options.boot or options.reverse):
        refuse("--follow shows what is recorded from now on: leave out --until, --boot, --reverse")
    names = columns(options)
    filters = wanted(options, RecordedFilters)
    moments = asked(options)
    progress = Progress()
    recording = opened(options, progress)
    time = stretch(moments, recording)
    if not options.follow and time.was_not_recorded(recording):
        return EX_NOT_RECORDED
    garbage.enable()
    output = output_of(options, names)
    output.begin()
    form = sink(options, names, output, between=(time.from_ns, time.to_ns))
    output.write(form.header())
    matching = Matching(recording, filters)
    ends = (time.to_ns, time.from_ns) if options.reverse else (time.from_ns, time.to_ns)
    for batch in _batches(options, recording, matching, query(filters, time), output.fileno()):
        progress.clear()
        output.write(form.rows(batch), rows=True)
        if not output.is_terminal:
            progress.say_how_far(batch.column("wall_ns")[-1], *ends)
    progress.end()
    if options.follow:
        time = time._replace(to_ns=time_ns(), now_ns=time_ns())
    recording.unreadable |= matching.unreadable
    lost = [gap for gap in recording.gaps(time.from_ns, time.to_ns) if gap.lost]
    for gap in lost:
        output.write(form.lost(gap.lost or 0, gap.to_ns))
    matching.say_what_is_undecided()
    time.say_what_is_missing(recording)
    return os.EX_IOERR if lost or recording.unreadable else os.EX_OK


def _batches(
    options: "Given", recording: Recording, matching: Matching, asked: Query, reader: int
) -> Iterator[Exits]:
    if not options.follow:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # rows are whole, so the end can be at once
        yield from _there(options, matching, asked, reader)
        return
    following = Following(recording, matching, complain)
    stop_on_signals(following)
    for batch in _there(
        options, matching, replace(asked, before_id=following.newest_id + 1), reader
    ):
        yield batch
        if following.is_stopped():
            return
    yield from following.batches(asked, reader)


def _there(options: "Given", matching: Matching, asked: Query, reader: int) -> Iterator[Exits]:
    """Return the exits that are there already."""
    if options.last is None:
        return matching.batches(replace(asked, newest_first=options.reverse), reader)
    last = matching.last(options.last, asked, reader)
    return (batch[::-1] for batch in reversed(last)) if options.reverse else iter(last)
