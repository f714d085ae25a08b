"""Trace every process that ends on a Linux machine, with the status that waitpid gives.

>>> import exitsnoop
>>> for exit in exitsnoop.trace(failed=True):
...     print(exit.pid, exit.comm, exit.exit_code, exit.signal_name)
"""

from exitsnoop.causes import Cause, Oom
from exitsnoop.errors import KernelRefused, NoSuchProcess, NotPermitted, TraceError
from exitsnoop.evidence import Sender
from exitsnoop.records import Exit
from exitsnoop.tracer import Tracer, trace

__all__ = [
    "Cause",
    "Exit",
    "KernelRefused",
    "NoSuchProcess",
    "NotPermitted",
    "Oom",
    "Sender",
    "TraceError",
    "Tracer",
    "trace",
]
