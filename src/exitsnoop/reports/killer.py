"""Who sent the signal: what is known of the sender, from then, its own exit or its relatives."""

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from exitsnoop.host.clock import SECOND_NS
from exitsnoop.model.cause import Sender
from exitsnoop.model.context import Ancestor
from exitsnoop.model.exit import Exit
from exitsnoop.reports import cascade
from exitsnoop.reports.target import each
from exitsnoop.store.query import Query
from exitsnoop.store.recording import Recording

_LATER_NS = 60 * SECOND_NS  # a process may take so long to die
_TRIES = 5


class Killer(NamedTuple):
    """A process that sent a signal, also one that was handled, or whose own end was the reason.

    Attributes:
        sender: what the cause has of it.
        exit: its own exit; None if it lives on, or was not recorded.
        ancestors: the processes above it, the nearest first; None if they are unknown.
    """

    sender: Sender
    exit: Exit | None
    ancestors: tuple[Ancestor, ...] | None


def find(recording: Recording, of: Exit, boot: Query, near: Iterable[Exit]) -> Killer | None:
    """Return the process that a cause blames; None if it blames none.

    Args:
        recording: where its own exit may be.
        of: the exit with the cause.
        boot: a query for the boot of that exit.
        near: deaths near in time, among which may be descendants of it.
    """
    sender = (of.cause.sender if of.cause else None) or cascade.killer(of)
    if sender is None:
        return None
    own = ended(recording, sender.pid, of, boot)
    if sender.ancestors is not None:
        return Killer(sender, own, sender.ancestors)
    if own is not None:
        return Killer(sender, own, own.ancestors)
    for one in (of, *near):
        above = one.ancestors or ()
        for place, ancestor in enumerate(above):
            if ancestor == Ancestor(sender.pid, sender.comm):
                return Killer(sender, None, above[place + 1 :])
    parent = ended(recording, sender.ppid, of, boot)
    if parent is None:
        return Killer(sender, None, None)
    nearest = Ancestor(parent.pid, parent.comm)
    return Killer(sender, None, (nearest, *(parent.ancestors or ())))


def ended(recording: Recording, pid: int, of: Exit, boot: Query) -> Exit | None:
    """Return the exit of the process that had a PID when another ended, or shortly before.

    Whatever has the PID since then ended later.
    """
    since_ns = of.wall_ns - _LATER_NS
    query = replace(boot, pids=[pid], since_ns=since_ns, newest_first=False)
    for (_, one), _ in zip(each(recording, query), range(_TRIES), strict=False):
        if one.start_boot_ns <= of.boot_ns and one.boot_ns >= of.boot_ns - _LATER_NS:
            return one
    return None


def args(known: Killer) -> tuple[str, ...] | None:
    """Return the arguments of a sender: all of them, if its own exit has them."""
    own = known.exit.args if known.exit else None
    seen = known.sender.args
    if own is not None and (seen is None or known.sender.args_truncated):
        return own
    return seen
