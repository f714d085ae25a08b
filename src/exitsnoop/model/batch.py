"""Exits: many exits as columns."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import compress

from exitsnoop.model.fields import FIELDS, SOURCES, STORED, function
from exitsnoop.model.later import Later

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
    from typing import overload

    from exitsnoop.model import exit as exit_
else:  # for typing.get_type_hints(): what the annotations name is imported when they are read
    typing, exit_ = Later("typing"), Later("exitsnoop.model.exit")


class Exits(Sequence["exit_.Exit"]):
    """Exits as columns, a sequence for each field: what is done with all is done at once.

    It is also a sequence of Exit; an Exit is made only on access.

    Args:
        columns: values by the name of their field, each one for each exit. Instead of fields that
            have a `source`, there may be a column of that name with the shared objects.
        wall_offset_ns: what to add to boot_ns to get wall_ns, if that is not in columns.
    """

    def __init__(
        self, columns: "Mapping[str, Sequence[typing.Any]]", wall_offset_ns: int = 0
    ) -> None:
        self._columns = dict(columns)
        self._wall_offset_ns = wall_offset_ns

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
        shared = self._columns.get(field.source)
        if not shared:
            return [None] * len(self)
        return [None if one is None else getattr(one, name) for one in shared]

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
            column = columns[name] = []
            for part in parts:
                column += part.shared(name) if name in SOURCES else part.column(name)
        return cls(columns)

    def where(self, keep: Sequence[bool]) -> "Exits":
        """Return the exits for which keep has True."""
        if all(keep):
            return self
        kept = {name: list(compress(column, keep)) for name, column in self._columns.items()}
        return Exits(kept, self._wall_offset_ns)

    def replace(self, **columns: "Sequence[typing.Any]") -> "Exits":
        """Return the exits with other values in some fields."""
        kept = dict(self._columns)
        for source in {FIELDS[name].source for name in columns if name in FIELDS} - {""}:
            kept |= {name: self.column(name) for name in SOURCES[source]}
            kept.pop(source, None)
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
            parts = {name: column[at] for name, column in self._columns.items()}
            return Exits(parts, self._wall_offset_ns)
        from exitsnoop.model.exit import Exit

        return Exit._make(tuple([self.column(name)[at] for name in STORED]))


def _unless_unknown(
    make: "Callable[[typing.Any], typing.Any]",
) -> "Callable[[typing.Any], typing.Any]":
    """Return the same function, except that it makes None of None."""
    return lambda value: None if value is None else make(value)
