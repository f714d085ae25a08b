"""Exits -> text, one module for each format."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    from exitsnoop.model.exit import Exit

    class Sink(Protocol):
        """A format: gives the text to write. header() comes first, once."""

        def header(self) -> str:
            """Return the text before the first row."""

        def rows(self, exits: Sequence[Exit]) -> str:
            """Return a line for each exit."""

        def lost(self, count: int, wall_ns: int) -> str:
            """Return the text that reports, among the rows, exits lost before this time."""
