"""Trace every process that ends on a Linux machine, with the status that waitpid gives.

>>> import exitsnoop
>>> for exit in exitsnoop.trace(failed=True):
...     print(exit.pid, exit.comm, exit.exit_code, exit.signal_name)
"""

from exitsnoop.errors import KernelRefused, NoSuchProcess, NotPermitted, TraceError
from exitsnoop.records import Exit
from exitsnoop.tracer import Tracer, trace

__all__ = [
    "Exit",
    "KernelRefused",
    "NoSuchProcess",
    "NotPermitted",
    "TraceError",
    "Tracer",
    "trace",
]
