"""Exits -> text, one module a format. Nothing here knows of BPF or of the command line."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    from exitsnoop.model.exit import Exit

    class Sink(Protocol):
        """A format: what to write, in the order of header, rows and lost."""

        def header(self) -> str:
            """Return what comes before the first row."""

        def rows(self, exits: Sequence[Exit]) -> str:
            """Return a line for each exit."""

        def lost(self, count: int, wall_ns: int) -> str:
            """Return what tells, among the rows, that exits were lost before this time."""
