"""Query: which exits to read. Its conditions as SQL that uses the indexes of a file."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import NamedTuple

from exitsnoop.store.schema import has_origins, present

MOST_PARTS = 64
"""So many conditions at most are asked one by one, for the first rows of each."""
_NAMES = {"container_name", "pod_name"}
_NO_CGROUP = "cgroup IS NULL OR cgroup GLOB '/.../*'"  # or its start is missing
_HOUR_NS = 3600 * 1_000_000_000


@dataclass(frozen=True)
class Query:
    """Which exits to read. Conditions are combined with AND, the values of one with OR.

    Attributes:
        since_ns, until_ns: when they ended, nanoseconds since the epoch, both included.
        boot_id: the boot in which they ended.
        pids: the processes.
        names, exes, units, containers: shell patterns ("*", "?", "[a-z]"). A container
            is found by its id, by the first 12 digits or more of it, and by the names of it and
            of its pod.
        hostnames: shell patterns of the names that containers give themselves.
        users: uids, and names of users.
        cgroups: paths of cgroups, or names in such paths; what is below them is found, too.
        or_unknown: for users, cgroups and containers: also exits of which that is unknown; of
            containers, also exits of those whose names are.
        failed: only what did not end with exit(0).
        after_id, before_id: exits with a greater, a lower id.
        newest_first: the order. Exits are ordered by id, as they were recorded.
        limit: how many at most.
    """

    since_ns: int | None = None
    until_ns: int | None = None
    boot_id: str | None = None
    pids: Sequence[int] = field(default=())
    names: Sequence[str] = field(default=())
    exes: Sequence[str] = field(default=())
    units: Sequence[str] = field(default=())
    containers: Sequence[str] = field(default=())
    hostnames: Sequence[str] = field(default=())
    users: Sequence[int | str] = field(default=())
    cgroups: Sequence[str] = field(default=())
    or_unknown: bool = False
    failed: bool = False
    after_id: int = 0
    before_id: int | None = None
    newest_first: bool = False
    limit: int | None = None


class Nothing(Exception):
    """The file has no such exit."""


class Condition(NamedTuple):
    """A condition in SQL.

    Attributes:
        sql: the condition.
        parts: conditions with one value for each column, which are the same all together, if it has
            several for one; () if they would be too many.
        many: whether there are several values for a column.
        origins: these origins, if the query wants nothing else; () otherwise.
    """

    sql: str
    parts: list[str]
    many: bool
    origins: Sequence[int]


class _Among(NamedTuple):
    """A condition: a column is one of some numbers, or maybe unknown."""

    column: str
    numbers: Sequence[int]
    or_unknown: bool = False

    def sql(self) -> str:
        if len(self.numbers) == 1 and not self.or_unknown:
            return f"{self.column} = {int(self.numbers[0])}"
        known = f"{self.column} IN ({', '.join([str(int(number)) for number in self.numbers])})"
        return f"({known} OR {self.column} IS NULL)" if self.or_unknown else known

    def parts(self) -> list[str]:
        unknown = [f"{self.column} IS NULL"] if self.or_unknown else []
        return [f"{self.column} = {int(number)}" for number in self.numbers] + unknown


def condition(connection: sqlite3.Connection, query: Query) -> Condition:
    """Return the condition for the rows of a file, without times and ids.

    Patterns are looked up in the texts and places first, and these in the origins: SQLite would not
    use an index for them.

    Raises Nothing if no row can match.
    """
    whose = _whose(connection, query)
    if whose and has_origins(connection):
        where = " AND ".join([one.sql() for one in whose])
        whose = [_among("origin", _ids(connection, f"SELECT id FROM origins WHERE {where}"))]
    among = [*([_among("pid", query.pids)] if query.pids else []), *whose]
    other = ["failed = 1"] if query.failed else []
    single = [*[one.parts() for one in among], *[[one] for one in other]]
    count = prod(map(len, single))
    if count > MOST_PARTS and (query.pids or query.failed):
        # With a + no index is used: the one of PIDs, or of failures, is better.
        terms = [one.sql() if one.column == "pid" else f"+{one.sql()}" for one in among]
        return Condition(" AND ".join([*terms, *other]), [], len(query.pids) > 1, ())
    parts = [" AND ".join(one) for one in product(*single)] if 1 < count <= MOST_PARTS else []
    sql = " AND ".join([*[one.sql() for one in among], *other])
    alone = len(single) == 1 and among != [] and among[0].column == "origin"
    return Condition(sql, parts, count > 1, among[0].numbers if alone else ())


def _among(column: str, numbers: Sequence[int]) -> _Among:
    if not numbers:
        raise Nothing
    return _Among(column, numbers)


def _whose(connection: sqlite3.Connection, query: Query) -> list[_Among]:
    """Return the conditions for the columns of an origin. Raises Nothing if one matches nothing."""
    found: list[_Among] = []

    def among_places(numbers: Sequence[int], unknown: str) -> None:
        if not query.or_unknown:
            found.append(_among("place", numbers))
            return
        nowhere = _ids(connection, f"SELECT id FROM places WHERE {unknown}")
        table = "origins" if has_origins(connection) else "rows"
        has_unknown = _ids(connection, f"SELECT id FROM {table} WHERE place IS NULL LIMIT 1")
        both = sorted({*numbers, *nowhere})
        if not both and not has_unknown:
            raise Nothing
        found.append(_Among("place", both, bool(has_unknown)))

    if query.names:
        found.append(_among("name", _texts(connection, query.names)))
    if query.exes:
        found.append(_among("exe", _texts(connection, query.exes)))
    if query.units:
        found.append(_among("place", _places(connection, "unit", query.units)))
    if query.containers:
        there = present(connection, "places")
        among_places(_of_containers(connection, query.containers, there), _unnamed(there))
    if query.users:
        among_places(_of_users(connection, query.users), "uid IS NULL")
    if query.cgroups:
        among_places(_in_cgroups(connection, query.cgroups), _NO_CGROUP)
    if query.hostnames:
        hostnames = _places(connection, "hostname", query.hostnames, "container NOT NULL")
        found.append(_among("place", hostnames))
    return found


def groups(connection: sqlite3.Connection, query: Query) -> str:
    """Return the condition for the counts by the hour in a file.

    Raises Nothing if no count can match.
    """
    of_groups = Query(
        names=query.names,
        exes=query.exes,
        units=query.units,
        containers=query.containers,
        hostnames=query.hostnames,
        cgroups=query.cgroups,
    )
    terms = [one.sql() for one in _whose(connection, of_groups)]
    return " AND ".join([*terms, in_hours(query)])


def similar(connection: sqlite3.Connection, text: str, most: int) -> list[str]:
    """Return names of processes, so many at most, that have a text in them, or are in it."""
    table = "origins" if has_origins(connection) else "rows"
    found = connection.execute(
        "SELECT t.text FROM texts t WHERE (instr(lower(t.text), lower(:x)) > 0 "
        "OR length(t.text) > 3 AND instr(lower(:x), lower(t.text)) > 0) "
        f"AND EXISTS (SELECT 1 FROM {table} WHERE name = t.id) LIMIT :most",
        {"x": text, "most": most},
    )
    return [name for (name,) in found]


def in_hours(query: Query) -> str:
    """Return the condition for the counts by the hour that `failed` and the times make."""
    hours = ["1"]
    if query.failed:
        hours.append("status <> 0")
    for limit, sign in ((query.since_ns, ">="), (query.until_ns, "<=")):
        if limit is not None:
            hours.append(f"hour {sign} {int(limit) // _HOUR_NS}")
    return " AND ".join(hours)


def _texts(connection: sqlite3.Connection, patterns: Sequence[str]) -> list[int]:
    return _matching(connection, "texts", "text", patterns)


def _places(
    connection: sqlite3.Connection, column: str, patterns: Sequence[str], where: str = "1"
) -> list[int]:
    return _matching(connection, "places", column, patterns, where)


def _of_containers(
    connection: sqlite3.Connection, patterns: Sequence[str], there: set[str]
) -> list[int]:
    prefixes = [f"{name}*" if _is_short_id(name) else name for name in patterns]
    found = {*_places(connection, "container", prefixes)}
    for column in _NAMES & there:  # a file of an older version may lack them
        found.update(_places(connection, column, patterns))
    return sorted(found)


def _unnamed(there: set[str]) -> str:
    """Return the condition for places that may be in a container of any name."""
    no_name = "container_name IS NULL" if there >= _NAMES else "1"
    return f"{_NO_CGROUP} OR (length(container) = 64 AND {no_name})"


def _of_users(connection: sqlite3.Connection, users: Sequence[int | str]) -> list[int]:
    query = "SELECT id FROM places WHERE {} = ?"
    return [
        number
        for user in users
        for number in _ids(
            connection, query.format("user" if isinstance(user, str) else "uid"), user
        )
    ]


def _in_cgroups(connection: sqlite3.Connection, paths: Sequence[str]) -> list[int]:
    path_is = "substr(cgroup || '/', 1, length(?1)) = ?1"
    has_name = "instr(cgroup || '/', '/' || ?1) > 0"
    return sorted(
        {
            number
            for path in paths
            for number in _ids(
                connection,
                f"SELECT id FROM places WHERE {path_is if path.startswith('/') else has_name}",
                f"{path.rstrip('/')}/",
            )
        }
    )


def _ids(connection: sqlite3.Connection, query: str, *given: int | str) -> list[int]:
    stored = [_as_stored(one) if isinstance(one, str) else one for one in given]
    return [number for (number,) in connection.execute(query, stored)]


def _as_stored(text: str) -> str:
    """Return an argument as texts are recorded: bytes that are not UTF-8 become U+FFFD."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _matching(
    connection: sqlite3.Connection,
    table: str,
    column: str,
    patterns: Sequence[str],
    where: str = "1",
) -> list[int]:
    found: set[int] = set()
    for pattern in patterns:
        same = "GLOB" if any(character in pattern for character in "*?[") else "="
        query = f"SELECT id FROM {table} WHERE {column} {same} ? AND {where}"
        found.update(_ids(connection, query, pattern))
    return sorted(found)


def _is_short_id(name: str) -> bool:
    return 12 <= len(name) < 64 and all(digit in "0123456789abcdef" for digit in name)
