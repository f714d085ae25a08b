"""What a test needs of the machine."""

import functools
import os
from pathlib import Path

import pytest


def need(there: bool, reason: str) -> None:
    """Skip with a reason unless it is there; fail where CI=true, so that no test vanishes."""
    if there:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must not skip: {reason}")
    pytest.skip(reason)


def need_of_kernel(there: bool, what: str) -> None:
    """Skip unless the kernel has it, also where CI=true: no preparation would bring it."""
    if not there:
        pytest.skip(f"this kernel has no {what}")


def need_to_trace(layer: str) -> None:
    """Skip, or fail, unless tests of this layer can trace."""
    need(os.geteuid() == 0, f"{layer} needs root: run `make test`, or `sudo make test`")
    need(Path("/sys/kernel/btf/vmlinux").exists(), f"{layer} needs a kernel with BTF")


def kernel_has(function: str) -> bool:
    """Whether the kernel has this function, which is not static: by name, not by version."""
    return f" {function}\n" in _kernel_symbols()


@functools.cache
def _kernel_symbols() -> str:
    return Path("/proc/kallsyms").read_text()
