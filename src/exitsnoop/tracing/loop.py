"""trace(): a Tracer for a loop."""

from exitsnoop.filters import keywords
from exitsnoop.filters.filters import Filters
from exitsnoop.model.later import LaterUnpack
from exitsnoop.tracing.keywords import signature
from exitsnoop.tracing.tracer import Tracer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing_extensions import Unpack  # typing has it since 3.11
else:
    Unpack = LaterUnpack()


def trace(filters: Filters | None = None, **options: "Unpack[keywords.FilterOptions]") -> Tracer:
    """Return a Tracer, attached: for a loop that needs only the exits.

    >>> for ended in trace(pids=[4242]):
    ...     print(ended.status)

    It closes itself when nothing refers to it any more, at the latest when the loop is left. See
    Tracer for the options and the errors.
    """
    return Tracer(filters, **options)


trace.__signature__ = signature()  # type: ignore[attr-defined]
