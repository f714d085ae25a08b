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
_CUT = "\ufffd"  # what is left of a character that was cut


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
    own = _own_exit(recording, sender, of, boot)
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
    """Return the exit of the process that had a PID when another ended."""
    return _of_holder(recording, pid, of, boot, 0)


def _of_holder(
    recording: Recording, pid: int, of: Exit, boot: Query, before_ns: int
) -> Exit | None:
    """Return the exit of the process that had a PID so long before another ended.

    It is the first that ended from then on: whatever has the PID later ended after that.
    """
    query = replace(boot, pids=[pid], since_ns=of.wall_ns - before_ns, newest_first=False)
    _, first = next(each(recording, query), (0, None))
    return first if first and first.start_boot_ns <= of.boot_ns - before_ns else None


def _own_exit(recording: Recording, sender: Sender, of: Exit, boot: Query) -> Exit | None:
    """Return the exit of the process that sent the signal.

    Its PID may have been given away since, also while the other process died, or have been that of
    others shortly before.
    """
    after = of.cause.after if of.cause and of.cause.sender != sender else None
    sent_ns = round(after.seconds * SECOND_NS) if after else 0
    own = _of_holder(recording, sender.pid, of, boot, sent_ns)
    if own is not None and _may_be(own, sender):
        return own
    earlier = replace(
        boot,
        pids=[sender.pid],
        since_ns=of.wall_ns - sent_ns - _LATER_NS,
        until_ns=of.wall_ns - sent_ns,
        newest_first=True,
    )
    for (_, one), _ in zip(each(recording, earlier), range(_TRIES), strict=False):
        if _may_be(one, sender):
            return one
    return None


def _may_be(exit_: Exit, sender: Sender) -> bool:
    """Whether an exit may be that of a sender, which may have run something else since."""
    is_same = exit_.comm == sender.comm or (sender.exe is not None and exit_.exe == sender.exe)
    return is_same or (exit_.args is not None and _begins(exit_.args, sender))


def _begins(args_: tuple[str, ...], sender: Sender) -> bool:
    """Whether arguments are those that were seen of a sender, or begin like them."""
    if not sender.args or not sender.args_truncated:
        return args_ == sender.args
    *whole, cut = sender.args
    count = len(whole)
    goes_on = "".join(args_[count : count + 1]).startswith(cut.rstrip(_CUT))
    return list(args_[:count]) == whole and goes_on


def args(known: Killer) -> tuple[str, ...] | None:
    """Return the arguments of a sender: all of them, if its own exit has them."""
    own = known.exit.args if known.exit else None
    seen = known.sender.args
    if own is not None and (seen is None or _begins(own, known.sender)):
        return own
    return seen
