"""Exits: many exits as columns."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import compress
from operator import itemgetter

from exitsnoop.model.fields import FIELDS, SOURCES, STORED, function
from exitsnoop.model.later import Later

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
    from typing import overload

    from exitsnoop.model import exit as exit_
else:  # for typing.get_type_hints(): what the annotations name is imported when they are read
    typing, exit_ = Later("typing"), Later("exitsnoop.model.exit")


_SECOND_NS = 1_000_000_000


class Exits(Sequence["exit_.Exit"]):
    """Exits as columns, a sequence for each field: what is done with all is done at once.

    It is also a sequence of Exit; an Exit is made only on access.

    Args:
        columns: values by the name of their field, each one for each exit. Instead of fields that
            have a `source`, there may be a column of that name with the shared objects; instead of
            one in seconds, one in nanoseconds, with "_ns" added to its name.
        wall_offset_ns: what to add to boot_ns to get wall_ns, if that is not in columns.
    """

    def __init__(
        self, columns: "Mapping[str, Sequence[typing.Any]]", wall_offset_ns: int = 0
    ) -> None:
        self._columns = dict(columns)
        self._wall_offset_ns = wall_offset_ns
        self._walls_differ = "wall_ns" in columns

    @property
    def wall_offset_ns(self) -> int | None:
        """What is added to boot_ns to get wall_ns; None if that may differ from exit to exit."""
        return None if self._walls_differ else self._wall_offset_ns

    @classmethod
    def of(cls, exits: "Sequence[exit_.Exit]") -> "Exits":
        """Return exits that may have been collected one by one."""
        if isinstance(exits, Exits):
            return exits
        from exitsnoop.model.exit import values_of  # most runs do without

        columns = zip(*map(values_of, exits), strict=True)
        return cls(dict(zip(STORED, columns)))  # noqa: B905 - of none, no columns

    def column(self, name: str) -> "Sequence[typing.Any]":
        """Return the values of a field, one for each exit; None is unknown.

        Raises KeyError if there is no such field.
        """
        if name not in self._columns:
            self._columns[name] = self._made(name)
        return self._columns[name]

    def _made(self, name: str) -> "Sequence[typing.Any]":
        if name == "wall_ns":
            offset = self._wall_offset_ns
            return [boot_ns + offset for boot_ns in self.column("boot_ns")]
        field = FIELDS[name]
        if field.of:
            sources = [self.column(source) for source in field.of]
            if field.many_by:
                made: Sequence[typing.Any] = function(field.many_by)(*sources)
                return made
            make = function(field.by)
            return list(map(_unless_unknown(make) if field.group else make, *sources))
        if of_ns := self._columns.get(f"{name}_ns"):
            return [None if ns is None else ns / _SECOND_NS for ns in of_ns]
        shared = self._columns.get(field.source)
        if not shared:
            return [None] * len(self)
        return [None if one is None else getattr(one, name) for one in shared]

    def nanoseconds(self, name: str) -> "Sequence[int | None]":
        """Return the values of a field in seconds, in nanoseconds."""
        if of_ns := self._columns.get(f"{name}_ns"):
            return of_ns
        seconds = self.column(name)
        return [None if one is None else int(one * _SECOND_NS + 0.5) for one in seconds]

    def shared(self, source: str) -> "Sequence[typing.Any]":
        """Return for each exit the object that has its values of the fields with this source.

        It is an Image, Place or Chain, see model/context.py, or None if all of them are unknown.
        """
        if source not in self._columns:
            from exitsnoop.model.context import MAKERS  # most runs do without

            columns = [self.column(name) for name in SOURCES[source]]
            self._columns[source] = list(map(MAKERS[source], *columns))
        return self._columns[source]

    @classmethod
    def joined(cls, parts: "Sequence[Exits]") -> "Exits":
        """Return the exits of several batches as one."""
        columns: dict[str, list[typing.Any]] = {}
        for name in (*SOURCES, *[name for name in STORED if not FIELDS[name].source]):
            if name in SOURCES:
                columns[name] = [value for part in parts for value in part.shared(name)]
            elif FIELDS[name].kind == "seconds":
                columns[f"{name}_ns"] = [ns for part in parts for ns in part.nanoseconds(name)]
            else:
                columns[name] = [value for part in parts for value in part.column(name)]
        return cls(columns)

    def where(self, keep: Sequence[bool]) -> "Exits":
        """Return the exits for which keep has True."""
        if all(keep):
            return self
        return self._some(lambda column: list(compress(column, keep)))

    def _some(self, take: "Callable[[Sequence[typing.Any]], Sequence[typing.Any]]") -> "Exits":
        """Return some of the exits. take: returns their values, of those of a column."""
        kept = {name: take(column) for name, column in self._columns.items()}
        some = Exits(kept, self._wall_offset_ns)
        some._walls_differ = self._walls_differ  # a column that was made says nothing
        return some

    def replace(self, **columns: "Sequence[typing.Any]") -> "Exits":
        """Return the exits with other values in some fields."""
        kept = dict(self._columns)
        for source in {FIELDS[name].source for name in columns if name in FIELDS} - {""}:
            kept |= {name: self.column(name) for name in SOURCES[source]}
            kept.pop(source, None)
        for name in columns:
            kept.pop(f"{name}_ns", None)
        return Exits({**kept, **columns}, self._wall_offset_ns)

    def __len__(self) -> int:
        return len(next(iter(self._columns.values()), ()))

    def __iter__(self) -> "Iterator[exit_.Exit]":
        if not self._columns:
            return iter(())
        from exitsnoop.model.exit import Exit

        return map(Exit._make, zip(*map(self.column, STORED), strict=True))

    if TYPE_CHECKING:

        @overload
        def __getitem__(self, at: int) -> exit_.Exit: ...
        @overload
        def __getitem__(self, at: slice) -> "Exits": ...

    def __getitem__(self, at: "int | slice") -> "exit_.Exit | Exits":
        if isinstance(at, slice):
            return self._some(itemgetter(at))
        from exitsnoop.model.exit import Exit

        return Exit._make(tuple([self.column(name)[at] for name in STORED]))


def _unless_unknown(
    make: "Callable[[typing.Any], typing.Any]",
) -> "Callable[[typing.Any], typing.Any]":
    """Return the same function, except that it makes None of None."""
    return lambda value: None if value is None else make(value)
