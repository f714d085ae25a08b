"""Cascades: deaths that hang together by evidence, and which of them came first.

RELATIONS is the table of evidence. Each rule says, for one exit, which earlier death it follows
from. What is only near in time is not part of a cascade.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from exitsnoop.host.clock import SECOND_NS
from exitsnoop.model.cause import Sender
from exitsnoop.model.context import Ancestor
from exitsnoop.model.exit import Exit

_INIT = 1
_WITHOUT_EFFECT = ("ignored", "init without handler")
_NOWHERE = (None, None, None)
ANYTHING = ("user@", "session-", "capsule@", "init.scope")
"""Units in which anything runs begin like this."""
_AT_ONCE_NS = SECOND_NS
_SOON_NS = 5 * SECOND_NS  # after that PostgreSQL sends SIGKILL to children that were to end
WINDOW_NS = 10 * SECOND_NS
"""Deaths that hang together are at most so far apart, one from the next."""

Key = tuple[int, int]


class Link(NamedTuple):
    """A death of a cascade.

    Attributes:
        exit: the death.
        relation: a name of RELATIONS; "first" for the first.
        to: the death that it follows from, None for the first.
    """

    exit: Exit
    relation: str
    to: Exit | None


def key(exit_: Exit) -> Key:
    """Return what identifies a process within a boot."""
    return exit_.pid, exit_.start_boot_ns


class Near:
    """Deaths of one boot that are near in time, in the order of time."""

    def __init__(self, exits: Iterable[Exit]) -> None:
        self.exits = sorted({key(one): one for one in exits}.values(), key=_order)
        self._by_pid = defaultdict(list)
        self._by_ppid = defaultdict(list)
        self._by_sender = defaultdict(list)
        for one in self.exits:
            self._by_pid[one.pid].append(one)
            self._by_ppid[one.ppid].append(one)
            if (sender := ended_by(one)) is not None:
                self._by_sender[sender].append(one)

    def of_pid(self, pid: int, before: Exit) -> Exit | None:
        """Return the last process with a PID that ended before another death."""
        found = _preceding(self._by_pid[pid], before, WINDOW_NS)
        return found[-1] if found else None

    def children(self, ppid: int, before: Exit, within_ns: int) -> Sequence[Exit]:
        """Return the children of a parent that ended before another death, the earliest first."""
        return _preceding(self._by_ppid[ppid], before, within_ns)

    def killed_by(self, sender: Ancestor, before: Exit) -> Sequence[Exit]:
        """Return what the same process killed before, the earliest first."""
        return _preceding(self._by_sender[sender], before, WINDOW_NS)


def _preceding(exits: Sequence[Exit], other: Exit, within_ns: int) -> Sequence[Exit]:
    """Return those of the deaths, in the order of time, before that of a process that ran then."""
    since_ns = max(other.start_boot_ns, other.boot_ns - within_ns)
    first = bisect_left(exits, since_ns, key=lambda one: one.boot_ns)
    return exits[first : bisect_left(exits, _order(other), key=_order)]


def killer(exit_: Exit) -> Sender | None:
    """Return the process that sent the signal which ended it, or which it handled and then ended.

    None if there was none, or if that was long before.
    """
    cause = exit_.cause
    if cause is None:
        return None
    if cause.kind == "killed":
        return cause.sender
    after = cause.after
    is_near = after and after.kind == "killed" and after.seconds * SECOND_NS <= WINDOW_NS
    return after.sender if after and is_near else None


def ended_by(exit_: Exit) -> Ancestor | None:
    """Return the process that sent the signal, as killer() does, but also if that was itself.

    None if the signal was ignored: it ended nothing.
    """
    if sent_itself(exit_):
        return Ancestor(exit_.pid, exit_.comm)
    sender = killer(exit_)
    if sender is None or _ignored(exit_):
        return None
    return Ancestor(sender.pid, sender.comm)


def _ignored(exit_: Exit) -> bool:
    """Whether the signal before an end by a code was ignored."""
    cause = exit_.cause
    after = cause.after if cause is not None and cause.kind != "killed" else None
    return after is not None and after.handled in _WITHOUT_EFFECT


def sent_itself(exit_: Exit) -> bool:
    """Whether it sent itself the signal: `timeout -s KILL` ends its whole process group so."""
    return exit_.cause is not None and exit_.cause.kind == "self"


def cascade(of: Exit, near: Near) -> list[Link]:
    """Return the deaths that hang together with one, the first of them first; [] if none does."""
    links = {key(one): link for one in near.exits if (link := _link(one, near))}
    members = _connected(key(of), links, near)
    if len(members) < 2:
        return []
    first, *others = [one for one in near.exits if key(one) in members]
    return [
        Link(first, "first", None),
        *(links.get(key(one)) or Link(one, "same_sender", first) for one in others),
    ]


def _link(exit_: Exit, near: Near) -> Link | None:
    for relation, rule in RELATIONS.items():
        to = rule(exit_, near)
        if to is not None:
            return Link(exit_, relation, to)
    return None


def _connected(start: Key, links: dict[Key, Link], near: Near) -> set[Key]:
    beside = defaultdict(set)
    for one, link in links.items():
        to = [] if link.to is None else [link.to]
        if link.relation == "same_sender":  # these need not have run at the same time
            to = _of_same_sender(link.exit, near)
        for other in map(key, to):
            beside[one].add(other)
            beside[other].add(one)
    found, left = {start}, [start]
    while left:
        new = beside[left.pop()] - found
        found |= new
        left += new
    return found


def _order(exit_: Exit) -> tuple[int, ...]:
    return exit_.boot_ns, *key(exit_)


def place(exit_: Exit) -> tuple[str | None, str | None, str | None]:
    """Return the unit, container and pod that it ran in; None where that says nothing.

    In a session of a user, or in init's own scope, anything runs.
    """
    container = exit_.container.id if exit_.container else None
    unit = None if container or (exit_.unit or "").startswith(ANYTHING) else exit_.unit
    return unit, container, exit_.pod


def _alike(one: Exit, other: Exit) -> bool:
    """Whether two children of a parent belong together: a shell, or init, has all sorts."""
    if place(one) == place(other) != _NOWHERE:
        return True
    return one.ppid != _INIT and one.exe is not None and one.exe == other.exe


def _parent_died(exit_: Exit, near: Near) -> Exit | None:
    return _sender_died(exit_, near, "parent_death")


def _init_died(exit_: Exit, near: Near) -> Exit | None:
    return _sender_died(exit_, near, "namespace")


def _tracer_died(exit_: Exit, near: Near) -> Exit | None:
    return _sender_died(exit_, near, "tracer")


def _sender_died(exit_: Exit, near: Near, kind: str) -> Exit | None:
    cause = exit_.cause
    if cause is None or cause.kind != kind or cause.sender is None:
        return None
    return near.of_pid(cause.sender.pid, exit_)


def _parent_reacted(exit_: Exit, near: Near) -> Exit | None:
    """Return the child of its killer that failed just before, if it was a sibling."""
    sender = killer(exit_)
    if sender is None or sender.pid != exit_.ppid or _ignored(exit_):
        return None
    failed = [
        one
        for one in near.children(sender.pid, exit_, WINDOW_NS)
        if one.status and killer(one) != sender and _alike(one, exit_)
    ]
    return failed[0] if failed else None


def _same_sender(exit_: Exit, near: Near) -> Exit | None:
    return next(iter(_of_same_sender(exit_, near)), None)


def _of_same_sender(exit_: Exit, near: Near) -> list[Exit]:
    sender = ended_by(exit_)
    if sender is None:
        return []
    return [
        one
        for one in near.killed_by(sender, exit_)
        if sender.pid != _INIT or place(one) == place(exit_)
    ]


def _same_oom(exit_: Exit, near: Near) -> Exit | None:
    """Return the first that the OOM killer took from the same cgroup at that time."""
    cause = exit_.cause
    oom = cause.oom if cause else None
    if oom is None:
        return None
    return _same(exit_, near, lambda other: other.oom and other.oom.cgroup == oom.cgroup)


def _same_terminal(exit_: Exit, near: Near) -> Exit | None:
    """Return the first that the same key, or the same hangup, ended."""
    cause = exit_.cause
    if cause is None or cause.tty is None:
        return None
    return _same(exit_, near, lambda other: (other.kind, other.tty) == (cause.kind, cause.tty))


def _same(exit_: Exit, near: Near, holds: Callable[..., object]) -> Exit | None:
    for one in _preceding(near.exits, exit_, _AT_ONCE_NS):
        if one.cause and holds(one.cause):
            return one
    return None


def _passed_on(exit_: Exit, near: Near) -> Exit | None:
    """Return the child whose end it exited with: the same code, or 128 and the signal."""
    code = exit_.exit_code
    if not code:
        return None
    for child in reversed(near.children(exit_.pid, exit_, _AT_ONCE_NS)):
        if code == (child.exit_code if child.signal is None else 128 + child.signal):
            return child
    return None


def _killed_child(exit_: Exit, near: Near) -> Exit | None:
    """Return the child that it killed just before it gave up itself, as `timeout` does."""
    if not exit_.exit_code:
        return None
    for child in reversed(near.children(exit_.pid, exit_, _AT_ONCE_NS)):
        sender = killer(child)
        if sender is not None and sender.pid == exit_.pid and not _ignored(child):
            return child
    return None


def _sibling(exit_: Exit, near: Near) -> Exit | None:
    """Return the sibling that a signal ended just before this one, and others, gave up.

    A parent that ends its other children by a signal that they handle leaves no more evidence than
    this: those that ran all that time exit with a code, right after the first.
    """
    if not exit_.exit_code:
        return None
    before = near.children(exit_.ppid, exit_, _SOON_NS)
    return next((one for one in before if one.signal is not None and _alike(one, exit_)), None)


RELATIONS: dict[str, Callable[[Exit, Near], Exit | None]] = {
    "parent_death": _parent_died,
    "namespace": _init_died,
    "tracer": _tracer_died,
    "parent_reacted": _parent_reacted,
    "same_sender": _same_sender,
    "same_oom": _same_oom,
    "same_terminal": _same_terminal,
    "killed_child": _killed_child,
    "passed_on": _passed_on,
    "sibling": _sibling,
}
"""How a death follows from an earlier one; the first rule that holds counts."""


def beside(of: Exit, near: Near, links: Sequence[Link], within_ns: int) -> list[Exit]:
    """Return what failed at about the same time, without evidence of a connection."""
    taken = {key(of), *(key(link.exit) for link in links)}
    return [
        one
        for one in near.exits
        if one.status and key(one) not in taken and abs(one.boot_ns - of.boot_ns) <= within_ns
    ]
