"""This machine: what a test needs of it, and how fast it is."""

import functools
import os
from pathlib import Path

import pytest

# Set where the machine is so slow that its time means nothing, such as an emulated one.
SLOW = os.environ.get("SLOW_MACHINE") == "true"


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


def some(count: int) -> int:
    """Return how often, or how many at a time, to do what shows the same each time."""
    return max(1, count // 10) if SLOW else count


def times(usual: int) -> int:
    """Return how often to do what is left to chance: TIMES of the environment, or as usual."""
    return int(os.environ.get("TIMES") or some(usual))


def steps(count: int) -> range:
    """Return so many steps, or some of them that are as far apart from first to last."""
    return range(0, count, 5 if SLOW else 1)


def long(milliseconds: int) -> int:
    """Return how long to do what is counted in ticks, which come late on a slow machine."""
    return milliseconds * 4 if SLOW else milliseconds


def within(seconds: float) -> float:
    """Return how long something takes that takes these seconds, at most, on a usual machine."""
    return seconds * 40 if SLOW else seconds


def limit(seconds: float) -> float:
    """Return the time limit of a test that has this one on a usual machine."""
    return seconds * 10 if SLOW else seconds
