"""Long arguments of living processes: they have a bound, since others choose them."""

from weakref import ref

from exitsnoop.model.context import Image

MOST_BYTES = 8 << 20  # of all that are long
LONG = 1024  # bytes: these are left when arguments are cut


class LongArgs:
    """Cuts the oldest long arguments when all of them together take too much memory."""

    def __init__(self) -> None:
        self._bytes: dict[ref[Image], int] = {}  # the oldest first
        self._all_bytes = 0

    def note(self, image: Image) -> None:
        """Take note of a new image, which may be long."""
        size = len(image.raw_args or b"")
        if size <= LONG:
            return
        self._bytes[ref(image, self._forget)] = size
        self._all_bytes += size
        while self._all_bytes > MOST_BYTES:
            oldest = next(iter(self._bytes))
            if found := oldest():
                found.cut_args(LONG)
            self._forget(oldest)

    def _forget(self, gone: "ref[Image]") -> None:
        self._all_bytes -= self._bytes.pop(gone, 0)
