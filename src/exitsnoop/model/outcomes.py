"""Outcomes: the few ways to end that pictures tell apart. Each has kinds of cause."""

from typing import NamedTuple


class Outcome(NamedTuple):
    """A way to end.

    Attributes:
        name: one word, lower case.
        words: what it is, for people.
        kinds: the kinds of cause that belong to it; "" is a cause that was not collected.
    """

    name: str
    words: str
    kinds: tuple[str, ...]


OUTCOMES = (
    Outcome("oom", "out of memory", ("oom",)),
    Outcome("crash", "crashed", ("fault", "abort", "self", "seccomp")),
    Outcome("killed", "killed by a process", ("killed",)),
    Outcome("code", "failed with a code", ("exited",)),
    Outcome(
        "along",
        "along with another",
        ("parent_death", "namespace", "tracer", "other_thread", "terminal", "hangup"),
    ),
    Outcome("limit", "limit, timer or pipe", ("cpu_limit", "file_limit", "timer", "pipe")),
    Outcome("unknown", "not known", ("kernel", "unknown", "")),
)
"""All outcomes of what failed, in the order in which they are shown."""

_BY_KIND = {kind: outcome for outcome in OUTCOMES for kind in outcome.kinds}


def outcome(kind: str) -> Outcome:
    """Return the outcome of a failure by the kind of its cause; "" if that was not collected."""
    return _BY_KIND.get(kind, OUTCOMES[-1])
