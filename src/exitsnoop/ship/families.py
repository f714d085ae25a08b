"""The families of metrics: their names, types, labels and meaning, each said once."""

from typing import NamedTuple


class Family(NamedTuple):
    """A family of series.

    Attributes:
        name: without the prefix `exitsnoop_` and the suffix of counters, `_total`.
        kind: "counter", "gauge" or "histogram".
        labels: the names of its labels.
        words: what it counts or shows, for people.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    words: str


_WHOSE = ("namespace", "workload")

EXITS, SIGNALS, DEATHS, OOM_KILLS, CPU, LAST_DEATH, LIFETIME = COUNTED = (
    Family(
        *("exits", "counter", ("cause", "result")),
        "Processes that ended, by the kind of cause and the result: ok, code or signal",
    ),
    Family(*("signals", "counter", ("signal",)), "Processes that a signal ended"),
    Family(
        *("deaths", "counter", ("cause", *_WHOSE)),
        "Processes that did not end with exit code 0, by the kind of cause and the workload",
    ),
    Family(
        *("oom_kills", "counter", ("scope", *_WHOSE)),
        "Processes killed for want of memory: of a cgroup, of the whole system, or by a daemon",
    ),
    Family(
        *("exited_cpu_seconds", "counter", ("mode", *_WHOSE)),
        "CPU time of the processes that ended",
    ),
    Family(
        *("last_death_timestamp_seconds", "gauge", ("cause",)),
        "When a process last failed, by the kind of cause",
    ),
    Family(*("lifetime_seconds", "histogram", ("result",)), "How long processes lived that ended"),
)
"""What is counted exit by exit."""

LOOPS, LOST, RUNNING, BYTES, LAG, RECORDS, BUILD = STANDING = (
    Family(*("crash_loops", "gauge", _WHOSE), "Whether the workload is in a crash loop now"),
    Family(*("events_lost", "counter", ()), "Exits that could not be recorded"),
    Family(*("recorder_running", "gauge", ()), "Whether a recorder writes to the recording"),
    Family(*("store_bytes", "gauge", ()), "The size of the recording"),
    Family(
        *("ship_lag_seconds", "gauge", ("sink",)),
        "How long ago the first exit ended that has not been delivered to a destination",
    ),
    Family(
        *("ship_records", "counter", ("sink", "outcome")),
        "Records that ship delivered or gave up, by destination",
    ),
    Family(*("build_info", "gauge", ("version",)), "The version of exitsnoop; always 1"),
)
"""What is looked up when somebody asks."""

BUCKETS = (0.001, 0.01, 0.1, 1, 10, 60, 600, 3600, 21_600, 86_400)
"""Upper bounds of the buckets of lifetimes, in seconds."""
