"""What was not recorded, in words: each answer that it touches says it."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from exitsnoop.host.clock import SECOND_NS
from exitsnoop.reports.when import local, span
from exitsnoop.sinks.escape import escape
from exitsnoop.store import copies
from exitsnoop.store.coverage import Filtered, Gap
from exitsnoop.store.recording import Recording

MOST_LINES = 5
_NEAR_NS = 60 * SECOND_NS  # losses that are not further apart are reported as one
_REBOOT = ", then reboot"
_NOT_ON_DISK = "not on disk: "
_WHY = {
    "not recording": "the recording had not begun",
    "stopped": "the recorder was stopped",
    "killed": "the recorder was killed",
    copies.COPIED: "the recorder was killed, or this copy was made then",
    "failed": "the recorder failed",
    "reboot": "reboot",
    "overflow": "they came too fast to be read",
    "undecided": "the path of their cgroup was not read in full, so a filter could not decide",
    "disk full": "the disk was full",
    "not on disk": "the recorder cannot write, and goes on trying",
    "suspended": "the recorder is stopped, and writes when it is continued (SIGCONT)",
}


def missing(
    recording: Recording,
    found: Sequence[Gap],
    some: Sequence[Filtered],
    from_ns: int,
    now_ns: int,
) -> list[str]:
    """Return all that is not known of a stretch of time, a line each; [] if all is known.

    That is what was not recorded, when filters left out exits, what was dropped or is no longer
    counted, for want of room, and which files are damaged.

    Args:
        recording: where the answer comes from.
        found: its gaps, from recording.gaps().
        some: when filters left out exits, from recording.filtered().
        from_ns: where it begins, nanoseconds since the epoch.
        now_ns: the time now.

    Raises StoreError.
    """
    dropped = []
    complete_ns = recording.complete_since()
    if complete_ns is not None and from_ns < complete_ns:
        dropped.append(
            f"exits before {local(complete_ns, now_ns)} were dropped, for their age or to make "
            "room; at most the last failures of each group are left"
        )
    counted_ns = recording.counted_since()
    if counted_ns is not None and from_ns < counted_ns:
        dropped.append(
            f"not all exits before {local(counted_ns, now_ns)} are counted any more, for want of "
            "room"
        )
    left_out = filtered(some, now_ns)
    return dropped + left_out + described(found, now_ns) + unread(recording)


def unread(recording: Recording) -> list[str]:
    """Return a line for each file of which something could not be read."""
    return damaged(recording.unreadable) + without_log(recording)


def without_log(recording: Recording) -> list[str]:
    """Return a line if the newest file has no log, as if that was left out of a copy."""
    name = None if recording.recorder() is not None else copies.without_log(recording.path)
    if name is None:
        return []
    return [
        f"{escape(name.name, spaces=False)} has no log ({escape(name.name, spaces=False)}-wal): if "
        "this is a copy made with cp, the last exits are missing (`exitsnoop export` has them)"
    ]


def described(gaps: Iterable[Gap], now_ns: int, *, most: int = MOST_LINES) -> list[str]:
    """Return what is missing, a line each, in the order of time.

    Such as "nothing was recorded from 01:10:02 to 01:12:31 today (reboot)", and
    "14 exits from 03:02:00 to 03:04:10 today are missing (the disk was full)". Losses that are near
    each other, and have the same reason, are one line. If there are more than `most` lines, these
    are the latest, and one more line says how many there are before them.
    """
    found = _joined(sorted(gaps))
    lines = [_line(gap, now_ns) for gap in found[-most:]]
    if before := found[:-most]:
        gaps_are = "1 more gap is" if len(before) == 1 else f"{len(before)} more gaps are"
        lines.insert(0, f"{gaps_are} before these, since {local(before[0].from_ns, now_ns)}")
    return lines


def filtered(stretches: Sequence[Filtered], now_ns: int, *, most: int = MOST_LINES) -> list[str]:
    """Return when only some exits were recorded, a line each: the latest ones.

    Such as "only some exits were recorded since 01:10:02 today (the recorder had the filters -x)".
    """
    return [
        f"only some exits were recorded {_stretch(one, now_ns)} (the recorder had the filters "
        f"{escape(one.filters, spaces=False)})"
        for one in stretches[-most:]
    ]


def damaged(paths: Iterable[Path]) -> list[str]:
    """Return a line for each file that is damaged."""
    return [
        f"{escape(str(path), spaces=False)} is damaged or cannot be read: exits in it are missing"
        for path in sorted(paths)
    ]


def _joined(gaps: Sequence[Gap]) -> list[Gap]:
    found: list[Gap] = []
    last: dict[str, int] = {}  # for each reason, the place of the last loss
    for gap in gaps:
        place = last.get(gap.why)
        if gap.lost is None or place is None or gap.from_ns - found[place].to_ns > _NEAR_NS:
            if gap.lost is not None:
                last[gap.why] = len(found)
            found.append(gap)
            continue
        before = found[place]
        found[place] = before._replace(
            to_ns=max(before.to_ns, gap.to_ns), lost=(before.lost or 0) + gap.lost
        )
    return found


def _line(gap: Gap, now_ns: int) -> str:
    why = f" ({reason(gap.why)})"
    if gap.lost is None:
        return f"nothing was recorded {_stretch(gap, now_ns)}{why}"
    exits = "1 exit" if gap.lost == 1 else f"{gap.lost:,} exits"
    return f"{exits} {_stretch(gap, now_ns)} {'is' if gap.lost == 1 else 'are'} missing{why}"


def _stretch(gap: Gap | Filtered, now_ns: int) -> str:
    if gap.from_ns <= 0:
        return f"before {local(gap.to_ns, now_ns)}"
    if gap.to_ns >= now_ns:  # one that has just ended has an end
        return f"since {local(gap.from_ns, now_ns)}"
    if gap.to_ns - gap.from_ns < SECOND_NS:
        return f"at {local(gap.from_ns, now_ns)}"
    return span(gap.from_ns, gap.to_ns, now_ns)


def reason(why: str) -> str:
    """Return in words why nothing was recorded; what else the recorder wrote is given as it is."""
    if why.endswith(_REBOOT):
        return reason(why.removesuffix(_REBOOT)) + _REBOOT
    if why.startswith(_NOT_ON_DISK):
        return f"{_WHY['not on disk']}: {reason(why.removeprefix(_NOT_ON_DISK))}"
    return _WHY.get(why, escape(why, spaces=False))
