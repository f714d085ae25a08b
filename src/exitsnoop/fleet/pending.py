"""Files that are there whole or not at all: written under another name, and renamed."""

import contextlib
import os
from pathlib import Path
from types import TracebackType
from typing import BinaryIO


class Pending:
    """Files that appear at their names when all of them are on disk.

    As a context manager it removes what was not published. After `kill -9`, files stay behind whose
    names begin with ".exitsnoop-": no reader takes them for data.

    Args:
        private: the files are for their owner alone, whatever the umask: there are arguments in
            them.
    """

    def __init__(self, *, private: bool) -> None:
        self._mode = 0o600 if private else 0o666
        self._files: dict[Path, tuple[BinaryIO, Path | None]] = {}

    def __enter__(self) -> "Pending":
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        for temporary, (file, _name) in self._files.items():
            with contextlib.suppress(OSError):
                file.close()
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        self._files = {}

    def new(self, directory: Path) -> BinaryIO:
        """Return a file to write to; it goes to this directory, which is made. Raises OSError."""
        directory.mkdir(parents=True, exist_ok=True)
        temporary = directory / f".exitsnoop-{os.getpid()}-{len(self._files)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        file = os.fdopen(os.open(temporary, flags, self._mode), "wb")
        self._files[temporary] = (file, None)
        return file

    def name(self, file: BinaryIO, name: str) -> None:
        """Say that a file is whole, and how it is to be called. Raises OSError."""
        file.flush()
        os.fsync(file.fileno())
        file.close()
        for temporary, (one, _) in self._files.items():
            if one is file:
                self._files[temporary] = (file, temporary.with_name(name))

    def publish(self) -> list[Path]:
        """Rename the files that have a name; return their paths. Raises OSError."""
        published = []
        for temporary, (_, path) in list(self._files.items()):
            if path is not None:
                temporary.replace(path)
                del self._files[temporary]
                published.append(path)
        for directory in {path.parent for path in published}:
            _sync(directory)
        return published


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
