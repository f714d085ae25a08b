"""Filters over a recording, which may be of another machine, or of another boot of this one."""

from exitsnoop.filters.filters import Filters
from exitsnoop.filters.table import Filter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class RecordedFilters(Filters):
    """The same as Filters, for match(): nothing is looked up on this machine.

    `users` has uids, and names as the recording has them; cgroups need not exist.
    """

    @staticmethod
    def check(row: Filter, value: "Any") -> "Any":
        """Return the value of a filter as it is kept. Raises TypeError, ValueError."""
        return row.check(value, recorded=True)

    def _require_kernel(self) -> None:
        """Do nothing: the kernel does not apply them."""
