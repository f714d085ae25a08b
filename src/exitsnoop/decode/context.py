"""Who it was, where, and what it used: bytes -> Context.

A member of struct exit_context that has the name of a field becomes that field as it is. What is in
`parts` needs a row in _PARTS. Only what must be worked out is named below.
"""

import os
from collections.abc import Callable
from functools import lru_cache
from operator import itemgetter
from typing import Any

from exitsnoop.decode.images import Running
from exitsnoop.decode.notes import Process, path, require, text
from exitsnoop.decode.structs import only, whole
from exitsnoop.host import users
from exitsnoop.layout import CONTEXT_OWN_PEAK, CONTEXT_PARTIAL, STRUCTS
from exitsnoop.model.context import CONTEXT, Ancestor, Context
from exitsnoop.model.fields import COLLECTED

_HEAD = whole("exit_context")
_FIELDS = tuple(STRUCTS["exit_context"])
_ANCESTOR = whole("ancestor")
_PAGE = os.sysconf("SC_PAGESIZE")
_SECOND_NS = 1_000_000_000


@lru_cache(maxsize=256)  # those of the children of a process are the same
def _ancestors(raw: bytes) -> tuple[Ancestor, ...]:
    return tuple(Ancestor(pid, text(comm)) for pid, comm in _ANCESTOR.iter_unpack(raw))


def _text(raw: bytes) -> str | None:
    return text(raw) if raw else None


_PARTS: dict[str, Callable[[bytes], Any]] = {
    "cgroup": path,
    "hostname": _text,
    "ancestors": _ancestors,
    "cwd": path,
}
_LENGTHS = tuple(name for name in _FIELDS if name.removesuffix("_bytes") in _PARTS)
_WHOSE = only("exit_context", "start_boot_ns", "tid", *_LENGTHS)
_ANCESTORS = _LENGTHS.index("ancestors_bytes")
_PEAK = _FIELDS.index("peak_pages")
_UID = _FIELDS.index("uid")


def _values(*names: str) -> Callable[[tuple[Any, ...]], Any]:
    return itemgetter(*map(_FIELDS.index, names))


_STATE = _values("exec_id", "flags")
_TIMES = _values("user_ns", "system_ns", "run_ns", "reported_user_ns", "reported_system_ns")


def whose(record: bytes) -> Process:
    """Return the exit that a context belongs to: (tid, start_boot_ns).

    Raises struct.error if the record is not as long as it says.
    """
    start_boot_ns, tid, *lengths = _WHOSE.unpack_from(record)
    require(len(record) == _HEAD.size + sum(lengths))
    require(lengths[_ANCESTORS] % _ANCESTOR.size == 0)
    return tid, start_boot_ns


def decode(record: bytes, running: Running | None, groups: frozenset[str]) -> Context:
    """Return what was collected of an exit, of these groups; what is unknown is None.

    running: the last report of what the process ran.
    """
    raw = _HEAD.unpack_from(record)
    exec_id, flags = _STATE(raw)
    if running and running.exec_id not in (None, exec_id):
        running = None  # the last exec was not reported
    partial = bool(flags & CONTEXT_PARTIAL)
    texts, parts, in_order = _wanted(groups, partial)
    made: list[Any] = [None, running.image if running else None]
    # The name is looked up here and now: a recording may be shown on another machine.
    made.append(users.name(raw[_UID]) if "identity" in groups else None)
    if "resources" in groups:
        made.append(_own_peak(raw[_PEAK], flags, running))
        made += (None, None) if partial else _adjusted(*_TIMES(raw))
    else:
        made += (None, None, None)
    made += [text(raw[index]) for index in texts]
    at = _HEAD.size
    for length, convert in parts:
        end = at + raw[length]
        made.append(convert(record[at:end]) if convert else None)
        at = end
    values: Context = in_order((*raw, *made))
    return values


_NOTHING = ""
_MADE = (_NOTHING, "image", "user", "max_rss", "cpu_user", "cpu_system")
_Convert = Callable[[bytes], Any]


@lru_cache
def _wanted(
    groups: frozenset[str], partial: bool
) -> tuple[list[int], list[tuple[int, _Convert | None]], Callable[[tuple[Any, ...]], Any]]:
    """Return (texts, parts, in_order) for records of these groups.

    texts: the fields that are decoded as texts. parts: the field with the length of each part, and
    its decoder if it was requested. in_order takes the fields, _MADE, the texts and the parts, and
    gives the values for a Context. A partial record has no sums over the threads.
    """
    complete = groups - {"resources"} if partial else groups
    sent = {name: at for at, name in enumerate(_FIELDS) if COLLECTED.get(name) in complete}
    texts = [name for name in sent if STRUCTS["exit_context"][name].endswith("s")]
    parts = [length.removesuffix("_bytes") for length in _LENGTHS]
    made = {name: len(_FIELDS) + at for at, name in enumerate((*_MADE, *texts, *parts))}
    found = sent | made
    return (
        [sent[name] for name in texts],
        [
            (_FIELDS.index(f"{name}_bytes"), _PARTS[name] if COLLECTED[name] in groups else None)
            for name in parts
        ],
        itemgetter(*(found.get(name, made[_NOTHING]) for name in CONTEXT)),
    )


def _own_peak(peak_pages: int, flags: int, running: Running | None) -> int | None:
    """Return the peak of the image in bytes; None if an earlier image may have had a higher one."""
    if flags & CONTEXT_OWN_PEAK:
        return peak_pages * _PAGE
    if running is None or running.earlier_peak_pages is None:
        return None
    return peak_pages * _PAGE if peak_pages > running.earlier_peak_pages else None


def _adjusted(
    user_ns: int, system_ns: int, run_ns: int, reported_user_ns: int, reported_system_ns: int
) -> tuple[float, float]:
    """Divide the measured time in the proportion of the sampled times, as cputime_adjust() does.

    What the kernel has reported never falls, even if the samples since then say otherwise. This is
    the same from v4.18 to v7.3; machines that account for every switch (ppc64, s390) sample
    nothing, so their times are exact already.
    """
    if reported_user_ns + reported_system_ns >= run_ns:
        return reported_user_ns / _SECOND_NS, reported_system_ns / _SECOND_NS
    if system_ns == 0:
        system = 0
    elif user_ns == 0:
        system = run_ns
    else:
        system = run_ns * system_ns // (user_ns + system_ns)
    system = max(system, reported_system_ns)
    user = max(run_ns - system, reported_user_ns)
    return user / _SECOND_NS, (run_ns - user) / _SECOND_NS
