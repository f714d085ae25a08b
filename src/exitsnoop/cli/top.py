"""`exitsnoop top`: what dies now, by group, and how it was before."""

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from exitsnoop.cli import garbage
from exitsnoop.cli.options import refuse
from exitsnoop.cli.output import complain
from exitsnoop.cli.recording import add_store, opened, place
from exitsnoop.sinks.escape import message
from exitsnoop.store.errors import NoStore, NotReadable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from exitsnoop.cli.own_recorder import OwnRecorder
    from exitsnoop.cli.verbs import Given
    from exitsnoop.store.recording import Recording

NAME = "top"
SUMMARY = "watch what dies, by unit, container or executable, and go back in time"
NOTES = """\
It shows the recording if a recorder runs. Otherwise it traces by itself, which takes
the privileges of a trace; what it sees is kept until it ends, 64 MB at most. With
--store or --until, it shows that recording, also if nobody records.

keys:
    g             group by unit, container or executable
    s, S, r       sort by the next column, by the one before, the other way round
    /             only groups with this in their names; Esc shows all
    f             only what failed
    up, down      select
    Enter         the last deaths of the group
    w             why did it die? of a group: the last failure
    p             pause, and go on
    left, right   go back in time, and forward; End: now
    + -           show a longer time (1 min, 10 min, 1 h), or a shorter one
    Esc, q        back, quit

It needs Textual: pip install 'exitsnoop[tui]'

exit status:
     0  it was ended by a key or a signal
     2  usage error, no terminal, or Textual is not installed
     3  there is no recording
    70  the kernel cannot, or will not, run the BPF program
    77  this user may not read the recording, or may not trace
"""
_BY = ("unit", "container", "executable")
_SYSTEMD = "/run/systemd/system"
EX_USAGE = 2


def add_arguments(parser: "argparse.ArgumentParser") -> None:
    """Add its own options."""
    from exitsnoop.reports.when import FORMS

    parser.epilog = NOTES
    add_store(parser)
    parser.add_argument(
        "--by",
        choices=_BY,
        default=None,
        help="group by this at first (default: unit where systemd runs, else executable)",
    )
    parser.add_argument(
        "--until",
        metavar="TIME",
        default=None,
        help=f"begin in the past: the last 10 minutes up to this time: {FORMS}",
    )


def run(options: "Given") -> int:
    """Show it until a key ends it; return the exit status.

    Raises UsageError, StoreError, TraceError.
    """
    until_ns = _until_ns(options)
    if problem := _lacking():
        complain(problem)
        return EX_USAGE
    by = options.by or ("unit" if Path(_SYSTEMD).exists() else "executable")
    origin = _origin(options)
    try:
        if origin.own and os.geteuid():
            _settle(origin.own)
        garbage.enable()
        return _show(origin, by, until_ns)
    finally:
        if origin.own:
            origin.own.end()


def _until_ns(options: "Given") -> int | None:
    from exitsnoop.reports.when import moment

    now_ns = time.time_ns()
    try:
        found = None if options.until is None else moment(options.until, now_ns, latest=True)
    except ValueError as error:
        refuse(f"argument --until: {error}")
    return None if found is None else min(found, now_ns)


def _lacking() -> str:
    """Return what is missing for a screen, in words; "" if nothing is."""
    from importlib.util import find_spec

    if not find_spec("textual"):
        return "top needs Textual, which is not installed: pip install 'exitsnoop[tui]'"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return (
            "top needs a terminal for standard input and standard error; without one, "
            "`exitsnoop past --follow` and `exitsnoop report` show what died"
        )
    if os.environ.get("TERM", "dumb") == "dumb":
        return "top needs a terminal that can move its cursor; set TERM to its kind"
    return ""


class _Origin(NamedTuple):
    """Where the deaths come from.

    Attributes:
        recording: a recording that is there; None if there is none, or none that is written to.
        own: the recorder that was started instead; None if that is not needed.
        path: the directory of the recording.
        problem: why there is no other recording.
    """

    recording: "Recording | None"
    own: "OwnRecorder | None"
    path: str
    problem: str


def _origin(options: "Given") -> _Origin:
    """Return where the deaths come from. Raises StoreError."""
    path = message(str(place(options)))
    is_asked = options.store is not None or options.until is not None
    recording, problem = None, f"no recorder writes to {path}"
    try:
        recording = opened(options)
    except (NoStore, NotReadable) as error:
        if is_asked:
            raise
        problem = str(error) if isinstance(error, NotReadable) else problem
    if recording and (is_asked or recording.recorder() is not None):
        return _Origin(recording, None, path, "")
    from exitsnoop.cli.own_recorder import OwnRecorder

    return _Origin(recording, OwnRecorder(), path, problem)


def _settle(own: "OwnRecorder") -> None:
    """Wait until it traces, or could not: without root it often cannot."""
    while own.status is None and own.recording() is None:
        time.sleep(0.01)


def _show(origin: _Origin, by: str, until_ns: int | None) -> int:
    from exitsnoop.top.app import Top
    from exitsnoop.top.desk import Desk
    from exitsnoop.top.draw import Source

    own, recording = origin.own, origin.recording
    if own and own.recording() is None and own.status is not None:
        if recording is None:
            return _refused(origin, own)
        own = None  # the past is there, at least
    name = "traced by itself" if own else f"recording in {origin.path}"
    waiting = "Tracing begins ..." if own else "Reading the recording ..."
    host = os.uname().nodename
    if not own and recording and (boots := recording.boots()):
        host = boots[-1].hostname or host
    top = Top(Desk(by, until_ns), Source(message(host), name, waiting, ""), _opener(own, recording))
    error = top.run(mouse=False)
    if isinstance(error, _Ended) and own:
        return _refused(origin, own)
    if error is not None:
        raise error
    return os.EX_OK


class _Ended(Exception):
    """The recorder of our own has ended."""


def _opener(
    own: "OwnRecorder | None", recording: "Recording | None"
) -> "Callable[[], Recording | None]":
    """Return what opens the recording, once it is there."""
    if own is None:
        return lambda: recording

    def open_() -> "Recording | None":
        found = own.recording()
        if found is None and own.status is not None:
            raise _Ended
        return found

    return open_


def _refused(origin: _Origin, own: "OwnRecorder") -> int:
    """Say why nothing can be shown; return the exit status."""
    sys.stderr.write(own.said())
    complain(
        f"top has nothing to show: {origin.problem}, and tracing by itself failed (see above); "
        "run `sudo exitsnoop top`, or `sudo exitsnoop record --install` once"
    )
    return own.status or os.EX_SOFTWARE
