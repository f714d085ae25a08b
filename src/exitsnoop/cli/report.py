"""`exitsnoop report`: what died in a week, why, and what is new: a page, or a summary."""

import os
import signal
from typing import TYPE_CHECKING

from exitsnoop.cli import garbage
from exitsnoop.cli.lists import parse_duration
from exitsnoop.cli.options import refuse
from exitsnoop.cli.output import Output
from exitsnoop.cli.progress import Progress
from exitsnoop.cli.recording import add_store, opened
from exitsnoop.cli.show import wants_color
from exitsnoop.cli.statuses import EX_NOT_RECORDED
from exitsnoop.cli.stretch import add_stretch, asked, stretch
from exitsnoop.host.clock import SECOND_NS

if TYPE_CHECKING:
    import argparse

    from exitsnoop.cli.stretch import Stretch
    from exitsnoop.cli.verbs import Given
    from exitsnoop.reports.overview.gather import Overview
    from exitsnoop.store.recording import Recording

NAME = "report"
SUMMARY = "show what died, why, and what is new: a page, or a summary in the terminal"
NOTES = """\
With -o, it writes one HTML file that needs nothing else: no network, no other file.
It can be opened from disk, sent by mail, and printed. Without -o, a summary in 80
columns goes to standard output. Each figure has the command that shows its rows.

examples:
    exitsnoop report                             # the last seven days
    exitsnoop report -o week.html
    exitsnoop report --since 24h --against 7d    # a day, compared with the week before
    exitsnoop report --boot -1 -o before.html    # the boot before this one

exit status:
     0  it is written
     2  usage error
     3  there is no recording, or not of that time
    74  exits of that time were lost, a file of the recording is damaged, or the
        output could not be written
    77  this user may not read the recording
"""
_USUAL = "7d"
_USUAL_NS = 7 * 86_400 * SECOND_NS


def add_arguments(parser: "argparse.ArgumentParser") -> None:
    """Add its own options."""
    parser.epilog = NOTES
    add_store(parser)
    add_stretch(parser)
    parser.add_argument(
        "--against",
        metavar="TIME",
        default=None,
        help="compare with so much time before, such as 24h or 7d (default: as long as the time "
        f"that is shown, which is {_USUAL} without --since)",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="write a page (HTML) to this file, which is overwritten",
    )
    parser.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="color the summary; auto: on a terminal, unless NO_COLOR is set",
    )


def run(options: "Given") -> int:
    """Write the report; return the exit status.

    Raises UsageError, StoreError, CannotWrite, BrokenPipeError.
    """
    moments = asked(options)
    against_s = _against_s(options)
    usual = moments.since_ns is None and moments.boot is None
    if usual:
        until_ns = moments.until_ns or moments.now_ns
        moments = moments._replace(since_ns=max(0, until_ns - _USUAL_NS))
    recording = opened(options)
    during = stretch(moments, recording)
    if usual:
        during = _from_the_first(during, recording)
    if during.was_not_recorded(recording):
        return EX_NOT_RECORDED
    garbage.enable()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    output = Output(options.output, private=True)  # arguments and causes are in a page
    of = _gathered(recording, during, against_s)
    output.begin()
    output.write(_summary(options, of, output) if options.output is None else _page(of))
    lost = any(gap.lost for gap in of.gaps)
    return os.EX_IOERR if lost or recording.unreadable else os.EX_OK


def _from_the_first(during: "Stretch", recording: "Recording") -> "Stretch":
    """Return a time without what was before the recording began."""
    starts = [part.from_ns for part in recording.recorded()]
    if not starts or starts[0] >= during.to_ns:
        return during
    return during._replace(from_ns=max(during.from_ns, starts[0]))


def _against_s(options: "Given") -> float | None:
    """Return with how many seconds before it is to be compared; None: as many as it has."""
    if options.against is None:
        return None
    try:
        return parse_duration(options.against)
    except ValueError as error:
        refuse(f"argument --against: {error}")


def _gathered(recording: "Recording", during: "Stretch", against_s: float | None) -> "Overview":
    from exitsnoop.reports.overview.gather import gather
    from exitsnoop.reports.overview.period import period

    progress = Progress()
    try:
        against_ns = during.to_ns - during.from_ns
        if against_s is not None:
            against_ns = round(against_s * SECOND_NS)
        of = period(during.from_ns, during.to_ns, against_ns, during.now_ns)
        return gather(recording, of, progress.say)
    finally:
        progress.end()


def _summary(options: "Given", of: "Overview", output: Output) -> str:
    from exitsnoop.pages.digest import Digest

    color = wants_color(options.color, output)
    return Digest(of, color=color, utf8=output.takes_utf8).text()


def _page(of: "Overview") -> str:
    from exitsnoop import __version__
    from exitsnoop.pages.page import page

    return page(of, __version__)
