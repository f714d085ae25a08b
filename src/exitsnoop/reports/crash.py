"""Where a process crashed, as a list of functions."""

from collections.abc import Iterator
from itertools import groupby

from exitsnoop.model.cause import At, Cause
from exitsnoop.model.exit import Exit
from exitsnoop.model.functions import function_name
from exitsnoop.sinks.escape import word as escaped

_MOST = 16
_DELETED = " (deleted)"
_FILE = {
    "file": "The address is in {}.",
    "heap": "The address is in the heap.",
    "stack": "The address is in a stack.",
    "guard": "The address is in a page that nobody may use, as at the end of a stack.",
    "reserved": "The address is in memory that is only reserved: nobody may use it.",
    "anonymous": "The address is in memory without a file, as mmap() gives it.",
    "hugetlb": "The address is in huge pages.",
}


def where(of: Exit) -> list[str]:
    """Return lines about the place of a crash, the innermost function first; [] if unknown."""
    cause = of.cause
    if cause is None or (not cause.stack and cause.mapping is None):
        return []
    lines = []
    thread = cause.thread
    if thread and thread.tid != of.pid and cause.stack:
        lines.append(f"in the thread {escaped(thread.comm)}[{thread.tid}]:")
    lines += _frames(cause)
    if cause.mapping and cause.mapping.kind in _FILE:
        lines.append(_FILE[cause.mapping.kind].format(escaped(cause.mapping.path or "")))
    return lines


def _frames(cause: Cause) -> Iterator[str]:
    stack = cause.stack or ()
    different = [(at, len(list(same))) for at, same in groupby(stack)]
    for at, times in different[:_MOST]:
        yield f"  {_place(at)}{f' ({times} times)' if times > 1 else ''}"
    if len(different) > _MOST:
        yield f"  and {len(different) - _MOST} more (--json has them)"
    if stack and not cause.stack_complete:
        yield "What called these is not known."


def _place(at: At) -> str:
    if at.module is None:
        return "code without a file"
    module = escaped(at.module.removesuffix(_DELETED).rpartition("/")[2])
    if at.function is None:
        return f"{module}+{at.offset or 0:#x}"
    return f"{escaped(function_name(at.function))}+{at.function_offset or 0:#x} in {module}"
