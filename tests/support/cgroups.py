"""Cgroups of version 1 and 2: where they are mounted, ones for a test. And other mounts."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from support.processes import Puppet
from support.supervisor import note_made

_numbers = itertools.count()


class MemoryCgroup:
    """A cgroup in the memory controller's tree, version 1 or 2."""

    def __init__(self, path: Path, *, two: bool) -> None:
        self.path = path
        self.two = two
        make_cgroup(path)

    def set_limit(self, size: int) -> None:
        (self.path / ("memory.max" if self.two else "memory.limit_in_bytes")).write_text(str(size))
        swap = self.path / ("memory.swap.max" if self.two else "memory.memsw.limit_in_bytes")
        if swap.exists():
            swap.write_text("0" if self.two else str(size))

    def join(self, puppet: Puppet) -> str:
        """Move a puppet in; return the cgroup's path as the kernel gives it."""
        puppet.ask("put", self.path / "cgroup.procs", puppet.inner_pid)
        for line in Path(f"/proc/{puppet.pid}/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if (self.two and not controllers) or "memory" in controllers.split(","):
                return path
        raise AssertionError("no memory cgroup")


def new_name() -> str:
    """Return a name that no other cgroup has, of this run or another."""
    return f"exitsnoop-{os.getpid()}-{next(_numbers)}"


def make_cgroup(path: Path) -> None:
    """Make one that is removed at the end of the run, if it is still there."""
    note_made(path)
    path.mkdir()


def mounts() -> Iterator[tuple[Path, str, list[str]]]:
    for line in Path("/proc/mounts").read_text().splitlines():
        _, path, kind, options, *_ = line.split()
        yield Path(path), kind, options.split(",")


def memory_controllers() -> Iterator[tuple[Path, bool]]:
    """Where the memory controller is mounted, and whether it is that of cgroup2."""
    for path, kind, options in mounts():
        if kind == "cgroup" and "memory" in options:
            yield path, False
        elif kind == "cgroup2" and "memory" in (path / "cgroup.controllers").read_text().split():
            yield path, True
