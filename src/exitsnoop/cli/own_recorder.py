"""A recorder of our own, for a while: for `exitsnoop top` where nobody else records."""

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

from exitsnoop.store.errors import NoStore
from exitsnoop.store.recording import Recording

MAX_SIZE = "64M"
_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - a directory of our own is made there
_LEAST_FREE = 256 << 20
_PR_SET_PDEATHSIG = 1


class OwnRecorder:
    """A process that records to a directory of its own, which nobody else can read.

    It ends with this process, however that ends, and then the directory is gone.

    Attributes:
        status: its exit status; None while it runs.
    """

    def __init__(self) -> None:
        self.status: int | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="exitsnoop-top-", dir=_place()))
        parent = os.getpid()
        self._pid = os.fork()
        if not self._pid:
            _record(self._folder, parent)

    def recording(self) -> Recording | None:
        """Return the recording; None if it has not begun, or if the recorder has ended."""
        if self._has_ended():
            return None
        try:
            found = Recording(self._folder / "recording")
        except NoStore:
            return None
        return found if found.recorded() else None

    def _has_ended(self) -> bool:
        if self.status is None:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status is not None

    def said(self) -> str:
        """Return what it wrote to standard error."""
        return (self._folder / "said").read_text(encoding="utf-8", errors="replace")

    def end(self) -> None:
        """End it, and remove its directory."""
        if not self._has_ended():
            os.kill(self._pid, signal.SIGTERM)
            os.waitpid(self._pid, 0)
        shutil.rmtree(self._folder, ignore_errors=True)


def _place() -> Path | None:
    """Return where the directory is made: in memory if there is room; None for the usual place."""
    try:
        found = os.statvfs(_IN_MEMORY)
    except OSError:
        return None
    return _IN_MEMORY if found.f_frsize * found.f_bavail >= _LEAST_FREE else None


def _record(folder: Path, parent: int) -> NoReturn:
    """Record, in the child, until the parent ends."""
    from exitsnoop.cli import main

    status = os.EX_SOFTWARE
    try:
        os.setsid()  # keys of the terminal are not for it
        nothing = os.open(os.devnull, os.O_RDWR)
        said = os.open(folder / "said", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for number, target in ((nothing, 0), (nothing, 1), (said, 2)):
            os.dup2(number, target)
        _end_with_parent(parent)
        status = main(["record", "--store", str(folder / "recording"), "--max-size", MAX_SIZE])
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else status
    finally:
        sys.stderr.flush()
        is_left = signal.getsignal(signal.SIGUSR1) == signal.SIG_IGN
        if is_left or os.getppid() != parent:
            shutil.rmtree(folder, ignore_errors=True)
        os._exit(status)


def _end_with_parent(parent: int) -> None:
    """Be sent one SIGTERM when the parent ends: a second one would end it at once.

    The kernel sends its signal again and again, as one thread of the parent ends after another, so
    that this handler may run within itself.
    """
    from ctypes import CDLL

    def end(number: int, _frame: object) -> None:
        if signal.signal(number, signal.SIG_IGN) != signal.SIG_IGN:
            os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGUSR1, end)
    CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGUSR1)
    if os.getppid() != parent:
        sys.exit(os.EX_OK)
