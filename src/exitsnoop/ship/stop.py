"""The word that ends it all; any thread can wait for it, and a signal handler can give it."""

import os
import select


class Stop:
    """Is waited for until stop() is called, once for all."""

    def __init__(self) -> None:
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def stop(self) -> None:
        """Give the word. A signal handler may call this."""
        os.eventfd_write(self._fd, 1)

    def wait(self, seconds: float | None) -> bool:
        """Wait so long at most, None for ever; return whether the word was given."""
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        return bool(poll.poll(None if seconds is None else max(0, round(seconds * 1000))))

    def is_given(self) -> bool:
        """Return whether the word was given."""
        return self.wait(0)
