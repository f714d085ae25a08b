"""What causes prove, counted: killers and victims, limits that ran full, places of crashes."""

from collections.abc import Iterable
from json import loads
from typing import NamedTuple

from exitsnoop.model.callers import caller
from exitsnoop.model.cause import At
from exitsnoop.reports.overview.asking import FAILED, Asking, among
from exitsnoop.store.view import ALWAYS

_CRASHES = ("fault", "abort", "seccomp", "self")
_CALLED = ("abort", "self")  # of these, who called it says more
_MOST = 1000


class Kills(NamedTuple):
    """How often a program killed another.

    Attributes:
        sender, uid: the name of the killer, and its user.
        comm: the name of what was killed.
        signal: the name of the signal, such as "SIGTERM".
        times: how many.
        first_ns, last_ns: when the first and the last was, nanoseconds since the epoch.
    """

    sender: str | None
    uid: int | None
    comm: str
    signal: str
    times: int
    first_ns: int
    last_ns: int


class Full(NamedTuple):
    """How often the OOM killer took a process of a cgroup, and what it found the last time.

    Attributes:
        cgroup: the cgroup whose limit was hit; None if the whole system was out of memory.
        times: how many it took.
        first_ns, last_ns: when the first and the last was, nanoseconds since the epoch.
        comm, pid: what it took last.
        limit: the limit, bytes.
        anon, file, shmem: what that process held, bytes.
        cgroup_anon, cgroup_file, cgroup_shmem, cgroup_kernel, cgroup_sock: what the cgroup held:
            memory of its processes, page cache, shared memory, and what the kernel kept for it.
        trigger: the name of the process that had asked for memory.
    """

    cgroup: str | None
    times: int
    first_ns: int
    last_ns: int
    comm: str
    pid: int
    limit: int | None
    anon: int | None
    file: int | None
    shmem: int | None
    cgroup_anon: int | None
    cgroup_file: int | None
    cgroup_shmem: int | None
    cgroup_kernel: int | None
    cgroup_sock: int | None
    trigger: str | None


class Crash(NamedTuple):
    """A signature: crashes that are alike.

    Attributes:
        exe: the executable, or the name if that is unknown.
        signal: the name of the signal.
        cause: the kind of cause.
        code: the si_code by name.
        access: what was tried at the address.
        module, function: where it was, as far as that is known; of abort(), who called it. The name
            of a function is as in the file.
        called: whether that is who called it.
        times: how many in the period.
        before: how many in the period before it.
        first_ns, last_ns: the first and the last that is recorded, nanoseconds since the epoch.
    """

    exe: str
    signal: str
    cause: str
    code: str | None
    access: str | None
    module: str | None
    function: str | None
    called: bool
    times: int
    before: int
    first_ns: int
    last_ns: int


def kills(asking: Asking) -> list[Kills]:
    """Return which process killed which, the most frequent first."""
    rows = asking.during(
        "counting kills",
        "SELECT cause_sender_comm, cause_sender_uid, comm, signal_name, count(*), min(wall_ns), "
        f"max(wall_ns) FROM exits WHERE {FAILED} AND cause = 'killed' GROUP BY 1, 2, 3, 4 "
        f"ORDER BY 5 DESC LIMIT {_MOST}",
    )
    return sorted([Kills(*row) for row in rows], key=lambda one: (-one.times, -one.last_ns))


def full(asking: Asking) -> list[Full]:
    """Return which limits were hit, the most frequent first."""
    counts = [
        *asking.during(
            "looking at OOM kills",
            "SELECT cause_oom_cgroup, count(*), min(wall_ns), max(wall_ns), max(id) FROM exits "
            f"WHERE {FAILED} AND cause = 'oom' GROUP BY 1 ORDER BY 2 DESC LIMIT {_MOST}",
        )
    ]
    if not counts:
        return []
    numbers = ", ".join(str(int(row[-1])) for row in counts)
    last = {
        number: cells
        for number, *cells in asking.during(
            "looking at OOM kills",
            "SELECT id, comm, pid, cause_oom_limit, cause_oom_anon, cause_oom_file, "
            "cause_oom_shmem, cause_oom_cgroup_anon, cause_oom_cgroup_file, "
            "cause_oom_cgroup_shmem, cause_oom_cgroup_kernel, cause_oom_cgroup_sock, "
            f"cause_oom_trigger_comm FROM exits WHERE id IN ({numbers})",
        )
    }
    found = [Full(*row, *last[number]) for *row, number in counts if number in last]
    return sorted(found, key=lambda one: (-one.times, -one.last_ns))


def crashes(asking: Asking) -> list[Crash]:
    """Return the signatures of crashes, the most frequent first."""
    period = asking.period
    found: dict[tuple[object, ...], Crash] = {}
    for exe, signal, cause, code, access, module, function, stack, *figures in asking.rows(
        "comparing crashes",
        "SELECT ifnull(exe, comm), signal_name, cause, cause_si_code, cause_access, "
        f"cause_at_module, cause_at_function, CASE WHEN {among('cause', _CALLED)} THEN cause_stack "
        f"END, sum(wall_ns BETWEEN {period.from_ns} AND {period.to_ns - 1}), "
        f"sum(wall_ns BETWEEN {period.against_ns} AND {period.from_ns - 1}), "
        f"min(wall_ns), max(wall_ns) FROM exits WHERE {FAILED} AND {among('cause', _CRASHES)} "
        "GROUP BY 1, 2, 3, 4, 5, 6, 7, 8",
        ALWAYS,
    ):
        by = caller(At(**at) for at in loads(stack)) if stack else None
        if by is not None:
            module, function = by.module, by.function
        if function is not None:
            code = access = None
        one = Crash(exe, signal, cause, code, access, module, function, by is not None, *figures)
        found[one[:8]] = _together(one, found.get(one[:8], one._replace(times=0, before=0)))
        if len(found) > 2 * _MOST:
            found = {each[:8]: each for each in _most(found.values())}
    return _most(one for one in found.values() if one.times)


def _together(one: Crash, other: Crash) -> Crash:
    return one._replace(
        times=one.times + other.times,
        before=one.before + other.before,
        first_ns=min(one.first_ns, other.first_ns),
        last_ns=max(one.last_ns, other.last_ns),
    )


def _most(found: Iterable[Crash]) -> list[Crash]:
    return sorted(found, key=lambda one: (-one.times, -one.last_ns))[:_MOST]
