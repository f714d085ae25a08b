"""What `why X` is about: which kind of thing X is, and which death the answer is about."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from exitsnoop.host import containers
from exitsnoop.host.clock import SECOND_NS
from exitsnoop.model.exit import Exit
from exitsnoop.store.query import Query
from exitsnoop.store.recording import Recording

KINDS = ("pid", "name", "unit", "container", "exe", "cgroup")
_UNIT = re.compile(r".+\.(?:service|scope|socket|mount|automount|swap|device|target|timer|path)")
_ID = re.compile(r"[0-9a-f]{12,64}")
_OF_PATH = ("/", "./", "../")
_HERE = re.compile(r"(?:\.\.?/)+")
_CGROUPS = "/sys/fs/cgroup/"
_MOUNT = re.compile(r"/sys/fs/cgroup/(?:unified/)?")
_RUNTIMES = ("runc", "crun")
_COMM_BYTES = 15
_MOST_TEXT = 4096  # PATH_MAX
_OWN_ANSWERS = (1, 3)
_MOST_OWN = 20
_HOUR_NS = 3600 * SECOND_NS
_DAY_NS = 24 * _HOUR_NS
PIDS_SHOWN = 20
"""The most processes that had a PID of which it is known how many they are."""
_FAILED_SHOWN = 3


class Target(NamedTuple):
    """A kind of thing that X can be.

    Attributes:
        kind: one of KINDS, or "last": whatever failed last.
        text: X; "" for the last.
        query: finds its deaths, the newest first.
        instead_of: the path of which it is the name: the kernel names the interpreter of a script
            as its executable.
    """

    kind: str
    text: str
    query: Query
    instead_of: str | None = None

    def during(self, since_ns: int | None, until_ns: int | None, boot_id: str | None) -> "Target":
        """Return the same within a time, as Query() takes it."""
        query = replace(self.query, since_ns=since_ns, until_ns=until_ns, boot_id=boot_id)
        return self._replace(query=query)


class Death(NamedTuple):
    """An exit, and its id in the recording."""

    id: int
    exit: Exit


class Found(NamedTuple):
    """A death that the answer is about.

    Attributes:
        target: what X was taken for.
        death: the death.
        also: what else X could be, each with its newest death.
        others: deaths of other processes with the same PID, the last ones that failed first.
        later: a process of the target that ended well after that.
    """

    target: Target
    death: Death
    also: list[tuple[Target, Exit]]
    others: list[Exit]
    later: Exit | None


def targets(text: str | None, kind: str | None = None) -> list[Target]:
    """Return what X can be, the likeliest first.

    Args:
        text: X, or None for whatever failed last.
        kind: one of KINDS, if X can only be that.

    Raises ValueError if X cannot be of this kind.
    """
    anything = Query(newest_first=True)
    if text is None:
        return [Target("last", "", replace(anything, failed=True))]
    if len(text) > _MOST_TEXT:
        raise ValueError(f"X is too long: no name or path has more than {_MOST_TEXT:,} characters")
    found = [
        Target(one, text, query) for one in _order(text) for query in _queries(one, text, anything)
    ]
    if kind == "container":  # a runtime that names only a cgroup after it
        found += [Target(kind, text, query) for query in _queries("cgroup", text, anything)]
    if text.startswith(_OF_PATH):
        name = text.rpartition("/")[2]
        found += [Target("name", name, one, text) for one in _queries("name", name, anything)]
    found = [target for target in found if kind in (None, target.kind)]
    if not found:
        raise ValueError(f"{text!r} cannot be a {kind}")
    return found


def _order(text: str) -> tuple[str, ...]:
    if text.isascii() and text.isdecimal():
        return "pid", "container", "name", "unit", "exe", "cgroup"
    if text.startswith("/"):
        return ("cgroup", "exe") if text.startswith(_CGROUPS) else ("exe", "cgroup")
    if text.startswith(_OF_PATH):
        return ("exe",)
    if _UNIT.fullmatch(text):
        return "unit", "name", "container", "exe", "cgroup"
    if _ID.fullmatch(text):
        return "container", "name", "unit", "exe", "cgroup"
    return "name", "unit", "container", "exe", "cgroup"


def _queries(kind: str, text: str, anything: Query) -> Iterator[Query]:
    if kind == "pid":
        if int(text) < 1 << 31:
            yield replace(anything, pids=[int(text)])
    elif kind == "name":
        yield replace(anything, names=[_as_comm(text)])
    elif kind == "unit":
        instances = [] if "@" in text else [f"{text}@*.service"]
        yield replace(
            anything, units=[text] if _UNIT.fullmatch(text) else [f"{text}.service", *instances]
        )
    elif kind == "exe":
        path = text if text.startswith("/") else f"*/{_HERE.sub('', text)}"
        yield replace(anything, exes=[path])
    elif kind == "cgroup":  # runtimes make one of this name, or a scope, and say so nowhere else
        scopes = [f"{runtime}-{text}.scope" for runtime in _RUNTIMES]
        paths = [_MOUNT.sub("/", text)] if text.startswith("/") else [text, *scopes]
        yield replace(anything, cgroups=paths)
    elif kind == "container":
        yield replace(anything, containers=[text, *containers.ids(text)])
        yield replace(anything, hostnames=[text])


def _as_comm(text: str) -> str:
    """Return the name as the kernel has it, which cuts it."""
    cut = text.encode("utf-8", "surrogateescape")[:_COMM_BYTES].decode("utf-8", "replace")
    return text if any(character in text for character in "*?[") else cut


def newest(recording: Recording, query: Query) -> Death | None:
    """Return the newest exit of a process that a query finds; threads are left out."""
    return next(each(recording, replace(query, newest_first=True)), None)


def _newest(recording: Recording, target: Target) -> Death | None:
    """Return the newest death; of whatever failed last, not that of a question like this one.

    `exitsnoop why nginx` exits with 1 if there is no such death: that is an answer.
    """
    if target.kind != "last":
        return newest(recording, target.query)
    last: Death | None = None
    for death in islice(each(recording, target.query), _MOST_OWN):
        if death.exit.comm != "exitsnoop" or death.exit.exit_code not in _OWN_ANSWERS:
            return death
        last = last or death
    return last


def each(recording: Recording, query: Query) -> Iterator[Death]:
    """Iterate over the exits of processes that a query finds, with their ids; threads are left out.

    Each is read on its own: it is for a few.
    """
    while True:
        selection = recording.select(replace(query, limit=1))
        found = [one for batch in selection.batches() for one in batch]
        if not found:
            return
        if found[0].last_thread:
            yield Death(selection.last_id, found[0])
        if query.newest_first:
            query = replace(query, before_id=selection.last_id)
        else:
            query = replace(query, after_id=selection.last_id)


def find(recording: Recording, candidates: list[Target]) -> Found | None:
    """Return the death that the answer is about: of the first candidate that has any.

    It is the newest death for a PID. Otherwise it is the newest that failed, unless everything has
    ended well for a day since.
    """
    there = [(target, death) for target in candidates if (death := _newest(recording, target))]
    if not there:
        return None
    (target, last), *rest = there
    others = {
        other.kind: (other, death.exit)
        for other, death in rest
        if other.kind != target.kind and death.id != last.id and not other.instead_of
    }
    also = [*others.values()]
    if target.kind == "pid":
        return Found(target, last, also, _reused(recording, target.query, last), None)
    chosen = last if last.exit.status else _failed_before(recording, target, last) or last
    return Found(target, chosen, also, [], None if chosen == last else last.exit)


def _reused(recording: Recording, query: Query, last: Death) -> list[Exit]:
    """Return deaths of other processes that had a PID before: some that failed, then the newest."""
    before = replace(query, before_id=last.id)
    failed = islice(each(recording, replace(before, failed=True)), _FAILED_SHOWN)
    last_ones = islice(each(recording, before), PIDS_SHOWN + 1)
    return [*{death.id: death.exit for death in (*failed, *last_ones)}.values()]


def _failed_before(recording: Recording, target: Target, last: Death) -> Death | None:
    """Return the newest death that failed on the day before another.

    The counts by the hour say where to look: a program may have ended well a million times since.
    """
    since_ns = max(target.query.since_ns or 0, last.exit.wall_ns - _DAY_NS)
    failed = replace(target.query, failed=True, since_ns=since_ns, before_id=last.id)
    hours = [counted.hour_ns for counted in recording.counts(failed)]
    for hour_ns in sorted({*hours}, reverse=True):
        until_ns = min(hour_ns + _HOUR_NS, last.exit.wall_ns)
        within = replace(failed, since_ns=max(since_ns, hour_ns), until_ns=until_ns)
        if death := newest(recording, within):
            return death
    return None
