"""Tells whoever started us that tracing is on, through a descriptor."""

import os

from exitsnoop.cli.options import refuse


class Ready:
    """A descriptor that gets a newline once tracing is on, and is then closed.

    That is the protocol of s6's notification-fd; a shell waits with `read -u N`.

    Args:
        number: the descriptor, in decimal; None for none.

    Raises UsageError if it cannot be written to.
    """

    def __init__(self, number: str | None) -> None:
        self._fd: int | None = None
        if number is None:
            return
        try:
            self._fd = int(number)
            os.write(self._fd, b"")
        except (OSError, ValueError, OverflowError):
            refuse(f"argument --ready-fd: {number!r} is not a descriptor that is open for writing")

    def tell(self) -> None:
        """Say that from now on no exit is missed. If nobody listens any more, do nothing."""
        if self._fd is None:
            return
        try:
            os.write(self._fd, b"\n")
        except OSError:
            pass
        if self._fd > 2:  # the standard ones stay open for what else is written to them
            os.close(self._fd)
        self._fd = None
