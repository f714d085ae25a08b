"""Filters over recorded exits decide what the kernel decides over live ones."""

import contextlib
import os
import random
import resource
import select
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support.cgroups import mounts
from support.machine import need
from support.stage import Stage
from support.waiting import PATIENCE_S

from exitsnoop import Exit, Filters, Tracer
from exitsnoop.filters.filters import EVERYTHING
from exitsnoop.filters.match import match
from exitsnoop.model.batch import Exits

FIELDS = ["uid", "cgroup", "ancestors"]
TRACERS = 20  # at a time, each with filters of its own
PARENTS, EARLY, LATE = 5, 8, 12  # children of each parent: forked before, and while, it is traced
MARGIN_NS = 20_000_000  # the kernel asks for the age a moment before the time of the exit
ID = "0123456789abcdef" * 4

NAMES = (b"worker", b"worker-1", b"worker-22", b"Worker", b"*", b"a b", b"caf\xc3\xa9", b"\xff\xfe")
GLOBS = (
    "worker",
    "worker*",
    "worker-?",
    "[!w]*",
    "\\*",
    "* *",
    "caf?",
    "caf??",
    "*[0-9]",
    "?\udcfe",
)
UIDS = (0, 54321, 65534, 3_999_999_999)
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGABRT, signal.SIGPIPE, 37)
CODES = (0, 0, 0, 1, 3, 127, 255)
KINDS = ("exited", "self", "abort", "unknown", "killed", "fault")


class Life(NamedTuple):
    """What a process becomes before it ends."""

    name: bytes
    uid: int
    procs: str | None  # of the cgroup to move to
    seconds: float
    code: int
    signal: int


def become_and_end(life: Life) -> None:
    """Live it. Nothing of the test's may run on in here."""
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if life.procs:
            Path(life.procs).write_text(str(os.getpid()))
        Path("/proc/self/comm").write_bytes(life.name)
        os.setresuid(life.uid, life.uid, life.uid)
        time.sleep(life.seconds)
        if life.signal:
            if life.signal != signal.SIGKILL:
                signal.signal(life.signal, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [life.signal])
            os.kill(os.getpid(), life.signal)
        os._exit(life.code)
    finally:
        os._exit(99)


class Parent:
    """A process with children that wait for go(), and others that it forks then.

    It ends after they have. With `orphans`, it leaves the last one as an orphan.
    """

    def __init__(self, early: list[Life], late: list[Life], *, orphans: bool) -> None:
        told, tell = os.pipe()
        self._gate, self._go = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(told)
                os.close(self._go)
                self._live(early, late, tell, orphans=orphans)
            finally:
                os._exit(98)
        os.close(tell)
        os.close(self._gate)
        with open(told, encoding="ascii") as lines:
            self.early = [int(line) for line in lines]
        assert len(self.early) == len(early)

    def _live(self, early: list[Life], late: list[Life], tell: int, *, orphans: bool) -> None:
        pids = []
        for life in early:
            pids.append(os.fork())
            if not pids[-1]:
                os.close(tell)
                os.read(self._gate, 1)  # until nobody has the other end
                become_and_end(life)
        os.write(tell, "".join(f"{pid}\n" for pid in pids).encode())
        os.close(tell)
        os.read(self._gate, 1)
        for life in late:
            pids.append(os.fork())
            if not pids[-1]:
                become_and_end(life)
        for pid in pids[: -1 if orphans else None]:
            os.waitpid(pid, 0)
        os._exit(0)

    def go(self) -> None:
        os.close(self._go)

    def wait(self) -> None:
        pidfd = os.pidfd_open(self.pid)
        try:
            assert select.select([pidfd], [], [], PATIENCE_S)[0], "it does not end"
        finally:
            os.close(pidfd)
        assert os.waitpid(self.pid, 0)[1] == 0


def random_life(chance: random.Random, groups: list[Path]) -> Life:
    group = chance.choice([None, *groups])
    return Life(
        chance.choice(NAMES),
        chance.choice(UIDS),
        str(group / "cgroup.procs") if group else None,
        chance.choice((0, 0, 0.1, 0.2, 0.4)),
        chance.choice(CODES),
        chance.choice(SIGNALS) if chance.random() < 0.4 else 0,
    )


def random_filters(chance: random.Random, parents: list[Parent], groups: list[Path]) -> Filters:
    """Return some that make sense."""
    early = [pid for parent in parents for pid in (parent.pid, *parent.early)]
    above = [parent.pid for parent in parents]
    values: dict[str, Any] = {
        "pids": lambda: chance.sample(early, k=chance.randint(5, len(early))),
        "tree": lambda: chance.sample(above, k=chance.randint(1, 3)),
        "ppids": lambda: chance.sample(above, k=chance.randint(1, 3)),
        "users": lambda: chance.sample(UIDS, k=chance.randint(1, 2)),
        "names": lambda: chance.sample(GLOBS, k=chance.randint(1, 3)),
        "cgroups": lambda: [str(group) for group in chance.sample(groups, k=2)],
        # Less of an id could be a name, and names are not recorded here.
        "containers": lambda: [chance.choice((ID[:12], "f" + ID[1:13], ID[1:14]))],
        "min_age": lambda: chance.choice((0.05, 0.15, 0.3)),
        "max_age": lambda: chance.choice((0.15, 0.3, 3600)),
        "failed": lambda: True,
        "asked": lambda: True,
        "signals": lambda: chance.sample(SIGNALS, k=2),
        "codes": lambda: [*chance.sample(range(256), k=20), chance.choice(CODES)],
        "causes": lambda: chance.sample(KINDS, k=2),
    }
    while True:
        names = chance.sample(sorted(values), k=chance.choice((1, 1, 2, 2, 3, 4)))
        options = {name: values[name]() for name in names}
        options.setdefault("tree", [os.getpid()])  # others' exits would fill the buffers
        listed = {"ppids", "users", "names", "cgroups", "containers", "signals", "codes", "causes"}
        options["excluding"] = [name for name in names if name in listed and chance.random() < 0.35]
        with contextlib.suppress(ValueError):  # nothing could pass
            return Filters(**options)


def near_an_edge(filters: Filters, record: Exit) -> bool:
    """Whether the kernel may have found another age on the other side of a limit."""
    age = record.boot_ns - record.start_boot_ns
    limits = [filters.min_age, *([] if filters.max_age is None else [filters.max_age])]
    return any(limit and abs(age - limit * 1e9) < MARGIN_NS for limit in limits)


def top() -> Path:
    """Return where the cgroups are that exitsnoop shows."""
    found = {
        kind: path for path, kind, options in mounts() if kind == "cgroup2" or "pids" in options
    }
    need(bool(found), "a cgroup file system")
    return found.get("cgroup2") or found["cgroup"]


@pytest.fixture
def groups(life: Stage) -> list[Path]:
    """Cgroups: one in another, a namesake's neighbour, and two with the name of a container's."""
    first = life.cgroup(top())
    inner = life.cgroup(first, "inner a:b%c")
    longer = life.cgroup(top(), f"{first.name}b")
    one = life.cgroup(longer, f"docker-{ID}.scope")
    other = life.cgroup(first, f"docker-f{ID[1:]}.scope")
    return [first, inner, longer, one, life.cgroup(one, "init.scope"), other]


@contextlib.contextmanager
def traced(many: list[Filters]) -> Iterator[list[list[Exit]]]:
    """Trace all of them at once; the lists are complete after the block."""
    exits: list[list[Exit]] = [[] for _ in many]
    with contextlib.ExitStack() as stack:
        tracers = [stack.enter_context(Tracer(filters)) for filters in many]
        yield exits
        for tracer, found in zip(tracers, exits, strict=True):
            tracer.stop()
            found.extend(tracer)
            assert not tracer.lost


def of_these(parents: list[Parent], orphan: int, exits: list[Exit]) -> Iterator[Exit]:
    """Iterate over the exits of the parents and their children; PIDs may have been used again."""
    families = {parent.pid for parent in parents}
    ended: set[int] = set()
    for record in exits:
        is_parent = record.pid in families and record.ppid == os.getpid()
        is_orphan = record.pid == orphan and record.ppid == os.getpid()
        if is_parent or is_orphan or record.ppid in families - ended:
            yield record
        if is_parent:
            ended.add(record.pid)


@pytest.mark.parametrize("seed", range(5))
def test_the_same_exits(life: Stage, groups: list[Path], seed: int) -> None:
    """Hundreds of processes, a hundred filters in all: each selects the same live and recorded."""
    assert life
    chance = random.Random(seed)
    parents = [
        Parent(
            [random_life(chance, groups) for _ in range(EARLY)],
            [random_life(chance, groups) for _ in range(LATE)],
            orphans=number == 0,
        )
        for number in range(PARENTS)
    ]
    everything = Filters(tree=[os.getpid()], fields=FIELDS, why=True)
    many = [random_filters(chance, parents, groups) for _ in range(TRACERS)]
    with traced([everything, *many]) as (recorded, *selected):
        for parent in parents:
            parent.go()
        for parent in parents:
            parent.wait()
        orphan = os.waitpid(-1, 0)[0]
    ours = list(of_these(parents, orphan, recorded))
    assert len(ours) == PARENTS * (1 + EARLY + LATE)
    outcomes: Counter[bool | None] = Counter()
    for filters, live in zip(many, selected, strict=True):
        passed = {(e.pid, e.start_boot_ns) for e in live}
        verdicts = match(filters, Exits.of(ours))
        for record, verdict in zip(ours, verdicts, strict=True):
            key = record.pid, record.start_boot_ns
            if near_an_edge(filters, record):
                continue
            outcomes[verdict] += 1
            if verdict is None:
                assert filters.tree, (filters, record)
                # The orphan is the only one that is not below its family any more.
                assert key not in passed or record.pid == orphan, (filters, record)
            else:
                assert verdict == (key in passed), (
                    filters,
                    record,
                    record.uid,
                    record.cgroup,
                    record.cause,
                )
    assert outcomes[True] > 20, outcomes
    assert outcomes[False] > 20, outcomes


def test_every_filter_is_put_to_the_test() -> None:
    """So that a new one is not forgotten above."""
    made = {
        name
        for seed in range(40)
        for name in random_filters(
            random.Random(seed), FAKE_PARENTS, [Path("/"), Path("/")]
        ).given()
    }
    assert made == set(EVERYTHING) - {"per_thread", "fields"}


class _FakeParent:
    pid, early = 2, [3, 4, 5, 6, 7, 8]


FAKE_PARENTS: list[Any] = [_FakeParent] * 3
