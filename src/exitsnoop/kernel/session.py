"""Sessions: BPF programs loaded and attached."""

from exitsnoop.errors import TraceError
from exitsnoop.kernel import extension as extension

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from exitsnoop._native import Session as Session
    from exitsnoop.kernel.plan import Plan

# Opens sessions in place of the extension: the one seam for exitsnoop.testing.
stand_in: "Callable[..., Any] | None" = None


def open_session(plan: "Plan", *, ring_bytes: int) -> "Session":
    """Load and attach what the plan says. Raises TraceError, ImportError, OSError."""
    opens = stand_in or extension().Session
    session: Session
    try:
        session = opens(**vars(plan), ring_bytes=ring_bytes)
    except extension().SessionError as error:
        less = plan.programs_without_sites()
        if error.args[0] != "load" or less == plan.programs:
            raise _explained(error) from None
    else:
        return session
    # A verifier may not follow the program for crash sites; the others are of more use.
    try:
        session = opens(**{**vars(plan), "programs": less}, ring_bytes=ring_bytes)
    except extension().SessionError as error:
        raise _explained(error) from None
    return session


def join_tree(session: "Session", entry: tuple[bytes, bytes]) -> None:
    """Add a process to the tree of a session. Raises TraceError."""
    try:
        session.join_tree(*entry)
    except extension().SessionError as error:
        raise _explained(error) from None


def _explained(error: Exception) -> TraceError:
    from exitsnoop.kernel.refusals import explain

    step, number, log = error.args
    return explain(step, number, log)
