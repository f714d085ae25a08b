"""`exitsnoop why`: why did it die? The recording answers."""

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from exitsnoop.cli.lists import parse_duration
from exitsnoop.cli.options import refuse
from exitsnoop.cli.output import Output
from exitsnoop.cli.progress import Progress
from exitsnoop.cli.recording import add_store, opened
from exitsnoop.cli.statuses import EX_NOT_RECORDED
from exitsnoop.cli.stretch import add_stretch, asked, stretch
from exitsnoop.reports import gaps, story, target, why

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from exitsnoop.cli.verbs import Given
    from exitsnoop.model.exit import Exit
    from exitsnoop.reports.why import Answer
    from exitsnoop.store.recording import Recording

NAME = "why"
SUMMARY = "say why a process died, from the recording"
EX_NO_SUCH_DEATH = 1
EPILOG = """\
X is a PID, a name or a shell pattern for names, a systemd unit (nginx or
nginx.service), a container (its id, the first 12 digits of it, or its name), a
Kubernetes pod (its name), the path of an executable, or a cgroup (its path, or a
name in it, such as the id of a container of runc). Without X, it is whatever
failed last. If X died several times, the answer is about the last failure,
unless everything has ended well for a day since.

exit status:
     0  it says why
     1  exits were recorded, but no such death
     3  nothing was recorded, or not at that time

The record of --json is one object: docs/why.schema.json describes it.
"""


def add_arguments(parser: "argparse.ArgumentParser") -> None:
    """Add its own options."""
    parser.epilog = EPILOG
    parser.add_argument(
        "what", metavar="X", nargs="?", default=None, help="what died; by default, what failed last"
    )
    parser.add_argument(
        "--as", dest="kind", choices=target.KINDS, default=None, help="what kind of thing X is"
    )
    add_store(parser)
    add_stretch(parser)
    parser.add_argument(
        "--around",
        metavar="TIME",
        default="5s",
        help="how far away in time other deaths are mentioned (default: 5s)",
    )
    parser.add_argument(
        "--all", action="store_true", default=False, help="also list every death of X"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")


def run(options: "Given") -> int:
    """Write the answer; return the exit status.

    Raises UsageError, StoreError, CannotWrite, BrokenPipeError.
    """
    output = Output()
    moments = asked(options)
    try:
        around_ns = round(parse_duration(options.around) * 1e9)
        candidates = target.targets(options.what, options.kind)
    except ValueError as error:
        refuse(str(error))
    progress = Progress("looking for what died, and why")
    recording = opened(options, progress)
    time = stretch(moments, recording)
    candidates = [one.during(time.since_ns, time.until_ns, time.boot_id) for one in candidates]
    answer = why.answer(recording, candidates, (time.from_ns, time.to_ns), time.now_ns, around_ns)
    is_missing = not answer.story and time.is_missing(answer.gaps)
    every = _all(recording, answer) if options.all and answer.story else None
    if options.json:
        more = {} if every is None else {"all": [one.to_dict() for one in every]}
        line = json.dumps({**why.record(answer), **more})
        progress.end()
        output.write(f"{line}\n")
    else:
        missing = gaps.missing(
            recording, answer.gaps, answer.filtered, answer.about[0], time.now_ns
        )
        for text in story.texts(
            answer, missing, every, is_missing=is_missing, ascii_only=not output.takes_utf8
        ):
            progress.clear()
            output.write(text)
    if answer.story:
        return os.EX_OK
    return EX_NOT_RECORDED if is_missing else EX_NO_SUCH_DEATH


def _all(recording: "Recording", answer: "Answer") -> "Iterator[Exit]":
    """Iterate over the deaths of X, the newest first."""
    query = replace(answer.asked.query, limit=None)
    for batch in recording.select(query).batches():
        yield from (one for one in batch if one.last_thread)
