"""Trace every process that ends on a Linux machine, with the status that waitpid gives.

>>> import exitsnoop
>>> for exit in exitsnoop.trace(failed=True):
...     print(exit.pid, exit.comm, exit.exit_code, exit.signal_name)
"""

TYPE_CHECKING = False  # typing's, which takes long to import
if TYPE_CHECKING:
    from exitsnoop.errors import (
        KernelRefused,
        MalformedRecord,
        NoSuchProcess,
        NotPermitted,
        TraceError,
    )
    from exitsnoop.filters.filters import Filters
    from exitsnoop.model.cause import Cause, Oom, Sender
    from exitsnoop.model.exit import Exit
    from exitsnoop.tracing.tracer import Tracer, trace

__all__ = [
    "Cause",
    "Exit",
    "Filters",
    "KernelRefused",
    "MalformedRecord",
    "NoSuchProcess",
    "NotPermitted",
    "Oom",
    "Sender",
    "TraceError",
    "Tracer",
    "trace",
]

if not TYPE_CHECKING:
    # Imported as they are asked for: the command needs few of them, and shall start fast.
    _HOMES = {
        "errors": (
            "KernelRefused",
            "MalformedRecord",
            "NoSuchProcess",
            "NotPermitted",
            "TraceError",
        ),
        "filters.filters": ("Filters",),
        "model.cause": ("Cause", "Oom", "Sender"),
        "model.exit": ("Exit",),
        "tracing.tracer": ("Tracer", "trace"),
    }

    def __getattr__(name):
        for home, names in _HOMES.items():
            if name in names:
                from importlib import import_module

                return getattr(import_module(f"exitsnoop.{home}"), name)
        raise AttributeError(f"module 'exitsnoop' has no attribute {name!r}")
