"""Where rows and messages go, without buffers that could hold back or lose a row."""

import errno
import os
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TextIO

STDOUT, STDERR = 1, 2
NO_THREAD = "this process may start no thread: raise pids.max of its cgroup, or `ulimit -u`"


def hold_standard_descriptors() -> None:
    """Take the places of standard input, output and error that are closed.

    Otherwise a file that is opened later gets their number, and what is meant for them. What holds
    the place cannot be read or written, and COMMAND does not inherit it.
    """
    for descriptor, mode in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_RDONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, mode)  # gets the lowest number that is free


class CannotWrite(Exception):
    """The output cannot be opened, or a write to it failed; the message says why."""

    def __init__(self, error: OSError) -> None:
        where = f" {error.filename}" if error.filename else ""
        super().__init__(f"cannot write{where}: {error.strerror}")


class Output:
    """Standard output, or a file. Every write is whole and at once, or an error.

    A file keeps what it has until begin() is called.

    Attributes:
        unwritten: how many rows were not written, or not completely, because a write failed.

    Args:
        path: of the file; None for standard output.
        private: a file that is created is for its owner alone, whatever the umask.

    Raises CannotWrite if it cannot be written to.
    """

    def __init__(self, path: str | None = None, *, private: bool = False) -> None:
        self._fd = STDOUT
        try:
            if path is not None:
                _refuse_planted_links(path)
                mode = 0o600 if private else 0o666
                self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, mode)
            elif sys.stdout is None:  # it was closed when we started
                raise CannotWrite(OSError(errno.EBADF, os.strerror(errno.EBADF)))
        except OSError as error:
            raise CannotWrite(error) from None
        self._is_file = path is not None
        self.unwritten = 0
        self.is_terminal = os.isatty(self._fd)
        self.takes_utf8 = path is not None or _takes_utf8(sys.stdout)

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._fd

    def width(self) -> int:
        """Return how many characters fit in a line of the terminal, as it is now."""
        return os.get_terminal_size(self._fd).columns

    def begin(self) -> None:
        """Empty the file, if it is one: tracing has begun. Raises CannotWrite."""
        try:
            if self._is_file and stat.S_ISREG(os.fstat(self._fd).st_mode):
                os.ftruncate(self._fd, 0)
        except OSError as error:
            raise CannotWrite(error) from None

    def write(self, text: str, *, rows: bool = False) -> None:
        """Write all of it, waiting for a reader that is behind. rows: each line is an exit.

        Raises BrokenPipeError if there is no reader, CannotWrite if the text cannot be stored.
        """
        self.write_bytes(text.encode(), rows=rows)

    def write_bytes(self, content: bytes, *, rows: bool = False) -> None:
        """Write all of it, as write() does."""
        rest = memoryview(content)
        while rest:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:  # a process that shares the pipe or terminal made it so
                import select  # seldom needed

                select.select([], [self._fd], [])
            except OSError as error:
                self.unwritten += bytes(rest).count(b"\n") if rows else 0
                if isinstance(error, BrokenPipeError):
                    raise
                raise CannotWrite(error) from None


def _refuse_planted_links(path: str) -> None:
    """Raise PermissionError if a link leads away that another user may have put there.

    That is a symbolic link in a directory where everybody may create files, such as /tmp. Linux
    refuses it, too, where fs.protected_symlinks is set. Others cannot change the link meanwhile, as
    the directory is sticky.
    """
    for _ in range(40):  # as many as the kernel follows
        directory = os.path.dirname(path) or "."
        try:
            link, above = os.lstat(path), os.stat(directory)
        except OSError:
            return
        if not stat.S_ISLNK(link.st_mode):
            return
        is_for_all = above.st_mode & stat.S_ISVTX and above.st_mode & stat.S_IWOTH
        if is_for_all and link.st_uid not in (os.geteuid(), above.st_uid):
            raise PermissionError(
                errno.EACCES,
                "it is a symbolic link of another user, who may mean another file",
                path,
            )
        path = os.path.join(directory, os.readlink(path))


def _takes_utf8(stream: "TextIO | None") -> bool:
    """Return whether its reader does, by the locale or PYTHONIOENCODING; None: it is closed."""
    if stream is None or not _is_utf8(stream.encoding):
        return False
    return not sys.flags.utf8_mode or _is_utf8(_asked_for(os.environ))


def _asked_for(environment: "Mapping[str, str]") -> str:
    """Return the encoding that the environment names, "" if none.

    For the locale C, as with an empty environment, Python takes UTF-8 instead (its UTF-8 mode) and
    may set LC_CTYPE so. Whoever asked for C may have a terminal for which bytes of UTF-8 are
    controls.
    """
    names = [environment.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG")]
    if names[1] in _SET_BY_PYTHON:
        names[1] = ""
    locale = next(filter(None, names), "").partition("@")[0].partition(".")[2]
    return environment.get("PYTHONIOENCODING", "").partition(":")[0] or locale


_SET_BY_PYTHON = ("C.UTF-8", "C.utf8", "UTF-8")


def _is_utf8(encoding: str) -> bool:
    return encoding.lower().replace("-", "") == "utf8"


def for_stderr(line: str) -> str:
    """Return a line of a message with what it quotes escaped."""
    try:
        from exitsnoop.sinks.escape import message  # seldom needed before tracing is on

        return message(line, ascii_only=not _takes_utf8(sys.stderr))
    except ImportError:  # without privileges the package may be unreadable
        return ascii(line)[1:-1]


clear_line: "Callable[[], None] | None" = None
"""Removes the line that says how far something is, if there is one."""


def complain(message: str, details: str = "") -> None:
    """Write a message to standard error: one line, and details below it if there are any.

    What they quote is escaped.
    """
    lines = [f"exitsnoop: {message}", *(f"  {line}" for line in details.splitlines())]
    text = "".join(f"{for_stderr(line)}\n" for line in lines)
    if clear_line:
        clear_line()
    try:
        os.write(STDERR, text.encode())
    except OSError:
        pass  # nobody reads it
