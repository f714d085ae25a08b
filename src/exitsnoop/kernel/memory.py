"""Memory of this process that was freed."""

from exitsnoop.kernel import extension


def return_memory() -> None:
    """Give it back to the system.

    The C library keeps much of what a burst took: holes between what is still in use. Without
    glibc, it does nothing.
    """
    extension().return_memory()
