"""Exits -> rows of the tables of one file."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import groupby
from json import dumps
from operator import sub
from typing import Any, NamedTuple
from weakref import ref

from exitsnoop.model.batch import Exits
from exitsnoop.model.cause import At, Cause
from exitsnoop.model.context import Ancestor, Chain, Place
from exitsnoop.model.fields import FIELDS, function
from exitsnoop.model.plain import value as as_plain
from exitsnoop.model.remembered import Remembered
from exitsnoop.store.arguments import Arguments, as_json, utf8
from exitsnoop.store.inserts import Inserts, Shape
from exitsnoop.store.layout import (
    CAUSE_PARTS,
    OF_CGROUP,
    ORIGIN,
    PLACE,
    PLACE_FIELDS,
    PLAIN,
    USUAL,
    Parts,
)
from exitsnoop.store.redact import Kept

_HOUR_NS = 3600 * 1_000_000_000
_TEXT: Shape = ("texts", ("text",))
_NAME: Shape = ("texts", ("text", "raw"))
_PLACE: Shape = ("places", PLACE)
_LINK: Shape = ("chains", ("pid", "comm", "above"))
_ORIGIN: Shape = ("origins", ORIGIN)
_TIME: Shape = ("times", ("era", "offset_ns", "until_ns"))
NUMBERED = ("texts", "places", "origins", "images", "chains", "causes")
"""Tables whose rows are shared by exits, and numbered as they come up."""

_Key = tuple[int, int, int, int, str, int]  # of a count: hour, name, exe, place, cause, status

MOST_REMEMBERED = 1024
MOST_KEYS_AN_HOUR = 2000


class _Numbers(dict[Any, int]):
    """Numbers the values that exits share, and makes a row for each new one.

    It forgets them all when there are too many. A value that comes again then gets another number.

    Args:
        encoder: whose rows. It is not kept alive: in a cycle, what an encoder remembers would stay
            in memory long after its file is full, since Python looks for cycles among old objects
            only rarely.
        make: a method of it.
    """

    def __init__(self, encoder: "Encoder", make: Callable[[Any, Any], int]) -> None:
        super().__init__()
        self._encoder = ref(encoder)
        self._make = make

    def __missing__(self, key: Hashable) -> int:
        number = self[key] = self._make(self._encoder(), key)
        return number

    def shrink(self) -> None:
        if len(self) > MOST_REMEMBERED:
            self.clear()


class _Origin(NamedTuple):
    """The numbers of what an origin has, and the values: name, executable, place, parent."""

    name: int
    parent: int | None
    place: int | None
    exe: int | None
    values: tuple[bytes, str | None, Place | None, str | None]


class Encoder:
    """Makes rows of exits, for one file.

    Args:
        numbers: how many rows each of NUMBERED has in the file. Without one for origins, these are
            written column by column; see ORIGIN.
        kept: decides about arguments.

    Attributes:
        rows: the rows to insert.
        hours: how many exits to add: (hour, name, exe, place, cause, status) -> count.
    """

    def __init__(self, numbers: dict[str, int], kept: Kept) -> None:
        self.rows = Inserts({"rows": USUAL, "images": {"args": "", "truncated": 0}})
        self.hours: Counter[_Key] = Counter()
        self._stack_bytes = 0
        self._next = {table: count + 1 for table, count in numbers.items()}
        self._kept = kept
        self._texts = _Numbers(self, Encoder._text)
        self._texts[None] = None  # type: ignore[assignment] # unknown stays NULL
        self._names = _Numbers(self, Encoder._name)
        self._places = _Numbers(self, Encoder._place)
        self._origins = _Numbers(self, Encoder._origin)
        self._named: dict[int, _Origin] = {}  # by the number of the origin
        self._arguments = Arguments(kept, self.rows, numbers["images"])
        self._chains = _Numbers(self, Encoder._chain)
        self._causes = _Numbers(self, Encoder._cause)
        self._stacks = _Numbers(self, Encoder._stack)
        # Of senders: many send more than one signal.
        self._words = Remembered[Sequence[str], str](lambda words: as_json(kept.of(words) or ()))
        self._above = Remembered(_json_of_ancestors)
        self._until: dict[int, int] = {}  # the last time of each era, so that they ascend
        self._hour = 0
        self._keys: set[_Key] = set()
        self._counted: set[tuple[Any, ...]] = set()  # the same by what the numbers stand for

    def add(
        self,
        exits: Exits,
        ids: Sequence[int],
        era: int,
        correction_ns: int = 0,
        *,
        apart: bool = False,
    ) -> None:
        """Add exits of one era to `rows` and `hours`.

        Args:
            exits: at least one.
            ids: their ids, ascending.
            era: the number of their era.
            correction_ns: what their times have been corrected by since.
            apart: whether others may be added in between later.
        """
        boot_ns, status, pid = map(exits.column, ("boot_ns", "status", "pid"))
        origin = self._numbers_of_origins(exits)
        causes = exits.column("cause")
        columns = {
            "boot_ns": boot_ns,
            "age_ns": [*map(sub, boot_ns, exits.column("start_boot_ns"))],
            "pid": pid,
            "tid": _other_than(pid, exits.column("tid"), None),
            "ppid": exits.column("ppid"),
            "status": status,
            "failed": [1 if value else 0 for value in status],
            "last_thread": exits.column("last_thread"),
            "image": self._arguments.numbers(exits.shared("image")),
            "chain": [*map(self._chains.__getitem__, exits.shared("chain"))],
            "chain_truncated": exits.column("ancestors_truncated"),
            "nspid": _other_than(pid, exits.column("nspid"), USUAL["nspid"]),
            "cause": [*map(self._number_of_cause(causes).__getitem__, map(id, causes))],
            **{field: self._plain(field, kind, exits) for field, kind in PLAIN.items()},
            **self._columns_of_origins(origin),
        }
        bound = tuple([name for name in columns if not _is_usual(columns[name], USUAL.get(name))])
        self.rows["rows", bound] += zip(ids, *map(columns.__getitem__, bound), strict=True)
        self._add_times(ids, era, boot_ns, _offsets(exits), correction_ns, apart=apart)
        kinds = ["" if cause is None else cause.kind for cause in causes]
        self._count(_hours(exits), origin, kinds, status)
        for numbers in (self._texts, self._names, self._places, self._causes):
            numbers.shrink()
        if len(self._origins) > MOST_REMEMBERED:
            self._origins.clear()
            self._named.clear()
        self._texts[None] = None  # type: ignore[assignment]
        self._chains.shrink()
        self._arguments.shrink()
        if len(self._stacks) > MOST_REMEMBERED // 8:  # they are long
            self._stacks.clear()

    @property
    def long_bytes(self) -> int:
        """The size of the arguments and stacks in `rows`."""
        return self._arguments.bytes + self._stack_bytes

    def written(self) -> None:
        """Forget what has been written besides the rows."""
        self.hours.clear()
        self._arguments.bytes = self._stack_bytes = 0

    def _plain(self, field: str, kind: str, exits: Exits) -> Sequence[Any]:
        if kind == "text":
            return [*map(self._texts.__getitem__, exits.column(field))]
        if kind == "seconds":
            return exits.nanoseconds(field)
        return exits.column(field)

    def _add_times(
        self,
        ids: Sequence[int],
        era: int,
        boot_ns: Sequence[int],
        offsets: Iterable[tuple[int, int]],
        correction_ns: int,
        *,
        apart: bool,
    ) -> None:
        """Note how far the wall clock is ahead of the boot clock, from which exit on."""
        times = self.rows[_TIME]
        start = 0
        for offset_ns, run in offsets:
            for count in [1] * run if apart else [run]:
                last = max(boot_ns[start : start + count])
                until = self._until[era] = max(self._until.get(era, 0), last)
                times.append((ids[start], era, offset_ns - correction_ns, until))
                start += count

    def _count(self, hours: Sequence[int], *columns: Sequence[Any]) -> None:
        counted = Counter(zip(hours, *columns, strict=True))
        last = max(hours)
        if last > self._hour:
            self._hour = last
            self._keys.clear()
            self._counted.clear()
        if len(self._keys) > 2 * MOST_KEYS_AN_HOUR:  # numbers were forgotten and given anew
            self._keys.clear()
        for (hour, origin, cause, status), count in counted.items():
            of = self._named[origin]
            key = (hour, of.name, of.exe or 0, of.place or 0, cause, status)
            if key in self._keys or self._admit(key, of):
                self.hours[key] += count
            else:  # a storm of names must not fill the disk
                self.hours[hour, 0, 0, 0, cause, status] += count

    def _admit(self, key: _Key, origin: _Origin) -> bool:
        """Return whether a count may have its names: as long as there are not too many an hour."""
        hour, _, _, _, *rest = key
        raw_comm, exe, place, _ = origin.values
        counted = (hour, raw_comm, exe, place, *rest)
        if counted not in self._counted and len(self._counted) >= MOST_KEYS_AN_HOUR:
            return False
        self._counted.add(counted)
        self._keys.add(key)
        return True

    def _new(self, shape: Shape, *cells: Any) -> int:
        table, _ = shape
        number = self._next[table]
        self._next[table] = number + 1
        self.rows[shape].append((number, *cells))
        return number

    def _text(self, text: str) -> int:
        return self._new(_TEXT, utf8(text))

    def _stack(self, stack: tuple[At, ...]) -> int:
        text = _json_of_stack(stack)
        self._stack_bytes += len(text)
        return self._new(_TEXT, utf8(text))

    def _name(self, padded: bytes) -> int:
        text = padded.partition(b"\0")[0].decode("utf-8", "replace")
        if text.encode().ljust(16, b"\0") == padded:
            return self._new(_TEXT, text)
        return self._new(_NAME, text, padded)

    def _place(self, place: Place | None) -> int:
        if place is None:
            return None  # type: ignore[return-value] # NULL: nothing is known
        known = {name: getattr(place, name) for name in PLACE_FIELDS}
        if place.cgroup is not None:
            known |= {name: function(FIELDS[name].by)(place.cgroup) for name in OF_CGROUP}
        known["runtime"], known["container"] = known.get("container") or (None, None)
        return self._new(_PLACE, *[utf8(known.get(column)) for column in PLACE])

    def _numbers_of_origins(self, exits: Exits) -> list[int]:
        columns = map(exits.column, ("raw_comm", "exe", "parent_comm"))
        name, exe, parent = columns
        values = zip(name, exe, exits.shared("place"), parent, strict=True)
        return [*map(self._origins.__getitem__, values)]

    def _columns_of_origins(self, origins: list[int]) -> dict[str, list[int | None]]:
        if "origins" in self._next:
            return {"origin": origins}  # type: ignore[dict-item] # always known
        found = [self._named[origin] for origin in origins]
        return {column: [getattr(one, column) for one in found] for column in ORIGIN}

    def _origin(self, values: tuple[bytes, str | None, Place | None, str | None]) -> int:
        raw_comm, exe, place, parent = values
        texts = self._texts
        origin = _Origin(
            self._names[raw_comm], texts[parent], self._places[place], texts[exe], values
        )
        if "origins" in self._next:
            number = self._new(_ORIGIN, *origin[:-1])
        else:
            number = len(self._named) + 1
        self._named[number] = origin
        return number

    def _chain(self, chain: Chain | None) -> int:
        if chain is None:
            return None  # type: ignore[return-value] # NULL: not known
        if chain.above is None:
            return 0
        above = self._chains[chain.above]
        return self._new(_LINK, chain.pid, self._texts[chain.comm], above)

    def _number_of_cause(self, causes: Sequence[Cause | None]) -> dict[int, int]:
        """Return the number of each cause, by its identity: many exits have the same object."""
        different = {id(cause): cause for cause in causes}
        return {one: self._causes[cause] for one, cause in different.items()}

    def _cause(self, cause: Cause | None) -> int:
        if cause is None:
            return None  # type: ignore[return-value]
        columns: list[str] = []
        cells: list[Any] = []
        self._know(cause, CAUSE_PARTS, columns, cells)
        return self._new(("causes", tuple(columns)), *cells)

    def _know(self, record: Any, parts: Parts, columns: list[str], cells: list[Any]) -> None:
        """Add the columns of the parts of a record that are known, and their cells."""
        for (name, column, inner), value in zip(parts.parts, record, strict=True):
            if value is None:
                continue
            if inner:
                self._know(value, inner, columns, cells)
                continue
            cell = value
            if isinstance(value, str):
                cell = value if value.isascii() else utf8(value)
            elif name == "args":
                if not self._kept.args:
                    continue
                cell = self._words[value]
            elif name == "ancestors":
                cell = self._above[value]
            elif name == "stack":
                cell = self._stacks[value]
            elif name == "earlier":
                cell = dumps(value)
            elif isinstance(value, bool):
                cell = int(value and (self._kept.args or name != "args_truncated"))
            elif isinstance(value, int):
                cell = _signed(value)
            columns.append(column)
            cells.append(cell)


def _offsets(exits: Exits) -> list[tuple[int, int]]:
    """Return how far the wall clock is ahead of the boot clock, each time for how many exits."""
    if exits.wall_offset_ns is not None:
        return [(exits.wall_offset_ns, len(exits))]
    offsets = map(sub, exits.column("wall_ns"), exits.column("boot_ns"))
    return [(offset_ns, len([*run])) for offset_ns, run in groupby(offsets)]


def _hours(exits: Exits) -> Sequence[int]:
    """Return in which hour each of the exits was."""
    clock, ahead = exits.column("boot_ns"), exits.wall_offset_ns
    if ahead is None:
        clock, ahead = exits.column("wall_ns"), 0
    first = (min(clock) + ahead) // _HOUR_NS
    if first == (max(clock) + ahead) // _HOUR_NS:
        return [first] * len(clock)
    return [(at + ahead) // _HOUR_NS for at in clock]


def _other_than(
    usual: Sequence[int], values: Sequence[int | None], same: int | None
) -> Sequence[int | None]:
    """Return values, and `same` for each that is as usual."""
    if values == usual:
        return [same] * len(values)
    return [same if one == other else one for one, other in zip(values, usual, strict=True)]


def _is_usual(column: Sequence[Any], usual: int | None) -> bool:
    """Return whether all values of a column are the usual one: it can be left out then."""
    return column[0] == usual and column.count(usual) == len(column)


def _json_of_ancestors(ancestors: Sequence[Ancestor]) -> str:
    return dumps(as_plain("ancestors", ancestors), ensure_ascii=False)


def _json_of_stack(stack: tuple[At, ...]) -> str:
    return dumps([one._asdict() for one in stack], ensure_ascii=False, separators=(",", ":"))


def _signed(cell: int) -> int:
    """Return a number of 64 bits without a sign as SQLite has it."""
    return cell - (1 << 64) if cell >= 1 << 63 else cell
