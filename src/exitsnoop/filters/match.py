"""Filters over recorded exits. They decide what the kernel decides over live ones."""

from exitsnoop.filters.table import FILTERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from exitsnoop.filters.filters import Filters
    from exitsnoop.filters.table import Filter
    from exitsnoop.model.batch import Exits

_ROWS = {row.name: row for row in FILTERS}
_EITHER = (("signals", "codes"), ("failed", "asked"))  # with both, one is enough


def match(filters: "Filters", exits: "Exits") -> "list[bool | None]":
    """Return, for each exit, whether a tracer with these filters would have reported it.

    None means that the record cannot tell:

    * The record lacks the field that a filter needs. `users` needs uid (names need user, too),
      `cgroups` and `containers` need cgroup (names of containers need container_name, too),
      `causes` needs cause (unless the status rules the cause out).
    * `tree` passes these processes, and processes that were below one of them at their exit. Any
      other may be an orphan of the tree, which has other ancestors by then. So `tree` never says
      False.

    `pids`, `ppids` and `tree` go by the number alone: in a long recording, several processes can
    have had one PID. `min_age` and `max_age` go by the times of the record; the kernel asks some
    microseconds earlier. If threads were recorded, the last thread of each process stands for it,
    unless `per_thread` is on. `why` and `fields` select nothing.
    """
    given = [row for row in FILTERS if row.decide and row.name in filters.given()]
    found = {row.name: _found(filters, row, exits) for row in given}
    for names in _EITHER:
        ways = [found.pop(name) for name in names if name in found]
        if ways:
            found[names[0]] = [_any(way) for way in zip(*ways, strict=True)]
    votes = list(found.values())
    if not filters.per_thread:
        votes.append([bool(last) for last in exits.column("last_thread")])
    return [_all(votes_on_one) for votes_on_one in zip(*votes, strict=True)] or [True] * len(exits)


def decide(filters: "Filters", names: "Sequence[str]", exits: "Exits") -> list[bool]:
    """Return whether each exit passes the named filters. An unknown value is not in any list."""
    passing = [True] * len(exits)
    for name in names:
        if getattr(filters, name):
            excluded = name in filters.excluding
            found = _found(filters, _ROWS[name], exits)
            passing = [
                before and (excluded if now is None else now)
                for before, now in zip(passing, found, strict=True)
            ]
    return passing


def _found(filters: "Filters", row: "Filter", exits: "Exits") -> "list[bool | None]":
    """Return what one filter says about each exit."""
    assert row.decide  # noqa: S101
    found = map(row.decide(getattr(filters, row.name)), *map(exits.column, row.columns))
    if row.name in filters.excluding:
        return [None if one is None else not one for one in found]
    return list(found)


def _any(votes: "Sequence[bool | None]") -> bool | None:
    """Return what filters say of which one is enough."""
    if True in votes:
        return True
    return None if None in votes else False


def _all(votes: "Sequence[bool | None]") -> bool | None:
    """Return what all filters together say: a single no is enough."""
    if False in votes:
        return False
    return None if None in votes else True
