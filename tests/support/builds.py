"""Builds that are made up: lives of processes, by which their time lines are known."""

import itertools
import random
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from exitsnoop.model.batch import Exits
from exitsnoop.model.cause import Cause, Sender
from exitsnoop.reports.timeline.gathering import Gathering
from exitsnoop.reports.timeline.timeline import About, Timeline, timeline
from exitsnoop.reports.timeline.tree import Tree, tree
from support.recorded import EXITED, SECOND_NS, START_NS, exits

NOW_NS = 1_795_744_800 * SECOND_NS
Life = tuple[int, int, float, float, str]
"""PID, PPID, when it began and ended in seconds, its name."""
# make starts two compilers at once, then the linker; cc1 is below the first.
BUILD: list[Life] = [
    (10, 1, 0, 10, "make"),
    (11, 10, 0.5, 6, "cc"),
    (12, 11, 1, 5.5, "cc1"),
    (13, 10, 0.5, 4, "cc"),
    (14, 10, 6.5, 9, "ld"),
]


def ended(lives: Iterable[Life], **columns: object) -> Exits:
    """Return the exits of lives."""
    lives = [*lives]
    made = exits(
        [pid for pid, *_ in lives],
        ppid=[ppid for _, ppid, *_ in lives],
        start_boot_ns=[START_NS + round(begin * SECOND_NS) for _, _, begin, _, _ in lives],
        boot_ns=[START_NS + round(end * SECOND_NS) for _, _, _, end, _ in lives],
        raw_comm=[name.encode().ljust(16, b"\0") for *_, name in lives],
        status=0,
        cause=None,
    )
    return made.replace(**columns) if columns else made  # type: ignore[arg-type]


def grown(lives: Iterable[Life], **columns: object) -> Tree:
    """Return the tree of lives."""
    return tree([("", one) for one in ended(lives, **columns)])


def line(
    batch: Exits, command: int | None = 10, from_ns: int | None = None, **about: object
) -> Timeline:
    """Return the time line of exits; about: what About has besides."""
    counts = Gathering()
    counts.add(batch)
    about = {"title": "make -j8 check", **about}
    return timeline(counts, About(command=command, from_ns=from_ns, now_ns=NOW_NS, **about))  # type: ignore[arg-type]


class Job(NamedTuple):
    """A process of a build: what it is, how it ended."""

    life: Life
    args: tuple[str, ...]
    status: int = 0
    cause: Cause = EXITED
    cpu_s: float = 0.0
    max_rss: int = 0


def project(sources: int = 300, jobs: int = 8) -> Timeline:
    """Return the time line of `make -j8` of a project in C, with tests: always the same one.

    One test fails, one that hangs is killed by its runner, and both end make with 2.
    """
    chance = random.Random(17)
    made: list[Job] = []
    pids = itertools.count(4100)
    top = next(pids)

    def process(above: int, begin: float, end: float, *args: str, **more: Any) -> int:
        pid = next(pids)
        name = args[0].rpartition("/")[2]
        made.append(Job((pid, above, begin, end, name), args, **more))
        return pid

    def compiled(nth: int, begin: float, took: float) -> float:
        file = f"src/{_PARTS[nth % len(_PARTS)]}_{nth // len(_PARTS)}"
        end = begin + took
        gcc = process(top, begin, end, "gcc", "-O2", "-c", f"{file}.c", "-o", f"{file}.o")
        parsed = begin + 0.9 * took
        rss = round((40 + 60 * took) * 2**20)
        cpu_s = 0.85 * took
        process(gcc, begin + 0.004, parsed, "cc1", f"{file}.c", cpu_s=cpu_s, max_rss=rss)
        process(gcc, parsed + 0.002, end - 0.003, "as", f"{file}.s", cpu_s=0.06 * took)
        return end

    free = [0.12] * jobs
    for nth in range(sources):
        took = 0.08 + chance.expovariate(2.2) if nth != 211 else 6.4
        slot = free.index(min(free))
        free[slot] = compiled(nth, free[slot] + 0.006, took)
    built = max(free) + 0.01
    archived = built + 0.35
    process(top, built, archived, "ar", "rcs", "libstore.a", cpu_s=0.2)
    gcc = process(top, archived + 0.01, archived + 1.9, "gcc", "-o", "store", "libstore.a")
    linked = archived + 1.88
    process(gcc, archived + 0.02, linked, "ld", "-o", "store", cpu_s=1.6, max_rss=310 << 20)
    linked += 0.03
    free = [linked] * jobs
    for nth in range(48):
        begin = min(free)
        failed = nth == 19
        hangs = nth == 30
        took = 4.0 if hangs else 0.05 + chance.expovariate(3)
        end = begin + took
        code = 256 if failed or hangs else 0
        how = Cause("exited", "exit code 1") if code else EXITED
        runner = process(top, begin, end, "sh", "run-test", _test(nth), status=code, cause=how)
        if hangs:
            sender = Sender(runner, top, "sh", 1000, ("sh", "run-test", _test(nth)))
            how = Cause("killed", f"killed by sh[{runner}]", sender, "kill")
            code = 9
        process(
            runner,
            begin + 0.004,
            end - 0.004,
            f"tests/{_test(nth)}",
            status=code,
            cause=how,
            cpu_s=0.5 * took,
            max_rss=9 << 20,
        )
        free[free.index(begin)] = end
    end = max(free) + 0.02
    failed_make = Cause("exited", "exit code 2")
    life = (top, 3900, 0.0, end, "make")
    made.append(Job(life, ("make", f"-j{jobs}", "check"), 512, failed_make, 0.4, 12 << 20))
    return line(_exits(made), top, without=(3900,))


_PARTS = ("btree", "cache", "codec", "index", "journal", "lock", "pager", "query", "sort", "wal")


def _test(nth: int) -> str:
    return f"test_{_PARTS[nth % len(_PARTS)]}_{nth // len(_PARTS)}"


def _exits(made: Sequence[Job]) -> Exits:
    return ended(
        [one.life for one in made],
        args=[one.args for one in made],
        status=[one.status for one in made],
        cause=[one.cause for one in made],
        cpu_user=[one.cpu_s for one in made],
        cpu_system=[0.1 * one.cpu_s for one in made],
        max_rss=[one.max_rss or 2 << 20 for one in made],
    )
