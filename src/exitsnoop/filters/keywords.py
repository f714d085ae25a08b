"""FilterOptions: the types of the keywords of Filters, Tracer and trace(), for type checkers."""

from collections.abc import Iterable
from typing import TypedDict


class FilterOptions(TypedDict, total=False):
    """What to trace and what to collect; a test compares the keywords with FILTERS."""

    pids: Iterable[int]
    tree: Iterable[int]
    ppids: Iterable[int]
    users: Iterable[int | str]
    names: Iterable[str]
    cgroups: Iterable[str]
    containers: Iterable[str]
    excluding: Iterable[str]
    min_age: float
    max_age: float | None
    failed: bool
    asked: bool
    signals: Iterable[int]
    codes: Iterable[int]
    causes: Iterable[str]
    per_thread: bool
    why: bool
    fields: Iterable[str]
