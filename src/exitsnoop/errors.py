"""What can keep a Tracer from tracing, or from going on.

TraceError
 ├── NotPermitted    the caller lacks a privilege
 ├── KernelRefused   this kernel cannot, or will not, run the BPF program
 ├── NoSuchProcess   a process to trace does not exist, or has ended already
 └── MalformedRecord the kernel side sent what is no record

Wrong arguments are a ValueError, as everywhere. The message is for the person who reads it: what
happened and what to do.
"""


class TraceError(Exception):
    """Tracing did not begin, or cannot go on."""


class NotPermitted(TraceError):
    """The kernel did not let this process load or attach a BPF program."""


class KernelRefused(TraceError):
    """The kernel lacks something, its verifier rejected the program, or lockdown forbids it.

    Attributes:
        log: what libbpf and the verifier said, many lines; may be empty.
    """

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message)
        self.log = log


class NoSuchProcess(TraceError):
    """There is no such process, or it ended before tracing began.

    Attributes:
        pid: the PID asked for.
    """

    def __init__(self, message: str, pid: int) -> None:
        super().__init__(message)
        self.pid = pid


class MalformedRecord(TraceError):
    """What was read is not as our own BPF program writes it.

    Exits that were read along with it are not told.
    """
