"""The columns of the tables of a fleet: made of FIELDS, with what says which machine it was.

Their names are those of the view `exits` of a recording. Each dialect has a word for each Type.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from operator import attrgetter
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from exitsnoop.fleet.machine import Machine
from exitsnoop.model.batch import Exits
from exitsnoop.model.context import Ancestor
from exitsnoop.model.field import Field
from exitsnoop.model.fields import FIELDS
from exitsnoop.model.plain import ADDRESSES, KEYS, address, value
from exitsnoop.model.workload import workload
from exitsnoop.store.layout import CAUSE_PARTS, Parts


class Type(NamedTuple):
    """The type of a column.

    Attributes:
        name: "time" (microseconds since the epoch), "word" (a text of which there are few), "text",
            "uuid" (as text), "int" (64 bits, signed), "float", "flag", "list" or "record".
        of: of a list the type of an item; of a record the names of its parts and their types.
    """

    name: str
    of: "tuple[Any, ...]" = ()


TIME, WORD, TEXT, UUID, INT, FLOAT, FLAG = map(Type, "time word text uuid int float flag".split())
_OF_HINT: dict[Any, Type] = {int: INT, str: TEXT, bool: FLAG, float: FLOAT}
_OF_KIND = {
    **dict.fromkeys(("name", "text", "exit", "bytes"), TEXT),
    **dict.fromkeys(("number", "size"), INT),
    **dict.fromkeys(("age", "seconds"), FLOAT),
    "time": TIME,
    "flag": FLAG,
}

_OF_LISTS = {field.more: name for name, field in FIELDS.items() if field.more}
"""The list that each field is about which says whether a list goes on."""


class Rows:
    """Exits of one boot of a machine, as a table has them.

    Args:
        exits: the exits.
        machine: where they ended.
    """

    def __init__(self, exits: Exits, machine: Machine) -> None:
        self.exits = exits
        self.machine = machine

    @cached_property
    def causes(self) -> list[tuple[Any, ...]]:
        """The parts of each cause, in the order of the columns."""
        causes = self.exits.column("cause")
        known = {id(cause): _flat(cause, CAUSE_PARTS) for cause in causes}
        return [known[id(cause)] for cause in causes]

    def columns(self) -> list[Sequence[Any]]:
        """Return the values of the columns of EXITS, in their order; None is unknown."""
        return [column.values(self) for column in EXITS]


class Column(NamedTuple):
    """A column.

    Attributes:
        name, type: what it is called, and what it holds.
        optional: whether it may be unknown.
        meaning: one line for a person.
        values: returns the values of some rows.
    """

    name: str
    type: Type
    optional: bool
    meaning: str
    values: Callable[[Any], Sequence[Any]]


def of_attribute(name: str, type_: Type, meaning: str, *, optional: bool = False) -> Column:
    """Return a column of rows that are a list of objects: an attribute of each."""
    get = attrgetter(name)
    return Column(name, type_, optional, meaning, lambda rows: list(map(get, rows)))


def _of_machine(name: str, type_: Type, meaning: str) -> Column:
    get = attrgetter(name)
    return Column(name, type_, False, meaning, lambda rows: [get(rows.machine)] * len(rows.exits))


def _workloads(rows: Rows) -> Sequence[Any]:
    return list(map(workload, rows.exits.column("cgroup"), rows.exits.column("container_name")))


def _of_field(field: Field) -> list[Column]:
    """Return the columns of a field: one, or those of its parts."""
    name, optional = field.name, field.type.endswith("None")
    if field.kind == "cause":
        return [_of_part(at, *leaf) for at, leaf in enumerate(_leaves(CAUSE_PARTS, field.meaning))]
    if field.kind == "container":
        return [
            Column(name, TEXT, optional, "ID of its container", _of_container("id")),
            Column(
                f"{name}_runtime",
                WORD,
                optional,
                "runtime of its container",
                _of_container("runtime"),
            ),
        ]
    return [Column(name, _type_of(field), optional, field.meaning, _values_of(field))]


def _of_container(part: str) -> Callable[[Rows], Sequence[Any]]:
    return lambda rows: [
        None if one is None else getattr(one, part) for one in rows.exits.column("container")
    ]


def _type_of(field: Field) -> Type:
    if field.kind == "args":
        return Type("list", (TEXT,))
    if field.kind == "ancestors":
        return Type("list", (_record(Ancestor),))
    return WORD if field.few else _OF_KIND[field.kind]


def _values_of(field: Field) -> Callable[[Rows], Sequence[Any]]:
    name = field.name
    if field.kind == "time":
        return lambda rows: [wall_ns // 1000 for wall_ns in rows.exits.column("wall_ns")]
    if name in _OF_LISTS:
        return lambda rows: [
            None if known is None else cut
            for known, cut in zip(
                rows.exits.column(_OF_LISTS[name]), rows.exits.column(name), strict=True
            )
        ]
    if field.kind in ("bytes", "args", "ancestors"):
        return lambda rows: [value(name, known) for known in rows.exits.column(name)]
    return lambda rows: rows.exits.column(name)


# Of a cause ------------------------------------------------------------------------------------


def _leaves(parts: Parts, meaning: str) -> list[tuple[str, str, Any, str]]:
    """Return of each part without parts: its name, its column, its hint, and what it means."""
    found = []
    hints = get_type_hints(parts.kind)
    for name, column, inner in parts.parts:
        words = f"{meaning}: {name.replace('_', ' ')}" if column != "kind" else meaning
        found += _leaves(inner, words) if inner else [(name, column, hints[name], words)]
    return found


def _of_part(at: int, name: str, column: str, hint: Any, meaning: str) -> Column:
    few = get_origin(hint) is Literal or (name in FIELDS and FIELDS[name].few)
    return Column(
        "cause" if column == "kind" else f"cause_{column}",
        TEXT if name in ADDRESSES else WORD if few else _of(hint),
        True,
        meaning,
        lambda rows: [cause[at] for cause in rows.causes],
    )


def _of(hint: Any) -> Type:
    """Return the type for a hint of an attribute."""
    if get_origin(hint) is Literal:
        return WORD
    if get_origin(hint) is tuple:
        return Type("list", (_of(get_args(hint)[0]),))
    options = [option for option in get_args(hint) if option is not type(None)]
    if options:
        return _of(options[0])
    return _OF_HINT.get(hint) or _record(hint)


def _record(kind: type) -> Type:
    return Type("record", tuple((name, _of(hint)) for name, hint in get_type_hints(kind).items()))


def _flat(record: Any, parts: Parts) -> tuple[Any, ...]:
    """Return the values of the leaves of a record, in their order."""
    if record is None:
        return (None,) * len(parts.columns)
    found: list[Any] = []
    for (name, _, inner), known in zip(parts.parts, record, strict=True):
        if inner:
            found += _flat(known, inner)
        elif name == "args_truncated" and record.args is None:
            found.append(None)
        else:
            found.append(_leaf(name, known))
    return tuple(found)


def _leaf(name: str, known: Any) -> Any:
    if name in ADDRESSES and known is not None:
        return address(known)
    if isinstance(known, tuple):
        return [one._asdict() if hasattr(one, "_asdict") else one for one in known]
    if type(known) is int:
        return min(known, _MOST)
    return known


_MOST = (1 << 63) - 1  # no database of these has more in a number with a sign

EXITS: tuple[Column, ...] = (
    *_of_field(FIELDS["time"]),
    _of_machine("cluster", WORD, "the cluster: --cluster of the export"),
    Column("workload", WORD, False, "its unit without the instance, or similar", _workloads),
    _of_machine("host_id", TEXT, "the machine: /etc/machine-id, or its name if it has none"),
    _of_machine("boot_id", UUID, "the boot: /proc/sys/kernel/random/boot_id"),
    _of_machine("kernel", WORD, "release of the kernel"),
    Column(
        *("failed", FLAG, False, "whether it ended other than with exit(0)"),
        lambda rows: [status != 0 for status in rows.exits.column("status")],
    ),
    *(column for key in KEYS if key != "time" for column in _of_field(FIELDS[key])),
    _of_machine("host", WORD, "name of the machine"),
)
"""The columns of the table `exits`: a row is an exit. The last is in the path of a Parquet file."""
