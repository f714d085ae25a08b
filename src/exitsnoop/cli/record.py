"""`exitsnoop record`: keep every exit in a recording."""

import os
import time
from typing import TYPE_CHECKING

from exitsnoop.cli import garbage
from exitsnoop.cli.lists import parse_duration, parse_room, parse_size
from exitsnoop.cli.options import refuse, wanted
from exitsnoop.cli.output import Output, complain, for_stderr
from exitsnoop.cli.parser import Store, add_groups
from exitsnoop.cli.recording import USUAL, absolute, add_store, opened
from exitsnoop.cli.show import kept_arguments, load_what_fields_need, say_unknown_containers
from exitsnoop.cli.statuses import EX_NOT_RECORDED
from exitsnoop.filters.table import FILTERS, WHICH, WHOSE
from exitsnoop.model.fields import COLLECTED, FIELDS
from exitsnoop.model.words import human_bytes

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from exitsnoop.cli.verbs import Given
    from exitsnoop.filters.filters import Filters
    from exitsnoop.store.limits import Limits
    from exitsnoop.store.redact import Kept
    from exitsnoop.tracing.tracer import Tracer

NAME = "record"
SUMMARY = "keep every exit in a recording, with its cause and all its fields"
NOTES = """\
It records until Ctrl-C, SIGTERM or SIGHUP, or until what it follows has ended.
Then everything is on disk.

exit status:
     0  everything was recorded; with --status: a recorder is at work
     2  usage error, or no such process
     3  with --status: there is no recording, or no recorder is at work
    70  the kernel cannot, or will not, run the BPF program, or sent a malformed record
    74  exits were lost, the recording could not be written to, or the service
        could not be installed
    77  not permitted: CAP_BPF and CAP_PERFMON are needed, or root (sudo); with
        --status: this user may not read the recording
"""
# Exits are not shown to anybody, so more may come before they are read: a batch costs as much as
# many exits.
PAUSE_S = 0.1
_KEEP_FREE = "5%"


def add_arguments(parser: "argparse.ArgumentParser") -> None:
    """Add its own options."""
    parser.epilog = NOTES
    add_store(parser)
    kept = parser.add_argument_group("what to keep")
    kept.add_argument(
        "--max-size",
        action=Store,
        type=parse_size,
        metavar="SIZE",
        default=None,
        help="the most that all files may take, such as 500M or 2G (default: 1G, or 2%% of the "
        "file system if that is less)",
    )
    kept.add_argument(
        "--keep-free",
        metavar="SIZE",
        default=_KEEP_FREE,
        help=f"leave so much of the file system free, such as 2G or 10%% (default: {_KEEP_FREE}%)",
    )
    kept.add_argument(
        "--keep-for",
        action=Store,
        type=parse_duration,
        metavar="TIME",
        default=None,
        help="drop exits after that, such as 12h or 90d (default: 30d)",
    )
    kept.add_argument(
        "--no-args",
        action="store_true",
        default=False,
        help="keep no arguments: they may be secret",
    )
    kept.add_argument(
        "--redact",
        metavar="REGEX",
        default=None,
        help="write *** for what matches this in the arguments, joined by spaces, or for its "
        "groups if it has any",
    )
    add_groups(parser, (WHOSE, WHICH))
    others = parser.add_argument_group("instead of recording")
    actions = others.add_mutually_exclusive_group()
    actions.add_argument(
        "--status",
        action="store_true",
        default=False,
        help="say how the recording stands: whether it is recorded, up to when all is on disk, "
        "its size, what is missing",
    )
    actions.add_argument(
        "--install",
        action="store_true",
        default=False,
        help="record from now on, and from each boot on, as a service of systemd, with the other "
        "options that are given",
    )
    actions.add_argument(
        "--uninstall", action="store_true", default=False, help="end that; the recording stays"
    )
    others.add_argument("--json", action="store_true", help="with --status: one JSON object")


def run(options: "Given") -> int:
    """Record; return the exit status. Raises UsageError, TraceError, StoreError, CannotWrite."""
    if options.json and not options.status:
        refuse("--json is for --status")
    if options.status:
        return _show_status(options)
    if options.install or options.uninstall:
        return _change_service(options)
    from exitsnoop.tracing.tracer import Tracer

    kept = kept_arguments(options)
    filters = wanted(options, fields=set(COLLECTED) - {"cause"}, why=True)
    with Tracer(filters, pause_s=PAUSE_S) as tracer:
        # From here on no exit is missed, so what has been put off until now may take its time.
        since_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        return _record(options, kept, tracer, filters, since_ns)


def _record(
    options: "Given", kept: "Kept", tracer: "Tracer", filters: "Filters", since_ns: int
) -> int:
    from exitsnoop.cli.priority import Priority
    from exitsnoop.cli.stop import stop_on_signals
    from exitsnoop.kernel.privileges import drop
    from exitsnoop.recorder.begin import begin, make
    from exitsnoop.recorder.loop import Ending, record
    from exitsnoop.recorder.notices import Notices, standing
    from exitsnoop.recorder.notify import Service
    from exitsnoop.recorder.relief import Relief

    ending = Ending(tracer)
    stop_on_signals(ending)
    path = absolute(options)
    make(path)
    limits = _limits(options, path)
    given = _filters(options)
    load_what_fields_need(FIELDS)
    for_stderr("")  # loads what messages need
    priority = Priority()
    drop()
    relief = Relief(tracer.make_room, priority.extend)
    writer = begin(path, limits, kept, since_ns, given, relief)
    service = Service(lambda: standing(writer))
    if not service.is_there:
        complain(f"recording to {path}, {human_bytes(limits.max_bytes)} at most; Ctrl-C ends it")
    if filters.containers:
        say_unknown_containers(filters)
    garbage.enable()
    notices = Notices(writer, str(path), complain)
    record(tracer, writer, notices, service, priority.give_way, ending)
    return os.EX_IOERR if writer.lost else os.EX_OK


def _filters(options: "Given") -> str | None:
    """Return the filters as they were given, without those that leave out nothing."""
    from shlex import quote

    words = []
    for row in FILTERS:
        given = getattr(options, row.name)
        if not row.decide or given in ([], row.default):
            continue
        words.append(row.flags[0])
        if row.is_list:
            inverted = "!" if row.name in options.excluding else ""
            words.append(quote(inverted + ",".join(map(str, given))))
        elif given is not True:
            words.append(f"{given:g}s")
    return " ".join(words) or None


def _limits(options: "Given", path: "Path") -> "Limits":
    """Return the bounds that the options set. Raises UsageError."""
    from exitsnoop.store.limits import Limits

    found = os.statvfs(path)
    try:
        keep_free = parse_room(options.keep_free, found.f_frsize * found.f_blocks)
    except ValueError as error:
        refuse(f"argument --keep-free: {error}")
    try:
        return Limits.checked(path, options.max_size, keep_free, options.keep_for)
    except ValueError as error:
        refuse(str(error))


def _show_status(options: "Given") -> int:
    """Print how the recording stands. Raises StoreError, CannotWrite."""
    import json

    from exitsnoop.reports.standing import Standing

    output = Output()
    standing = Standing(opened(options), time.time_ns())
    path = str(absolute(options))
    if options.json:
        output.write(json.dumps(standing.record(path)) + "\n")
    else:
        lines = standing.lines(path, ascii_only=not output.takes_utf8)
        output.write("".join(f"{line}\n" for line in lines))
    return os.EX_OK if standing.is_recording else EX_NOT_RECORDED


def _change_service(options: "Given") -> int:
    """Install or uninstall the service. Raises UsageError, OSError."""
    from exitsnoop.recorder import install as service

    if options.store:
        refuse("the service keeps its recording in /var/lib/exitsnoop: leave out --store")
    try:
        if options.uninstall:
            service.uninstall()
            complain(f"{service.UNIT} is gone; its recording stays in {USUAL}")
        else:
            kept_arguments(options)
            wanted(options)
            service.install([word for word in options.words if word != "--install"])
            complain(f"{service.UNIT} records to {USUAL}, from now on and from each boot on")
    except service.CannotInstall as error:
        complain(str(error))
        return os.EX_NOPERM if os.geteuid() else os.EX_IOERR
    return os.EX_OK
