"""Where rows and messages go, without buffers that could hold back or lose a row."""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

STDOUT, STDERR = 1, 2


class Output:
    """Standard output, or a file. Every write is whole and at once, or an OSError.

    Attributes:
        unwritten: how many rows were not written, wholly or at all, as a write failed.

    Raises OSError if it cannot be written to.
    """

    def __init__(self, path: str | None = None) -> None:
        self._fd = STDOUT
        if path is not None:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        self.unwritten = 0
        os.fstat(self._fd)  # closed: an error now, before another file gets its number
        self.is_terminal = os.isatty(self._fd)
        self.takes_utf8 = path is not None or _takes_utf8(sys.stdout)

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._fd

    def width(self) -> int:
        """Return how many characters fit in a line of the terminal, as it is now."""
        return os.get_terminal_size(self._fd).columns

    def write(self, text: str, *, rows: bool = False) -> None:
        """Write all of it, waiting for a reader that is behind. rows: each line is an exit.

        Raises BrokenPipeError if there is no reader, OSError if the text cannot be stored.
        """
        rest = memoryview(text.encode())
        while rest:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:  # somebody we share the pipe or terminal with made it so
                import select  # seldom needed

                select.select([], [self._fd], [])
            except OSError:
                self.unwritten += bytes(rest).count(b"\n") if rows else 0
                raise


def _takes_utf8(stream: "TextIO | None") -> bool:
    """Whether who reads it does, as the locale or PYTHONIOENCODING says; None: it is closed."""
    return stream is not None and stream.encoding.lower().replace("-", "") == "utf8"


def complain(message: str, details: str = "") -> None:
    """Tell the person, on standard error: one line, and details below it if there are any."""
    text = f"exitsnoop: {message}\n"
    if details:
        text += "".join(f"  {line}\n" for line in details.splitlines())
    encoding = "utf-8" if _takes_utf8(sys.stderr) else "ascii"
    try:
        os.write(STDERR, text.encode(encoding, "backslashreplace"))
    except OSError:
        pass  # nobody there to be told
