"""The errors that tracing can raise.

TraceError
 ├── NotPermitted    the process lacks a privilege; also a PermissionError
 ├── KernelRefused   the kernel cannot, or will not, run the BPF program
 ├── NoSuchProcess   a process to trace does not exist or has ended; also a ProcessLookupError
 └── MalformedRecord a record from the BPF program cannot be decoded

A wrong argument is a ValueError, as everywhere. A message says what happened and what to do.
"""

import errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class TraceError(Exception):
    """Tracing did not begin, or cannot go on."""


class NotPermitted(TraceError, PermissionError):
    """The kernel did not let this process load or attach a BPF program.

    It is also a PermissionError, with `errno` EPERM.
    """

    def __init__(self, message: str) -> None:
        super().__init__(errno.EPERM, message)

    def __str__(self) -> str:
        return str(self.strerror)  # OSError would put "[Errno 1]" before it

    def __reduce__(self) -> "tuple[Any, ...]":
        return type(self), (self.strerror,)


class KernelRefused(TraceError):
    """The kernel lacks something, its verifier rejected the program, or lockdown forbids it.

    Attributes:
        log: the messages of libbpf and the verifier, many lines; may be empty.
    """

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message)
        self.log = log


class NoSuchProcess(TraceError, ProcessLookupError):
    """A process to trace does not exist, or ended before tracing began.

    It is also a ProcessLookupError, with `errno` ESRCH.

    Attributes:
        pid: the PID that was requested.
    """

    def __init__(self, message: str, pid: int) -> None:
        super().__init__(errno.ESRCH, message)
        self.pid = pid

    def __str__(self) -> str:
        return str(self.strerror)

    def __reduce__(self) -> "tuple[Any, ...]":
        return type(self), (self.strerror, self.pid)


class MalformedRecord(TraceError):
    """A record from the BPF program cannot be decoded; this is a bug in exitsnoop.

    Tracing has stopped. Exits that were read in the same batch are lost.
    """
