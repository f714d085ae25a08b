"""FILTERS: every filter, one row each.

A row says what the keyword of Filters and Tracer is, what the option of the command line is, which
values are allowed, whether it can be excluded, and what it decides about recorded exits. The kernel
decides about live ones: kernel/plan.py sets the tunable or map that has the filter's name.
"""

from exitsnoop.filters import checks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    # Takes the values of a row's columns for one exit; returns None if the record cannot tell.
    Decision = Callable[..., "bool | None"]

WHOSE = "what to trace: whose exits"
WHICH = "what to trace: which exits"
SHOWN = "what to show"


class Filter:
    """A filter.

    Attributes:
        name: the keyword, and the attribute of Filters.
        default: the attribute without the keyword: a tuple or a frozenset for a list.
        check_one: checks the value, or each value of a list: see checks.py.
        meaning: one line for --help and the docs.
        flags, metavar, group: its option. Without flags there is none.
        excludable: whether `excluding`, or a ! on the command line, can invert it.
        others: returns all possible values, if excluding can be replaced by a list of the rest.
        check_recorded: as check_one, for a recording: it may be of another machine or boot, so
            nothing is looked up on this one.
        columns: the columns of Exits that it needs to decide.
        decide: takes the attribute, returns the function that decides about one exit. None: the
            filter selects nothing; it says what to report or collect.
    """

    def __init__(
        self,
        name: str,
        default: "Any",
        check_one: "Callable[[Any], Any]",
        meaning: str,
        *,
        flags: tuple[str, ...] = (),
        metavar: str = "",
        group: str = "",
        excludable: bool = False,
        others: "Callable[[], Iterable[Any]] | None" = None,
        check_recorded: "Callable[[Any], Any] | None" = None,
        columns: tuple[str, ...] = (),
        decide: "Callable[[Any], Decision] | None" = None,
    ) -> None:
        self.name = name
        self.default = default
        self.check_one = check_one
        self.meaning = meaning
        self.flags = flags
        self.metavar = metavar
        self.group = group
        self.excludable = excludable
        self.others = others
        self.check_recorded = check_recorded or check_one
        self.columns = columns
        self.decide = decide

    @property
    def is_list(self) -> bool:
        """Whether it takes several values."""
        return isinstance(self.default, (tuple, frozenset))

    def check(self, value: "Any", *, recorded: bool = False) -> "Any":
        """Return the value as Filters keeps it. Raises TypeError, ValueError.

        recorded: it is for a recording.
        """
        check_one = self.check_recorded if recorded else self.check_one
        if not self.is_list:
            return self.default if value is self.default else check_one(value)
        if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
            raise TypeError(f"{self.name} takes a list, not {value!r}")
        return type(self.default)(dict.fromkeys(map(check_one, value)))


def _in(values: "Any") -> "Decision":
    return lambda value: value in values


def _of_user(users: "Any") -> "Decision":
    """Users are uids; in a recording, they may be names."""
    return lambda uid, name: None if uid is None else uid in users or name in users


def _below(pids: "Any") -> "Decision":
    """None for a process that is not below one of them at its exit: it may be an orphan."""
    return lambda pid, above: (
        pid in pids or any(ancestor.pid in pids for ancestor in above or ()) or None
    )


def _named(globs: "Any") -> "Decision":
    from exitsnoop.filters.globs import compile_globs, matches

    compiled = compile_globs(globs)
    return lambda raw_comm: matches(compiled, raw_comm.partition(b"\0")[0])


def _in_cgroup(paths: "Any") -> "Decision":
    import os

    from exitsnoop.model.cgroup import is_cut

    # As a record has them, where invalid UTF-8 is replaced.
    tops = tuple(os.fsencode(path).decode("utf-8", "replace").rstrip("/") + "/" for path in paths)

    def decide(path: str | None) -> bool | None:
        if path is None or (is_cut(path) and "/" not in tops):
            return None
        return f"{path}/".startswith(tops)

    return decide


def _in_container(names: "Any") -> "Decision":
    """None for a container whose names are unknown, if its id does not say it all."""
    from exitsnoop.filters.checks import is_id
    from exitsnoop.model.cgroup import container, is_cut

    by_name = not all(map(is_id, names))

    def decide(path: str | None, name: str | None, pod_name: str | None) -> bool | None:
        if path is None:
            return None
        found = container(path)
        if found is None:
            return None if is_cut(path) else False
        if any(known and known.startswith(names) for known in (found.id, name, pod_name)):
            return True
        return None if by_name and name is None and is_id(found.id) else False

    return decide


def _caused(kinds: "Any") -> "Decision":
    from exitsnoop.model.cause import SIGNALS_OF_KIND
    from exitsnoop.model.status import SIGNAL_NAMES

    possible = set().union(*(SIGNALS_OF_KIND.get(kind, SIGNAL_NAMES) for kind in kinds))

    def decide(cause: "Any", status: int, last_thread: bool) -> bool | None:
        if cause is not None:
            return cause.kind in kinds
        if not last_thread:
            return False
        if not status & 0x7F:
            return "exited" in kinds
        return None if status & 0x7F in possible else False

    return decide


def _asked(cause: "Any", last_thread: bool) -> bool | None:
    from exitsnoop.model.cause import PATIENCE_S, REQUESTS

    if not last_thread:
        return False
    if cause is None:
        return None
    if cause.after is None:
        return bool(cause.reraised) and cause.kind != "fault"
    how, signal, kind, seconds = (
        getattr(cause.after, name) for name in ("handled", "signal", "kind", "seconds")
    )
    return (how, kind != "self") == ("handled", True) and (
        signal in REQUESTS and seconds <= PATIENCE_S
    )


def _all_signals() -> "Iterable[int]":
    return range(1, 65)


def _all_codes() -> "Iterable[int]":
    return range(256)


def _all_causes() -> "Iterable[str]":
    from exitsnoop.model.cause import KINDS

    return KINDS


FILTERS = (
    Filter(
        "pids",
        (),
        checks.pid,
        "trace this PID only (or these PIDs); end when all of them have ended",
        flags=("-p", "--pid"),
        metavar="PID",
        group=WHOSE,
        columns=("pid",),
        decide=_in,
    ),
    Filter(
        "tree",
        (),
        checks.pid,
        "trace these processes and all their descendants, orphans included; end when all of them "
        "have ended",
        flags=("--tree",),
        metavar="PID",
        group=WHOSE,
        columns=("pid", "ancestors"),
        decide=_below,
    ),
    Filter(
        "ppids",
        (),
        checks.pid,
        "trace processes that are children of these when they exit; end when these have ended",
        flags=("-P", "--ppid"),
        metavar="PID",
        group=WHOSE,
        excludable=True,
        columns=("ppid",),
        decide=_in,
    ),
    Filter(
        "users",
        frozenset(),
        checks.user,
        "trace processes of these users, by name or uid",
        flags=("-u", "--user"),
        metavar="USER",
        group=WHOSE,
        excludable=True,
        check_recorded=checks.recorded_user,
        columns=("uid", "user"),
        decide=_of_user,
    ),
    Filter(
        "names",
        (),
        checks.text,
        "trace processes with these names (PCOMM), or with names like 'python*'",
        flags=("-n", "--name"),
        metavar="GLOB",
        group=WHOSE,
        excludable=True,
        columns=("raw_comm",),
        decide=_named,
    ),
    Filter(
        "cgroups",
        (),
        checks.cgroup,
        "trace processes in these cgroups and below: /system.slice, or a directory",
        flags=("-c", "--cgroup"),
        metavar="PATH",
        group=WHOSE,
        excludable=True,
        check_recorded=checks.recorded_cgroup,
        columns=("cgroup",),
        decide=_in_cgroup,
    ),
    Filter(
        "containers",
        (),
        checks.container,
        "trace processes in containers whose ID, name or pod's name starts like this",
        flags=("--container",),
        metavar="ID|NAME",
        group=WHOSE,
        excludable=True,
        columns=("cgroup", "container_name", "pod_name"),
        decide=_in_container,
    ),
    Filter(
        "min_age",
        0.0,
        checks.seconds,
        "trace only processes that ran for at least TIME",
        flags=("--min-age",),
        metavar="TIME",
        group=WHOSE,
        columns=("boot_ns", "start_boot_ns"),
        decide=lambda age: lambda end, start: end - start >= round(age * 1_000_000_000),
    ),
    Filter(
        "max_age",
        None,
        checks.seconds,
        "trace only processes that ran for at most TIME",
        flags=("--max-age",),
        metavar="TIME",
        group=WHOSE,
        columns=("boot_ns", "start_boot_ns"),
        decide=lambda age: lambda end, start: end - start <= round(age * 1_000_000_000),
    ),
    Filter(
        "failed",
        False,
        checks.flag,
        "trace only fails, exclude exit(0)",
        flags=("-x", "--failed"),
        group=WHICH,
        columns=("status",),
        decide=lambda _: lambda status: status != 0,
    ),
    Filter(
        "asked",
        False,
        checks.flag,
        "trace only what handled a signal that asks to end, and ended within 90 s; with -x, trace "
        "that, too; turns on why",
        flags=("--asked",),
        group=WHICH,
        columns=("cause", "last_thread"),
        decide=lambda _: _asked,
    ),
    Filter(
        "per_thread",
        False,
        checks.flag,
        "trace per thread termination",
        flags=("--per-thread",),
        group=WHICH,
    ),
    Filter(
        "signals",
        frozenset(),
        checks.signal,
        "trace only processes that one of these signals ended",
        flags=("--signal",),
        metavar="NAME|N",
        group=WHICH,
        excludable=True,
        others=_all_signals,
        columns=("status",),
        decide=lambda signals: lambda status: status & 0x7F in signals,
    ),
    Filter(
        "codes",
        frozenset(),
        checks.code,
        "trace only processes that exited with one of these codes (or, with signals, that one of "
        "those ended)",
        flags=("--code",),
        metavar="N[-M]",
        group=WHICH,
        excludable=True,
        others=_all_codes,
        columns=("status",),
        decide=lambda codes: lambda status: not status & 0x7F and status >> 8 in codes,
    ),
    Filter(
        "causes",
        frozenset(),
        checks.cause,
        "trace only processes that ended for one of these kinds of cause; turns on why",
        flags=("--cause",),
        metavar="KIND",
        group=WHICH,
        excludable=True,
        others=_all_causes,
        columns=("cause", "status", "last_thread"),
        decide=_caused,
    ),
    Filter(
        "excluding",
        frozenset(),
        checks.text,
        "names of filters: trace all processes except those that these filters name",
    ),
    Filter(
        "why",
        False,
        checks.flag,
        "find out who or what ended each process",
        flags=("-w", "--why"),
        group=SHOWN,
    ),
    Filter(
        "fields",
        frozenset(),
        checks.field,
        "collect these attributes of Exit, of those from `uid` on; `args` and `exe` cost a program "
        "at every exec and fork",
    ),
)
