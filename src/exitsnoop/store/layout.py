"""Which column of which table holds each field of an exit.

Values that several exits share are stored once and numbered: texts, the place (who ran it, and
where), the image (arguments), the chain of ancestors (each process once, with the one above it),
the cause, the origin (which program, where, of which parent). A field that is not named here, of
the kind number, size, flag, text or seconds, has a column of its own name in the table `rows`.
"""

from typing import get_args, get_type_hints

from exitsnoop.model.cause import After, At, Cause, Mapped, Oom, Sender, Thread, Timer
from exitsnoop.model.cgroup import Container
from exitsnoop.model.fields import FIELDS, STORED

PLACE_FIELDS = ("uid", "user", "hostname", "cgroup", "container_name", "pod_name", "namespace")
_ELSEWHERE = {
    *PLACE_FIELDS,
    *("boot_ns", "pid", "tid", "ppid", "status", "last_thread", "start_boot_ns", "wall_ns"),
    *("raw_comm", "cause", "args", "args_truncated", "exe", "nspid", "parent_comm"),
    *("ancestors", "ancestors_truncated"),
    "wanted",  # about the trace, not the exit: what is recorded was wanted
}

PLAIN = {name: FIELDS[name].kind for name in STORED if name not in _ELSEWHERE}
"""Fields with a column of their own name in `rows`, and their kinds."""

OF_CGROUP = tuple(name for name, field in FIELDS.items() if field.of == ("cgroup",))
PLACE = (*PLACE_FIELDS, "runtime", *OF_CGROUP)
"""Columns of `places`; `container` holds the id, `runtime` the runtime of the container."""

ROW = (
    *("boot_ns", "age_ns", "pid", "tid", "ppid", "status", "failed", "last_thread", "name"),
    *("parent", "place", "exe", "image", "chain", "chain_truncated", "nspid", "cause"),
    *PLAIN,
)
"""Columns of `rows` besides the id, all of them numbers; those of ORIGIN may be one instead.

`tid` is NULL and `nspid` -1 where they equal the PID; `chain` is 0 if there are no ancestors, NULL
if they are unknown. Times of the kind seconds are in nanoseconds.
"""

ORIGIN = ("name", "parent", "place", "exe")
"""Columns of `origins`, numbers too: an exit of a segment has the number of its origin for them.

One number, with one index, takes less than four with three. In kept.db, and in segments of a
version before the eighth, each is a column of `rows`.
"""

USUAL = {
    "failed": 0,
    "last_thread": 1,
    "chain_truncated": 0,
    "nspid": -1,
    "read_bytes": 0,
    "write_bytes": 0,
    "major_faults": 0,
    "voluntary_switches": 0,
    "involuntary_switches": 0,
}
"""What most exits have in some columns of `rows`; where it is not named here, NULL."""


class Parts:
    """A record in a cause, and the columns of its parts.

    Attributes:
        kind: Cause, or the type of a record in it.
        parts: for each attribute: its name, its column, and its Parts if it is a record itself.
        columns: the columns of all parts.
    """

    def __init__(self, kind: type, prefix: str = "") -> None:
        self.kind = kind
        self.parts: list[tuple[str, str, Parts | None]] = []
        self.columns: list[str] = []
        for name, hint in get_type_hints(kind).items():
            records = {After, At, Container, Mapped, Oom, Sender, Thread, Timer}
            record = records & {hint, *get_args(hint)}
            inner = Parts(record.pop(), f"{prefix}{name}_") if record else None
            self.parts.append((name, f"{prefix}{name}", inner))
            self.columns += inner.columns if inner else [f"{prefix}{name}"]


CAUSE_PARTS = Parts(Cause)
CAUSE = tuple(CAUSE_PARTS.columns)
"""Columns of `causes`: the parts of a Cause, those of its sender as sender_pid and so on.

`stack` is the number of a text, as JSON: a process that crashes again and again has one stack.
"""


def json_of_chain(chain: str) -> str:
    """Return the SQL that gives the ancestors from one on as JSON, the nearest first."""
    return (
        "WITH RECURSIVE up (nth, pid, comm, above) AS ("
        f"SELECT 1, pid, comm, above FROM chains WHERE id = {chain} UNION ALL "
        "SELECT nth + 1, c.pid, c.comm, c.above FROM up JOIN chains c ON c.id = up.above) "
        "SELECT json_group_array(json_object('pid', pid, 'comm', "
        "(SELECT text FROM texts WHERE id = comm))) FROM (SELECT * FROM up ORDER BY nth)"
    )
