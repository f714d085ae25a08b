"""What to trace: one definition, used by the command line, the API and the kernel side."""

import os

from exitsnoop.host import processes
from exitsnoop.layout import CGROUP_FILTER_BYTES, MAX_CGROUP_FILTERS
from exitsnoop.model.fields import groups

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from typing import Any, TypedDict, TypeVar

    from typing_extensions import Unpack  # typing has it since 3.11

    from exitsnoop.model.batch import Exits
    from exitsnoop.model.cgroup import Container

    T = TypeVar("T")

    class FilterOptions(TypedDict, total=False):
        """The arguments of Filters.checked(), which says what they are."""

        pids: Iterable[int]
        tree: Iterable[int]
        ppids: Iterable[int]
        users: Iterable[int | str]
        names: Iterable[str]
        cgroups: Iterable[str]
        containers: Iterable[str]
        excluding: Iterable[str]
        min_age: float
        max_age: float | None
        failed: bool
        signals: Iterable[int]
        codes: Iterable[int]
        causes: Iterable[str]
        per_thread: bool
        why: bool
        fields: Iterable[str]


PID_MAX = 4_194_304  # PID_MAX_LIMIT of 64-bit kernels
# The filters, and what each is if it is not given.
EVERYTHING: "dict[str, Any]" = {
    "pids": (),
    "tree": (),
    "ppids": (),
    "users": frozenset(),
    "names": (),
    "cgroups": (),
    "containers": (),
    "excluding": frozenset(),
    "min_age": 0.0,
    "max_age": None,
    "failed": False,
    "signals": frozenset(),
    "codes": frozenset(),
    "causes": frozenset(),
    "per_thread": False,
    "why": False,
    "fields": frozenset(),
}
EXCLUDABLE = ("ppids", "users", "names", "cgroups", "containers")


class Filters:
    """What to trace. Each field has the name of its option and of its tunable or map in exit.bpf.c.

    Those of one list are alternatives; all that are given must hold.

    Attributes:
        pids: only these processes.
        tree: only these processes and their descendants.
        ppids: only processes whose parent, as they exit, is one of these.
        users: only processes of these users, by uid.
        names: only processes whose name is one of these shell patterns.
        cgroups: only processes in these cgroups, or below.
        containers: only processes in containers whose id or name starts with one of these.
        excluding: which of ppids, users, names, cgroups and containers are turned round: all but.
        min_age, max_age: only what lived so many seconds.
        failed: only what did not end with exit(0).
        signals, codes: only what ended by one of these signals, or with one of these codes.
        causes: only what had one of these kinds of cause.
        per_thread: a record for every thread that ends, not for every process.
        why: find out the cause.
        fields: which of the fields that cost something to collect.
    """

    pids: tuple[int, ...]
    tree: tuple[int, ...]
    ppids: tuple[int, ...]
    users: frozenset[int]
    names: tuple[str, ...]
    cgroups: tuple[str, ...]
    containers: tuple[str, ...]
    excluding: frozenset[str]
    min_age: float
    max_age: float | None
    failed: bool
    signals: frozenset[int]
    codes: frozenset[int]
    causes: frozenset[str]
    per_thread: bool
    why: bool
    fields: frozenset[str]

    def __init__(self, **given: "Any") -> None:
        vars(self).update(EVERYTHING, **given)

    @classmethod
    def checked(cls, **options: "Unpack[FilterOptions]") -> "Filters":
        """Return filters that make sense: users by uid, cgroups as the kernel names them.

        Raises ValueError for what cannot be, and if nothing could ever pass; TypeError for a name
        that is no filter's.
        """
        if unknown := options.keys() - EVERYTHING.keys():
            raise TypeError(f"there is no filter {', '.join(sorted(unknown))}")
        filters = cls(**{name: _CHECKS[name](value) for name, value in options.items()})
        filters.why = filters.why or bool(filters.causes)
        filters._require_sense()
        return filters

    def given(self) -> set[str]:
        """Return the names of those that leave something out, or want something collected."""
        return {name for name, value in vars(self).items() if value != EVERYTHING[name]}

    def _require_sense(self) -> None:
        """Raise ValueError for what cannot be."""
        for name in _within(EXCLUDABLE, self.excluding, f"{{!r}} is none of {EXCLUDABLE}"):
            if not getattr(self, name):
                raise ValueError(f"there are no {name} to exclude")
        self.name_globs()
        self.container_globs()
        self.groups()
        if len(self.cgroups) > MAX_CGROUP_FILTERS:
            raise ValueError(f"at most {MAX_CGROUP_FILTERS} cgroups can be looked for at once")
        if (self.pids or self.tree or self.ppids) and not processes.in_first_namespace("pid"):
            raise ValueError(
                "this process is in a PID namespace of its own, where PIDs are not those of the "
                "host: run exitsnoop on the host, or in a container with the host's (--pid=host)"
            )
        if self.min_age < 0 or (self.max_age is not None and self.max_age < self.min_age):
            raise ValueError("no process can have the age asked for")
        if not (self.signals or self.codes or self.causes):
            return
        signal_set, code_set = self.statuses()
        if not (signal_set or code_set - ({0} if self.failed else set())):
            raise ValueError("no process can end in all of the ways asked for at once")

    def name_globs(self) -> bytes:
        """Return the names as exit.bpf.c looks for them: a struct glob_set of event.h."""
        if not self.names:
            return b""
        from exitsnoop.filters.globs import compile_globs  # most runs do without

        return compile_globs(self.names)

    def container_globs(self) -> bytes:
        """Return the same for the containers, coarsely; passes() looks closer."""
        if not self.containers:
            return b""
        from exitsnoop.filters.globs import compile_parts

        return compile_parts(self.containers)

    def groups(self) -> frozenset[str]:
        """Return what must be collected: see fields.COLLECTED."""
        collected = set(groups(self.fields))
        if self.why:
            collected.add("why")
        if self.cgroups or self.containers:
            collected.add("cgroup")
        return frozenset(collected)

    def statuses(self) -> tuple[set[int], set[int]]:
        """Return the signals and the exit codes that a process may end with to be of interest."""
        from exitsnoop.model.cause import SIGNALS_OF_KIND  # most runs do without
        from exitsnoop.model.status import SIGNAL_NAMES

        signals, codes = set(SIGNAL_NAMES), set(range(256))
        if self.signals or self.codes:
            signals, codes = set(self.signals), set(self.codes)
        if self.causes:
            signals &= set().union(
                *(SIGNALS_OF_KIND.get(kind, SIGNAL_NAMES) for kind in self.causes)
            )
            codes = codes if "exited" in self.causes else set()
        return signals, codes

    def passing(self, exits: "Exits") -> list[bool]:
        """Return, of exits that the kernel side let pass, whether each is of interest."""
        passing = [True] * len(exits)
        if self.causes:
            passing = [
                cause is not None and cause.kind in self.causes for cause in exits.column("cause")
            ]
        if self.containers:
            inside = [self._is_inside(container) for container in exits.column("container")]
            passing = [a and b for a, b in zip(passing, inside, strict=True)]
        return passing

    def _is_inside(self, container: "Container | None") -> bool:
        found = container is not None and container.id.startswith(self.containers)
        return found != ("containers" in self.excluding)


def _within(allowed: "Collection[T]", values: "Iterable[T]", complaint: str) -> "tuple[T, ...]":
    """Return the values, each once. Raises ValueError for one that is not allowed."""
    found = tuple(dict.fromkeys(values))
    for value in found:
        if value not in allowed:
            raise ValueError(complaint.format(value))
    return found


def _pids(pids: "Iterable[int]") -> tuple[int, ...]:
    return _within(range(1, PID_MAX + 1), pids, f"{{}} is not a PID: a PID is 1 to {PID_MAX}")


def _uids(users: "Iterable[int | str]") -> "Iterator[int]":
    for user in users:
        from exitsnoop.host.users import uid  # most runs do without

        yield uid(str(user))


def _paths(cgroups: "Iterable[str]") -> "Iterator[str]":
    for name in cgroups:
        from exitsnoop.host.cgroups import resolve  # most runs do without

        path = resolve(name)
        if len(os.fsencode(path)) + 2 > CGROUP_FILTER_BYTES:
            raise ValueError(f"{path}: the path of a cgroup to look for is too long")
        yield path


def _signals(signals: "Iterable[int]") -> frozenset[int]:
    if not signals:  # most runs do without the table
        return frozenset()
    from exitsnoop.model.status import SIGNAL_NAMES

    return frozenset(_within(SIGNAL_NAMES, signals, "{} is not a signal: a signal is 1 to 64"))


def _codes(codes: "Iterable[int]") -> frozenset[int]:
    return frozenset(_within(range(256), codes, "{} is not an exit code: a code is 0 to 255"))


def _causes(causes: "Iterable[str]") -> frozenset[str]:
    if not causes:
        return frozenset()
    from exitsnoop.model.cause import KINDS

    known = ", ".join(KINDS)
    return frozenset(_within(KINDS, causes, f"{{!r}} is not a kind of cause: they are {known}"))


_CHECKS: "dict[str, Callable[[Any], Any]]" = {
    "pids": _pids,
    "tree": _pids,
    "ppids": _pids,
    "users": lambda users: frozenset(_uids(users)),
    "names": tuple,
    "cgroups": lambda cgroups: tuple(_paths(cgroups)),
    "containers": tuple,
    "excluding": frozenset,
    "min_age": float,
    "max_age": lambda age: None if age is None else float(age),
    "failed": bool,
    "signals": _signals,
    "codes": _codes,
    "causes": _causes,
    "per_thread": bool,
    "why": bool,
    "fields": frozenset,
}
