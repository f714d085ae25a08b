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
        self._files: list[BinaryIO] = []
        self._names: dict[Path, Path | None] = {}

    def __enter__(self) -> "Pending":
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        for file in self._files:
            with contextlib.suppress(OSError):
                file.close()
        for temporary in self._names:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        self._files, self._names = [], {}

    def new(self, directory: Path) -> BinaryIO:
        """Return a file to write to; it goes to this directory, which is made. Raises OSError."""
        directory.mkdir(parents=True, exist_ok=True)
        temporary = directory / f".exitsnoop-{os.getpid()}-{len(self._names)}"
        self._names[temporary] = None  # before it is there: a signal may end us as it is opened
        file = open(temporary, "xb", opener=self._create)  # noqa: SIM115
        self._files.append(file)
        return file

    def _create(self, path: str, flags: int) -> int:
        return os.open(path, flags, self._mode)

    def name(self, file: BinaryIO, name: str) -> None:
        """Say that a file is whole, and how it is to be called. Raises OSError."""
        file.flush()
        os.fsync(file.fileno())
        file.close()
        temporary = Path(file.name)
        self._names[temporary] = temporary.with_name(name)

    def publish(self) -> list[Path]:
        """Rename the files that have a name; return their paths. Raises OSError."""
        published = []
        for temporary, path in list(self._names.items()):
            if path is not None:
                temporary.replace(path)
                del self._names[temporary]
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
