"""Counts: exits to counters, of a bounded number of series, that never go back."""

from bisect import bisect_left
from collections import defaultdict
from typing import Any, NamedTuple
from zlib import crc32

from exitsnoop.host.clock import SECOND_NS
from exitsnoop.model.batch import Exits
from exitsnoop.model.cause import KINDS, Cause
from exitsnoop.model.status import SIGNAL_NAMES, signal_name
from exitsnoop.reports.loops import SHORT_NS, Ended
from exitsnoop.ship.answers import is_answer
from exitsnoop.ship.families import (
    BUCKETS,
    COUNTED,
    CPU,
    DEATHS,
    EXITS,
    LAST_DEATH,
    OOM_KILLS,
    SIGNALS,
    Family,
)
from exitsnoop.ship.looping import Looping
from exitsnoop.ship.workloads import NONE, OTHER, Workload, Workloads, workload

FORMAT = 1
RESULTS = ("ok", "code", "signal")
EXPECTED = ("exited", "killed", "abort", "fault", "oom")
"""The causes whose series begin at 0 with the first exit of a workload, however that ended."""
OOM_DAEMONS = frozenset(("earlyoom", "nohang", "oomd", "systemd-oomd"))
"""Programs that kill in user space before the kernel has to."""
_HARMLESS = frozenset("CHLD CONT STOP TSTP TTIN TTOU URG WINCH".split())  # they end no process
_FIRST_REAL_TIME = 32

Labels = tuple[str, ...]


class Example(NamedTuple):
    """The exit that was counted last in a series.

    Attributes:
        pid, comm: of the process.
        wall_ns: when it exited.
    """

    pid: int
    comm: str
    wall_ns: int


class Counts:
    """The counters, and what is needed to go on with them after a restart.

    Args:
        state: what state() returned before; None to begin at 0.

    Attributes:
        values: by the name of a family: its series, by the values of their labels.
        examples: the same, of counters: the exit that each was last increased for.
        lifetimes: by result: how many lived no longer than each of BUCKETS, but longer than the one
            before; then how many lived longer; then the sum of all, in seconds.
        lost: exits that could not be recorded.

    Raises ValueError if the state is damaged.
    """

    def __init__(self, state: "dict[str, Any] | None" = None) -> None:
        self.values: dict[str, dict[Labels, float]] = {
            family.name: defaultdict(int) for family in COUNTED if family.kind != "histogram"
        }
        self.examples: dict[str, dict[Labels, Example]] = defaultdict(dict)
        self.lifetimes: dict[str, list[float]] = {
            result: [0] * (len(BUCKETS) + 2) for result in RESULTS
        }
        self.lost = 0
        self._workloads = Workloads()
        self._looping = Looping()
        self._prepare()
        if state is not None:
            try:
                self._restore(state)
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"the counters cannot be read: {error}") from error

    def _prepare(self) -> None:
        """Begin the usual series at 0, so that Prometheus sees the first increment of each."""
        exits = self.values[EXITS.name]
        for kind in KINDS:
            exits[kind, "signal"] += 0
        del exits["exited", "signal"]
        for result in ("ok", "code"):
            exits["exited", result] += 0
        for number, name in SIGNAL_NAMES.items():
            if number < _FIRST_REAL_TIME and name not in _HARMLESS:
                self.values[SIGNALS.name][f"SIG{name}",] += 0
        for whose in (NONE, OTHER):
            self._begin(whose)

    def _begin(self, whose: Workload) -> None:
        for family, firsts in (
            (DEATHS, EXPECTED),
            (OOM_KILLS, ("cgroup",)),
            (CPU, ("user", "system")),
        ):
            for first in firsts:
                self._add(family, (first, *whose), 0)

    def add(self, exits: Exits) -> None:
        """Count exits; threads that were not the last of their process do not count."""
        every = zip(
            exits.column("last_thread"),
            exits.column("status"),
            exits.column("cause"),
            map(workload, *map(exits.column, ("cgroup", "container_name", "namespace"))),
            exits.column("wall_ns"),
            exits.column("start_boot_ns"),
            exits.column("boot_ns"),
            exits.column("pid"),
            exits.column("comm"),
            exits.column("parent_comm"),
            exits.column("args"),
            exits.column("cpu_user"),
            exits.column("cpu_system"),
            strict=True,
        )
        for is_last, *one in every:
            if is_last:
                self._count(*one)

    def _count(
        self,
        status: int,
        cause: Cause | None,
        wanted: Workload,
        wall_ns: int,
        start_ns: int,
        end_ns: int,
        pid: int,
        comm: str,
        parent: str | None,
        args: "tuple[str, ...] | None",
        user_s: float | None,
        system_s: float | None,
    ) -> None:
        kind = cause.kind if cause else "unknown"
        signal = status & 0x7F
        result = "signal" if signal else "code" if status else "ok"
        example = Example(pid, comm, wall_ns)
        whose = self._admitted(wanted, wall_ns)
        self._increase(EXITS, (kind, result), example)
        lived_ns = end_ns - start_ns
        lifetimes = self.lifetimes[result]
        lifetimes[bisect_left(BUCKETS, lived_ns / SECOND_NS)] += 1
        lifetimes[-1] += lived_ns / SECOND_NS
        self._add(CPU, ("user", *whose), user_s or 0)
        self._add(CPU, ("system", *whose), system_s or 0)
        if not status:
            return
        self._increase(DEATHS, (kind, *whose), example)
        last = self.values[LAST_DEATH.name]
        last[kind,] = max(last[kind,], wall_ns / SECOND_NS)
        if signal:
            self._increase(SIGNALS, (f"SIG{signal_name(signal)}",), example)
        if scope := _oom_scope(cause):
            self._increase(OOM_KILLS, (scope, *whose), example)
        if lived_ns <= SHORT_NS and not is_answer(comm, parent, status, kind):
            death = Ended(wall_ns, lived_ns, kind, status)
            self._looping.add((whose, comm, _checksum(args)), death)

    def _admitted(self, wanted: Workload, wall_ns: int) -> Workload:
        """Return under which workload to count; begin its series if it is new."""
        if wanted == NONE:
            return NONE
        whose, gone = self._workloads.admit(wanted, wall_ns)
        if gone:
            for family in (DEATHS, OOM_KILLS, CPU):
                for series in (self.values[family.name], self.examples[family.name]):
                    for labels in [labels for labels in series if labels[1:] == gone]:
                        del series[labels]
        if ("user", *whose) not in self.values[CPU.name]:
            self._begin(whose)
        return whose

    def _increase(self, family: Family, labels: Labels, example: Example) -> None:
        self._add(family, labels, 1)
        self.examples[family.name][labels] = example

    def _add(self, family: Family, labels: Labels, more: float) -> None:
        self.values[family.name][labels] += more

    def loops(self, wall_ns: int) -> dict[Workload, bool]:
        """Return for each workload whether it is in a crash loop at a time."""
        now = self._looping.now(wall_ns)
        known = [NONE, OTHER, *(one for one, _ in self._workloads.known())]
        return {one: one in now for one in known}

    def state(self) -> dict[str, Any]:
        """Return what is needed to go on, as JSON can write it."""
        return {
            "format": FORMAT,
            "values": {
                name: [[*labels, value] for labels, value in series.items()]
                for name, series in self.values.items()
            },
            "lifetimes": self.lifetimes,
            "workloads": [[*one, last_ns] for one, last_ns in self._workloads.known()],
            "looping": self._looping.state(),
            "lost": self.lost,
        }

    def _restore(self, state: dict[str, Any]) -> None:
        if state["format"] != FORMAT:
            raise ValueError(f"format {state['format']}")
        for name, series in self.values.items():
            for *labels, value in state["values"][name]:
                series[tuple(labels)] = value
        for result, counted in self.lifetimes.items():
            counted[:] = state["lifetimes"][result]
        self._workloads = Workloads(
            [(Workload(*labels), last_ns) for *labels, last_ns in state["workloads"]]
        )
        self._looping = Looping(state.get("looping", ()))  # exitsnoop did not always keep them
        self.lost = state["lost"]


def _checksum(args: "tuple[str, ...] | None") -> int:
    """Return the same number for the same arguments, also in another process, unlike hash()."""
    return crc32(repr(args).encode())


def _oom_scope(cause: Cause | None) -> str:
    """Return what was out of memory; "" if that did not end the process."""
    if cause is None:
        return ""
    if cause.kind == "oom":
        return "cgroup" if cause.oom and cause.oom.cgroup else "system"
    is_daemon = cause.kind == "killed" and cause.sender and cause.sender.comm in OOM_DAEMONS
    return "daemon" if is_daemon else ""
