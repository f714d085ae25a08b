"""Trace every process that ends on a Linux machine, with the status that waitpid gives.

>>> import exitsnoop
>>> for ended in exitsnoop.trace(failed=True):
...     print(ended.pid, ended.comm, ended.exit_code, ended.signal_name)
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
    from exitsnoop.model.batch import Exits
    from exitsnoop.model.cause import (
        After,
        At,
        Cause,
        CauseKind,
        Mapped,
        Oom,
        Sender,
        Thread,
        Timer,
    )
    from exitsnoop.model.cgroup import Container
    from exitsnoop.model.context import Ancestor
    from exitsnoop.model.exit import Exit
    from exitsnoop.model.source import Source
    from exitsnoop.tracing.loop import trace
    from exitsnoop.tracing.tracer import Tracer

    __version__: str

__all__ = [
    "After",
    "Ancestor",
    "At",
    "Cause",
    "CauseKind",
    "Container",
    "Exit",
    "Exits",
    "Filters",
    "KernelRefused",
    "MalformedRecord",
    "Mapped",
    "NoSuchProcess",
    "NotPermitted",
    "Oom",
    "Sender",
    "Source",
    "Thread",
    "Timer",
    "TraceError",
    "Tracer",
    "trace",
]

if not TYPE_CHECKING:
    # Each is imported when it is first needed: the command needs few of them, and must start fast.
    _HOMES = {
        "errors": (
            "KernelRefused",
            "MalformedRecord",
            "NoSuchProcess",
            "NotPermitted",
            "TraceError",
        ),
        "filters.filters": ("Filters",),
        "model.batch": ("Exits",),
        "model.cause": (
            *("After", "At", "Cause", "CauseKind", "Mapped", "Oom", "Sender", "Thread", "Timer"),
        ),
        "model.cgroup": ("Container",),
        "model.context": ("Ancestor",),
        "model.exit": ("Exit",),
        "model.source": ("Source",),
        "tracing.loop": ("trace",),
        "tracing.tracer": ("Tracer",),
    }

    def __getattr__(name):
        for home, names in _HOMES.items():
            if name in names:
                from importlib import import_module

                return getattr(import_module(f"exitsnoop.{home}"), name)
        if name == "__version__":
            from importlib.metadata import version

            return version("exitsnoop")
        raise AttributeError(f"module 'exitsnoop' has no attribute {name!r}")

    def __dir__():
        return [*__all__, *(name for name in globals() if name.startswith("__")), "__version__"]
