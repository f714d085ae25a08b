"""Exits: many exits as columns."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import compress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, overload

    from exitsnoop.model.exit import Exit


class Exits(Sequence["Exit"]):
    """Exits as columns, a sequence for each field: what is done with all is done at once.

    As a sequence it gives them one by one; an Exit is made as it is asked for.
    """

    def __init__(self, columns: "Mapping[str, Sequence[Any]]", wall_offset_ns: int = 0) -> None:
        self._columns = dict(columns)
        self._wall_offset_ns = wall_offset_ns

    @classmethod
    def of(cls, exits: "Sequence[Exit]") -> "Exits":
        """Return exits that may have been collected one by one."""
        if isinstance(exits, Exits):
            return exits
        from exitsnoop.model.exit import Exit  # most runs do without

        return cls(dict(zip(Exit._fields, zip(*exits, strict=True), strict=True)) if exits else {})

    def column(self, name: str) -> "Sequence[Any]":
        """Return the values of a field of Exit, or of its context, an exit each."""
        if name not in self._columns:
            self._columns[name] = self._made(name)
        return self._columns[name]

    def _made(self, name: str) -> "Sequence[Any]":
        if name == "wall_ns":
            offset = self._wall_offset_ns
            return [boot_ns + offset for boot_ns in self.column("boot_ns")]
        if name in ("cause", "context") or not len(self):
            return [None] * len(self)
        from exitsnoop.model.context import NOTHING, Context

        contexts = [context or NOTHING for context in self.column("context")]
        self._columns.update(zip(Context._fields, zip(*contexts, strict=True), strict=True))
        return self._columns[name]

    def where(self, keep: Sequence[bool]) -> "Exits":
        """Return the exits for which keep has True."""
        if all(keep):
            return self
        kept = {name: list(compress(column, keep)) for name, column in self._columns.items()}
        return Exits(kept, self._wall_offset_ns)

    def replace(self, **columns: "Sequence[Any]") -> "Exits":
        """Return the exits with other values in some fields."""
        return Exits({**self._columns, **columns}, self._wall_offset_ns)

    def __len__(self) -> int:
        return len(next(iter(self._columns.values()), ()))

    def __iter__(self) -> "Iterator[Exit]":
        if not self._columns:
            return iter(())
        from exitsnoop.model.exit import Exit

        return map(Exit._make, zip(*map(self.column, Exit._fields), strict=True))

    if TYPE_CHECKING:

        @overload
        def __getitem__(self, at: int) -> Exit: ...
        @overload
        def __getitem__(self, at: slice) -> "Exits": ...

    def __getitem__(self, at: "int | slice") -> "Exit | Exits":
        if isinstance(at, slice):
            parts = {name: column[at] for name, column in self._columns.items()}
            return Exits(parts, self._wall_offset_ns)
        from exitsnoop.model.exit import Exit

        return Exit._make(self.column(name)[at] for name in Exit._fields)
