"""How long processes lived, and what those that lived shortly used, by program and place."""

from collections import defaultdict
from typing import NamedTuple

from exitsnoop.model.outcomes import outcome
from exitsnoop.reports.overview.asking import ENDED, Asking
from exitsnoop.reports.overview.whose import MOST, Whose, whose

EDGES_S = tuple(
    float(f"{digit}e{power}")
    for power in range(-4, 7)
    for digit in (1, 3)
    if (power, digit) < (6, 3)
)
"""Between these lifetimes, in seconds, are the bars; one more is below them, one above."""
SHORT_S = 60
"""Processes that lived no longer than that are short-lived."""
_BUCKET = (
    "CASE "
    + " ".join(f"WHEN age < {edge!r} THEN {nth}" for nth, edge in enumerate(EDGES_S))
    + f" ELSE {len(EDGES_S)} END"
)


class Lived(NamedTuple):
    """How many processes lived how long, by EDGES_S.

    Attributes:
        well: those that ended with exit(0).
        failed: for the name of each outcome, those that failed.
    """

    well: list[int]
    failed: dict[str, list[int]]


class Used(NamedTuple):
    """What the short-lived processes of a program used.

    Attributes:
        whose: whose they are.
        processes: how many.
        cpu_s: their CPU time in all, seconds; None if it was not collected.
        max_rss: the most memory that one of them had, bytes; None if it was not collected.
        failed: how many of them failed.
    """

    whose: Whose
    processes: int
    cpu_s: float | None
    max_rss: int | None
    failed: int


def lives(asking: Asking) -> tuple[Lived, list[Used]]:
    """Return both; what used most CPU time is first."""
    size = len(EDGES_S) + 1
    well = [0] * size
    failed: dict[str, list[int]] = defaultdict(lambda: [0] * size)
    used: dict[Whose, Used] = {}
    for comm, cgroup, bucket, kind, is_short, count, cpu_s, rss in asking.complete(
        "measuring lifetimes, memory and CPU time",
        f"SELECT comm, cgroup, {_BUCKET}, "
        "CASE WHEN failed = 1 THEN ifnull(cause, '') END, "
        f"age <= {SHORT_S}, count(*), sum(cpu_user + cpu_system), max(max_rss) FROM exits "
        f"WHERE {ENDED} GROUP BY comm, cgroup, 3, 4, 5",
    ):
        (well if kind is None else failed[outcome(kind).name])[bucket] += count
        if is_short:
            of = whose(comm, cgroup)
            before = used.get(of, Used(of, 0, None, None, 0))
            used[of] = Used(
                of,
                before.processes + count,
                cpu_s if before.cpu_s is None else before.cpu_s + (cpu_s or 0),
                rss if before.max_rss is None else max(before.max_rss, rss or 0),
                before.failed + (0 if kind is None else count),
            )
            if len(used) > 2 * MOST:
                used = _most(used)
    return Lived(well, dict(failed)), sorted(used.values(), key=lambda one: -(one.cpu_s or 0))


def _most(used: dict[Whose, Used]) -> dict[Whose, Used]:
    """Return those that used most CPU time, and those that had most memory."""
    by_cpu = sorted(used.values(), key=lambda one: -(one.cpu_s or 0))
    by_rss = sorted(used.values(), key=lambda one: -(one.max_rss or 0))
    return {one.whose: one for one in (*by_cpu[: MOST // 2], *by_rss[: MOST // 2])}
