"""Long arguments and paths of living processes: they have a bound, since others choose them."""

from sys import getsizeof
from weakref import ref

from exitsnoop.model.context import Image

MOST_BYTES = 8 << 20  # of all that are long
LONG = 1024  # bytes: these are left when arguments are cut, and as many characters of a path


class LongImages:
    """Cuts the oldest long arguments and paths when all of them together take too much memory."""

    def __init__(self) -> None:
        self._bytes: dict[ref[Image], int] = {}  # the oldest first
        self._all_bytes = 0

    def note(self, image: Image) -> None:
        """Take note of a new image, which may be long."""
        size = len(image.raw_args or b"") + (getsizeof(image.exe) if image.exe else 0)
        if size <= LONG:
            return
        self._bytes[ref(image, self._forget)] = size
        self._all_bytes += size
        while self._all_bytes > MOST_BYTES:
            oldest = next(iter(self._bytes))
            if found := oldest():
                found.cut(LONG)
            self._forget(oldest)

    def _forget(self, gone: "ref[Image]") -> None:
        self._all_bytes -= self._bytes.pop(gone, 0)
