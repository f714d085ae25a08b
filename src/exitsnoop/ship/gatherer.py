"""What Prometheus asks for: the counters, and how everything stands, as families of samples.

This module needs prometheus-client (the extra `prometheus`).
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString

from exitsnoop.host.clock import SECOND_NS
from exitsnoop.ship.counts import Counts, Example, Labels
from exitsnoop.ship.families import (
    BUCKETS,
    BUILD,
    BYTES,
    COUNTED,
    LAG,
    LIFETIME,
    LOOPS,
    LOST,
    RECORDS,
    RUNNING,
    Family,
)
from exitsnoop.ship.tally import Tally

_PREFIX = "exitsnoop_"


class Standing(NamedTuple):
    """How the recording stands.

    Attributes:
        version: of exitsnoop.
        bytes: the size of the recording.
        is_recorded: whether a recorder runs.
    """

    version: str
    bytes: int
    is_recorded: bool


class Gatherer:
    """Gives all metrics as they are at the moment. Threads may share it.

    A series that came up since the last time is given as 0 first: Prometheus sees no increase in
    the first sample of a series. From the next time on it has its value.

    Args:
        counts: the counters.
        standing: looks up how the recording stands.
        tallies: returns those of all destinations, by their kind.
        now_ns: returns the time, nanoseconds since the epoch.

    Attributes:
        counts: the counters; hold `lock` to change them.
    """

    def __init__(
        self,
        counts: Counts,
        standing: Callable[[], Standing],
        tallies: Callable[[], Mapping[str, Tally]],
        now_ns: Callable[[], int],
    ) -> None:
        self.lock = threading.Lock()
        self._standing = standing
        self._tallies = tallies
        self._now_ns = now_ns
        self._given: dict[str, set[Labels]] = {}
        self.go_on(counts)

    def go_on(self, counts: Counts) -> None:
        """Give these counters from now on; all their series were given before."""
        with self.lock:
            self.counts = counts
            self._given = {name: set(series) for name, series in counts.values.items()}

    def collect(self) -> Iterator[Metric]:
        """Yield each family."""
        standing = self._standing()
        with self.lock:
            return iter([*map(self._counted, COUNTED), *self._looked_up(standing)])

    def _counted(self, family: Family) -> Metric:
        if family is LIFETIME:
            return self._lifetimes()
        series = self.counts.values[family.name]
        made = _metric(family, series)
        if family.kind == "counter":
            given, examples = self._given[family.name], self.counts.examples[family.name]
            for nth, (labels, sample) in enumerate(zip(series, made.samples, strict=True)):
                if labels not in given:
                    made.samples[nth] = sample._replace(value=0)
                elif labels in examples:
                    made.samples[nth] = sample._replace(exemplar=_exemplar(examples[labels]))
            self._given[family.name] = set(series)
        return made

    def _lifetimes(self) -> Metric:
        made = HistogramMetricFamily(
            f"{_PREFIX}{LIFETIME.name}", LIFETIME.words, labels=LIFETIME.labels
        )
        bounds = [*map(floatToGoString, BUCKETS), "+Inf"]
        for result, (*counted, total_s) in self.counts.lifetimes.items():
            made.add_metric([result], [*zip(bounds, accumulate(counted), strict=True)], total_s)
        return made

    def _looked_up(self, standing: Standing) -> Iterator[Metric]:
        loops = self.counts.loops(self._now_ns())
        tallies = self._tallies()
        yield _metric(LOOPS, {tuple(whose): looping for whose, looping in loops.items()})
        yield _metric(LOST, {(): self.counts.lost})
        yield _metric(RUNNING, {(): standing.is_recorded})
        yield _metric(BYTES, {(): standing.bytes})
        yield _metric(LAG, {(sink,): tally.lag_s for sink, tally in tallies.items()})
        yield _metric(
            RECORDS,
            {
                (sink, outcome): count
                for sink, tally in tallies.items()
                for outcome, count in tally.totals().items()
            },
        )
        yield _metric(BUILD, {(standing.version,): 1})


def _metric(
    family: Family, series: "Mapping[Labels, float] | None" = None
) -> CounterMetricFamily | GaugeMetricFamily:
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    made = kind(f"{_PREFIX}{family.name}", family.words, labels=family.labels)
    for labels, value in (series or {}).items():
        made.add_metric(labels, value)
    return made


def _exemplar(example: Example) -> Exemplar:
    """Return the exit that counted last: `exitsnoop why PID` says more about it."""
    labels = {"pid": str(example.pid), "comm": example.comm}
    return Exemplar(labels, 1, round(example.wall_ns / SECOND_NS, 3))


def registry(gatherer: Gatherer) -> CollectorRegistry:
    """Return the registry of the metrics, and of nothing else."""
    made = CollectorRegistry(auto_describe=False)
    made.register(gatherer)
    return made
