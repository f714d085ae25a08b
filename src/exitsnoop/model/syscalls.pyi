"""Generated when the package is built, from the system's <asm/unistd.h>."""

NAMES: dict[int, str]
"""Number -> name of the system calls of this machine."""
