"""Ends that answer a shell, and are not failures: grep found nothing, `head` has its lines."""

from exitsnoop.model.words import SHELLS

# Programs whose manuals say that 1 is an answer.
_ONE_IS_AN_ANSWER = frozenset(
    "[ cmp diff egrep expr false fgrep getent grep mountpoint pgrep pidof test which".split()
)


def is_answer(comm: str, parent: str | None, status: int, kind: str) -> bool:
    """Return whether a shell takes an end as an answer: it shows nothing that went wrong.

    Args:
        comm: the name of the process.
        parent: the name of its parent.
        status: the wait status.
        kind: the kind of cause.
    """
    if parent not in SHELLS:
        return False
    return kind == "pipe" or (status == 1 << 8 and comm in _ONE_IS_AN_ANSWER)
