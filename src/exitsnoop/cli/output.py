"""Standard output and standard error, without buffers that could hold back or lose a row."""

import contextlib
import os
import select
import sys

STDOUT, STDERR = 1, 2


class Output:
    """Standard output. Every write is whole and at once, or an OSError."""

    def __init__(self) -> None:
        os.fstat(STDOUT)  # closed: an error now, before another file gets its number
        encoding = sys.stdout.encoding if sys.stdout else ""
        self.takes_utf8 = encoding.lower().replace("-", "") == "utf8"

    def fileno(self) -> int:
        """Return the descriptor."""
        return STDOUT

    def write(self, text: str) -> None:
        """Write all of it, waiting for a reader that is behind.

        Raises BrokenPipeError if there is no reader, OSError if the text cannot be stored.
        """
        rest = memoryview(text.encode())
        while rest:
            try:
                rest = rest[os.write(STDOUT, rest) :]
            except BlockingIOError:  # somebody we share the pipe or terminal with made it so
                select.select([], [STDOUT], [])


def complain(message: str, details: str = "") -> None:
    """Tell the person, on standard error: one line, and details below it if there are any."""
    text = f"exitsnoop: {message}\n"
    if details:
        text += "".join(f"  {line}\n" for line in details.splitlines())
    with contextlib.suppress(OSError):  # nobody there to be told
        os.write(STDERR, text.encode("utf-8", "backslashreplace"))
