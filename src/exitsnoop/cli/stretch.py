"""Which time of the recording: --since, --until, --boot."""

import argparse
import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from exitsnoop.cli.options import refuse
from exitsnoop.cli.output import complain
from exitsnoop.reports import gaps as reports
from exitsnoop.reports import when
from exitsnoop.store.boots import Boot, this_boot
from exitsnoop.store.coverage import Gap
from exitsnoop.store.errors import NotRecorded
from exitsnoop.store.recording import Recording

if TYPE_CHECKING:
    from exitsnoop.cli.verbs import Given

_NTH = re.compile(r"0|-\d{1,3}", re.ASCII)
_LEAST_DIGITS = 4
_ID = re.compile(rf"[0-9a-f]{{{_LEAST_DIGITS},32}}", re.ASCII)  # of a boot


class Stretch(NamedTuple):
    """A stretch of time.

    Attributes:
        since_ns, until_ns: nanoseconds since the epoch, both included; None if not limited.
        boot_id: the boot; None for all.
        from_ns, to_ns: the same in numbers, from the first recording up to now at most.
        now_ns: the time now.
    """

    since_ns: int | None
    until_ns: int | None
    boot_id: str | None
    from_ns: int
    to_ns: int
    now_ns: int

    def is_missing(self, gaps: Sequence[Gap]) -> bool:
        """Return whether nothing was recorded in it, by its gaps."""
        return self.from_ns > self.to_ns or any(
            gap.lost is None and gap.from_ns <= self.from_ns and gap.to_ns >= self.to_ns
            for gap in gaps
        )

    def was_not_recorded(self, recording: Recording) -> bool:
        """Return whether nothing was recorded in it, and say so. Raises StoreError."""
        if self.from_ns > self.to_ns:
            complain("that time is still to come")
            return True
        gaps = recording.gaps(self.from_ns, self.to_ns)
        if not self.is_missing(gaps):
            return False
        lines = reports.described(gaps, self.now_ns) + reports.unread(recording)
        for line in lines:
            complain(line)
        return True

    def say_what_is_missing(self, recording: Recording) -> None:
        """Say on standard error what is not known of it. Raises StoreError."""
        coverage = recording.coverage()
        gaps = coverage.gaps(self.from_ns, self.to_ns)
        some = coverage.filtered(self.from_ns, self.to_ns)
        for line in reports.missing(recording, gaps, some, self.from_ns, self.now_ns):
            complain(line)


def add_stretch(parser: "argparse.ArgumentParser | argparse._ArgumentGroup") -> None:
    """Add the options."""
    parser.add_argument(
        "--since",
        metavar="TIME",
        default=None,
        help=f"only exits from this time on: {when.FORMS}",
    )
    parser.add_argument(
        "--until", metavar="TIME", default=None, help="only exits up to this time, written alike"
    )
    parser.add_argument(
        "--boot",
        metavar="N|ID",
        default=None,
        help="only exits of this boot: 0 is the one that runs, -1 the one before; or its id",
    )


class Asked(NamedTuple):
    """What the options ask for, before a recording is there.

    Attributes:
        since_ns, until_ns: nanoseconds since the epoch, both included; None if not given.
        boot: "0", "-1" and so on, or an id or its beginning; None if not given.
        now_ns: the time now.
    """

    since_ns: int | None
    until_ns: int | None
    boot: str | None
    now_ns: int


def asked(options: "Given") -> Asked:
    """Return what the options ask for. Raises UsageError: also where nothing was recorded."""
    now_ns = time.time_ns()
    since_ns = _moment("--since", options.since, now_ns)
    until_ns = _moment("--until", options.until, now_ns, latest=True)
    if since_ns is not None and until_ns is not None and since_ns > until_ns:
        refuse("argument --since: it is after --until")
    if since_ns is not None and since_ns == until_ns:
        refuse("argument --until: it is the moment of --since; a day alone is its first moment")
    if options.boot is not None and not (_NTH.fullmatch(options.boot) or _digits(options.boot)):
        refuse(
            f"argument --boot: {options.boot!r} is not a boot: write 0 for the one that runs, -1 "
            f"for the one before, or {_LEAST_DIGITS} or more digits of its id"
        )
    return Asked(since_ns, until_ns, options.boot, now_ns)


def _digits(text: str) -> str:
    """Return the digits of the id of a boot, or of its beginning; "" if it is none."""
    digits = text.replace("-", "").lower()
    return digits if _ID.fullmatch(digits) else ""


def stretch(wanted: Asked, recording: Recording) -> Stretch:
    """Return the requested time, in a recording. Raises StoreError."""
    since_ns, until_ns, boot_text, now_ns = wanted
    boots = recording.boots()
    boot_id, from_ns, to_ns = None, 0, now_ns
    if boot_text is not None:
        boot = chosen(boot_text, boots, this_boot())
        boot_id, from_ns = boot.boot_id, boot.began_ns
        to_ns = min([now_ns, *(one.began_ns for one in boots if one.began_ns > from_ns)])
    if until_ns is not None:
        to_ns = min(to_ns, until_ns)
    if since_ns is not None:
        from_ns = max(from_ns, since_ns)
    if (
        not from_ns
    ):  # the time before the first recording is not a gap, unless nothing else is wanted
        starts = [part.from_ns for part in recording.recorded() if part.from_ns <= to_ns]
        from_ns = min(starts, default=0)
    return Stretch(since_ns, until_ns, boot_id, from_ns, to_ns, now_ns)


def _moment(option: str, text: str | None, now_ns: int, *, latest: bool = False) -> int | None:
    if text is None:
        return None
    try:
        return when.moment(text, now_ns, latest=latest)
    except ValueError as error:
        refuse(f"argument {option}: {error}")


def chosen(text: str, boots: Sequence[Boot], here: Boot) -> Boot:
    """Return the boot that a text names.

    0 is the boot of this machine, also if it was not recorded; in a recording of another machine,
    the last one there.

    Args:
        text: "0", "-1" and so on, or an id or its beginning.
        boots: those that were recorded, the oldest first.
        here: the boot of this machine.

    Raises NotRecorded.
    """
    if not _NTH.fullmatch(text):
        digits = _digits(text)
        found = [boot for boot in boots if boot.boot_id.replace("-", "").startswith(digits)]
        if len(found) == 1:
            return found[0]
        raise NotRecorded(f"{text!r} is none of the boots that are recorded: {_listed(boots)}")
    counted = list(boots)
    is_ours = not counted or counted[-1].machine_id == here.machine_id
    if is_ours and here.boot_id not in [boot.boot_id for boot in counted]:
        counted.append(here)
    back = -int(text)
    if back >= len(counted):
        there = "is only 1 boot" if len(counted) == 1 else f"are only {len(counted)} boots"
        raise NotRecorded(f"nothing is recorded of boot {text}: there {there}: {_listed(counted)}")
    return counted[-1 - back]


def _listed(boots: Sequence[Boot]) -> str:
    now_ns = time.time_ns()
    return "; ".join(
        f"{boot.boot_id.replace('-', '')} (began {when.local(boot.began_ns, now_ns)})"
        for boot in boots[-8:]
    )
