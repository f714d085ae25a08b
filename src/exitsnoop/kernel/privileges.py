"""Privileges that tracing needs only to begin, given up.

For a program that only traces, such as the command line: a library leaves the privileges of its
caller alone.
"""

from collections.abc import Iterable

from exitsnoop.errors import KernelRefused
from exitsnoop.kernel import extension

CAP_KILL = 5  # of capability.h: to send a signal to any process


def drop(*, keep: Iterable[int] = ()) -> None:
    """Give up all capabilities but those to keep, and the way to get others by exec (no_new_privs).

    The bounding set is emptied, too, if CAP_SETPCAP is there. Others of its user could now trace
    this process, and take its descriptors, as it has no more capabilities than they: so it is made
    not dumpable. Then it leaves no core either. The user stays.

    The kernel keeps credentials by thread: call this before there are others.

    Raises KernelRefused if it cannot be done.
    """
    try:
        extension().drop_privileges(sum(1 << capability for capability in keep))
    except OSError as error:
        raise KernelRefused(
            f"the kernel does not let this process give up its privileges ({error.strerror}): "
            "a seccomp profile may forbid capset() or prctl()"
        ) from None
