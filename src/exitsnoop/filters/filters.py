"""Filters: what to trace and what to collect, checked once."""

from exitsnoop.filters.table import FILTERS, Filter
from exitsnoop.host import processes
from exitsnoop.layout import MAX_CGROUP_FILTERS
from exitsnoop.model.fields import groups
from exitsnoop.model.later import Later, LaterUnpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
    from typing import Any

    from typing_extensions import Unpack  # typing has it since 3.11

    from exitsnoop.filters import keywords
    from exitsnoop.model import batch
else:  # for typing.get_type_hints(): imported when annotations are resolved, not by a start
    Unpack, keywords = LaterUnpack(), Later("exitsnoop.filters.keywords")
    typing, batch = Later("typing"), Later("exitsnoop.model.batch")

_IN_CONTAINERS = (
    *("docker", "libpod", "crio", "cri-containerd", "nerdctl", "kubepods", "lxc"),
    *("machine-", "systemd-nspawn"),
)
"""One of these is in the path of every cgroup that model.cgroup.container() takes."""

EVERYTHING: "dict[str, Any]" = {row.name: row.default for row in FILTERS}
EXCLUDABLE = tuple(row.name for row in FILTERS if row.excludable)


class Filters:
    """What to trace, and what to collect. Immutable; two that ask for the same are equal.

    >>> Filters(users=["www-data", 33], failed=True)

    Filters are combined with AND, the values of one list with OR. An int in `users` is a uid. TIME
    is in seconds. `excluding` may name ppids, users, names, cgroups and containers, to trace all
    other processes, and signals, codes and causes, to trace the processes that ended with another
    one. Each keyword is also an attribute: lists are kept as a tuple or frozenset, users as uids,
    cgroups as paths from the root of the hierarchy.

    Raises:
        TypeError: an argument is of the wrong type, or is not the name of a filter.
        ValueError: an argument is out of range, or no process could pass.
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
    asked: bool
    signals: frozenset[int]
    codes: frozenset[int]
    causes: frozenset[str]
    per_thread: bool
    why: bool
    fields: frozenset[str]

    def __init__(self, **options: "Unpack[keywords.FilterOptions]") -> None:
        if unknown := options.keys() - EVERYTHING.keys():
            raise TypeError(f"there is no filter {', '.join(sorted(unknown))}")
        self._take(
            {
                row.name: self.check(row, options[row.name])  # type: ignore[literal-required]
                for row in FILTERS
                if row.name in options
            }
        )

    @staticmethod
    def check(row: Filter, value: "typing.Any") -> "typing.Any":
        """Return the value of a filter as it is kept. Raises TypeError, ValueError."""
        return row.check(value)

    @classmethod
    def of_checked(cls, values: "dict[str, typing.Any]") -> "Filters":
        """Return the Filters of values that FILTERS has checked. Raises ValueError."""
        filters = cls.__new__(cls)
        filters._take(values)  # noqa: SLF001 - it is of this class
        return filters

    def _take(self, values: "dict[str, typing.Any]") -> None:
        vars(self).update(EVERYTHING, **values)
        if not self.given():
            return
        self._invert()
        if self.causes or self.asked:
            vars(self)["why"] = True
        self._require_sense()

    def _invert(self) -> None:
        """Check what is excluded; replace it by all other values if these can be listed."""
        for name in self.excluding:
            if name not in EXCLUDABLE:
                raise ValueError(
                    f"{name!r} is none of the filters that can be excluded: {', '.join(EXCLUDABLE)}"
                )
            if not getattr(self, name):
                raise ValueError(f"there are no {name} to exclude")
        for row in FILTERS:
            if row.others and row.name in self.excluding:
                left = frozenset(row.others()) - getattr(self, row.name)
                if not left:
                    raise ValueError(f"no {row.name} are left to trace")
                vars(self).update({row.name: left, "excluding": self.excluding - {row.name}})

    def __setattr__(self, name: str, value: object) -> "typing.NoReturn":
        raise AttributeError(f"cannot set {name}: Filters is immutable")

    def __delattr__(self, name: str) -> "typing.NoReturn":
        raise AttributeError(f"cannot delete {name}: Filters is immutable")

    def __eq__(self, other: object) -> bool:
        return vars(self) == vars(other) if isinstance(other, Filters) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(vars(self).values()))

    def __repr__(self) -> str:
        given = {name: getattr(self, name) for name in EVERYTHING if name in self.given()}
        shown = (
            f"{name}={sorted(value) if isinstance(value, frozenset) else value!r}"
            for name, value in given.items()
        )
        return f"Filters({', '.join(shown)})"

    def given(self) -> set[str]:
        """Return the names of the filters that differ from their default."""
        return {name for name, value in vars(self).items() if value != EVERYTHING[name]}

    def _require_sense(self) -> None:
        """Raise ValueError for filters that make no sense together."""
        self.name_globs()
        self.container_globs()
        self._require_kernel()
        if self.max_age is not None and self.max_age < self.min_age:
            raise ValueError("no process can have the age asked for")
        if not (self.signals or self.codes or self.causes):
            return
        signal_set, code_set = self.statuses()
        if not (signal_set or code_set - ({0} if self.failed and not self.asked else set())):
            raise ValueError("no process can end in all of the ways asked for at once")

    def _require_kernel(self) -> None:
        """Raise ValueError for filters that the kernel cannot apply here."""
        if len(self.cgroups) > MAX_CGROUP_FILTERS:
            raise ValueError(f"at most {MAX_CGROUP_FILTERS} cgroups can be filtered by at once")
        if (self.pids or self.tree or self.ppids) and not processes.in_first_namespace("pid"):
            raise ValueError(
                "this process is in a PID namespace of its own, where PIDs are not those of the "
                "host: run exitsnoop on the host, or in a container with the host's PID namespace "
                "(--pid=host)"
            )

    def name_globs(self) -> bytes:
        """Return the names as a struct glob_set of filter_sets.h; b"" without any."""
        if not self.names:
            return b""
        from exitsnoop.filters.globs import compile_globs  # most runs do without

        return compile_globs(self.names)

    def container_globs(self) -> bytes:
        """Return the containers as a struct glob_set. It lets too many pass: see passing().

        What may be a name lets all containers pass: one that has that name may start any time.
        """
        if not self.containers:
            return b""
        from exitsnoop.filters.checks import is_id
        from exitsnoop.filters.globs import compile_parts

        by_id = all(map(is_id, self.containers))
        return compile_parts(self.containers if by_id else _IN_CONTAINERS)

    def groups(self) -> frozenset[str]:
        """Return what must be collected: see fields.COLLECTED."""
        collected = set(groups(self.fields))
        if self.why:
            collected.add("why")
        if self.cgroups or self.containers:
            collected.add("cgroup")
        return frozenset(collected)

    def statuses(self) -> tuple[set[int], set[int]]:
        """Return the signals and the exit codes with which a process passes."""
        from exitsnoop.model.cause import ENDS_WITH_CODE, SIGNALS_OF_KIND  # most runs do without
        from exitsnoop.model.status import SIGNAL_NAMES

        signals, codes = set(SIGNAL_NAMES), set(range(256))
        if self.signals or self.codes:
            signals, codes = set(self.signals), set(self.codes)
        if self.causes:
            signals &= set().union(
                *(SIGNALS_OF_KIND.get(kind, SIGNAL_NAMES) for kind in self.causes)
            )
            codes = codes if ENDS_WITH_CODE & set(self.causes) else set()
        return signals, codes

    def passing(self, exits: "batch.Exits") -> list[bool]:
        """Return whether each of these exits, which the kernel let pass, passes all filters.

        The kernel knows neither causes nor names of containers, and takes any cgroup with the text
        of a container's id.
        """
        if not (self.causes or self.containers):
            return [True] * len(exits)
        from exitsnoop.filters.match import decide  # most runs do without

        return decide(self, ("causes", "containers"), exits)


Filters.__doc__ = f"{Filters.__doc__}\n    Args:\n" + "".join(
    f"        {row.name}: {row.meaning}.\n" for row in FILTERS
)
