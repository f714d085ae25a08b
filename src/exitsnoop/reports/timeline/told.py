"""What a time line says, in words: for its page, and for standard error."""

from collections.abc import Iterable, Iterator

from exitsnoop.host.clock import SECOND_NS
from exitsnoop.model.words import human_bytes
from exitsnoop.reports.timeline.critical import own_times
from exitsnoop.reports.timeline.timeline import Timeline, failed_with
from exitsnoop.reports.timeline.tree import Process
from exitsnoop.reports.verdicts import brief, process
from exitsnoop.reports.when import local
from exitsnoop.sinks.escape import escape, word

_MOST_PROGRAMS = 4
_MOST_NAMES = 4
_MOST_ARGS = 200  # characters


def took(ns: int) -> str:
    """Return how long something took, in two units at most: "3.2 ms", "12.34 s", "3 min 25 s"."""
    if ns < SECOND_NS // 10:
        return f"{ns / 1e6:.1f} ms"
    if ns < 100 * SECOND_NS:
        return f"{ns / 1e9:.2f} s"
    seconds = round(ns / 1e9)
    if seconds < 2 * 3600:
        return f"{seconds // 60} min {seconds % 60:02} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02} min"


def named(one: Process) -> str:
    """Return a process as "cc1[812]", escaped."""
    return process(one.comm, one.pid) if one.comm is not None else f"[{one.pid}]"


def args(one: Process, most: int = _MOST_ARGS) -> str:
    """Return the arguments of a process, escaped, cut if they are long; "" if they are unknown."""
    if one.exit is None or one.exit.args is None:
        return ""
    line = escape(" ".join(one.exit.args)[: most + 1], spaces=False)
    cut = len(line) > most or one.exit.args_truncated
    return f"{line[:most]}..." if cut else line


def cpu(one: Process) -> str:
    """Return the CPU time of a process; "" if it is unknown."""
    spent = cpu_s(one)
    return "" if spent is None else took(round(spent * 1e9))


def cpu_s(one: Process) -> float | None:
    """Return the CPU time of a process, in seconds, without that of its children."""
    if one.exit is None or one.exit.cpu_user is None or one.exit.cpu_system is None:
        return None
    return one.exit.cpu_user + one.exit.cpu_system


def memory(one: Process) -> str:
    """Return the most memory that a process had; "" if it is unknown."""
    most = one.exit.max_rss if one.exit else None
    return "" if most is None else human_bytes(most)


def how(one: Process) -> str:
    """Return how a process ended, in few words, escaped; "" if that is unknown."""
    return brief(one.exit) if one.exit else ""


def when(of: Timeline, wall_ns: int) -> str:
    """Return a time: since the command began, or that of the clock."""
    if of.about.command is not None:
        return f"{(wall_ns - of.from_ns) / 1e9:.2f} s"
    return local(wall_ns, of.about.now_ns)


def failures(of: Timeline) -> str | None:
    """Return what failed, in a sentence; None if nothing did.

    It names the first failure after which all above it failed, too, up to the topmost process; the
    first of all if there is none.
    """
    if not of.failures:
        return None
    led = (one for one in of.failures if of.top in (one, *failed_with(one)))
    first = next(led, of.failures[0])
    assert first.exit is not None  # noqa: S101 - it failed
    after = "after " if of.about.command is not None else "at "
    above = [named(one) for one in failed_with(first)]
    if len(above) > _MOST_NAMES:
        above = [*above[: _MOST_NAMES - 1], f"{len(above) - _MOST_NAMES + 1} more"]
    then = f"; {_listed(above)} failed after it" if above else ""
    told = f"{named(first)}, {after}{when(of, first.end_ns)}: {brief(first.exit)}{then}."
    count = of.counts.failed
    return f"{told}" if count == 1 else f"{count:,} processes failed; first {told}"


def critical(of: Timeline) -> str | None:
    """Return what the critical path is made of, in a sentence; None if it is one process."""
    if not of.top or not of.top.below:
        return None
    whole_ns = max(1, of.top.lived_ns)
    times = own_times(of.path)
    shown = [
        f"{word(name)} {took(ns)} ({100 * ns / whole_ns:.0f} %)"
        for name, ns in [*times.items()][:_MOST_PROGRAMS]
    ]
    left = len(times) - len(shown)
    more = f", {left} more" if left > 0 else ""
    return (
        f"{named(of.top)} took {took(of.top.lived_ns)}. On its critical path: "
        f"{', '.join(shown)}{more}."
    )


def missing(of: Timeline) -> Iterator[str]:
    """Return what is not known of it, a sentence each."""
    about, counts = of.about, of.counts
    if about.lost:
        what = "exit was" if about.lost == 1 else "exits were"
        yield f"{about.lost:,} {what} lost: processes are missing here."
    for line in about.missing:
        yield f"{line[0].upper()}{line[1:]}."
    if about.running:
        what = "process" if about.running == 1 else "processes"
        yield (
            f"{about.running:,} {what} still ran when the command ended; --linger waits for "
            f"{'it' if about.running == 1 else 'them'}."
        )
    if of.earlier:
        what = "process" if of.earlier == 1 else "processes"
        yield f"{of.earlier:,} {what} began before this time line: their bars are cut at the left."
    if of.tree.others:
        count = len(of.tree.others)
        known = "1 process is" if count == 1 else f"{count:,} processes are"
        they, their = ("it", "its") if count == 1 else ("they", "their")
        yield (
            f"{known} known only as the parent or the killer of others: {they} still ran, or "
            f"{their} end was not recorded, or the filters leave it out."
        )
    if counts.left_out:
        yield (
            f"{counts.left_out:,} processes with short lives are left out: the longest of them "
            f"lived {took(round(counts.shorter_s * 1e9))}."
        )


def _listed(names: Iterable[str]) -> str:
    found = [*names]
    return found[0] if len(found) == 1 else f"{', '.join(found[:-1])} and {found[-1]}"
