"""Steps of the wall clock: the kernel says when somebody has set it."""

import os

from exitsnoop.kernel import extension


class ClockSteps:
    """Says when the wall clock was set since the last look. Raises OSError.

    Nothing wakes up until that happens.
    """

    def __init__(self) -> None:
        self._fd: int = extension().clock_steps()

    def __enter__(self) -> "ClockSteps":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def fileno(self) -> int:
        """Return a descriptor that is readable when the clock was set."""
        return self._fd

    def happened(self) -> bool:
        """Return whether the clock was set, also by nothing: after a suspend."""
        try:
            os.read(self._fd, 8)
        except BlockingIOError:
            return False
        except OSError:  # ECANCELED
            return True
        return True
