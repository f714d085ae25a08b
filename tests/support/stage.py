"""What a test sets up: processes, cgroups. All of it goes at its end, whatever happened."""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import pytest

from support.cgroups import MemoryCgroup, make_cgroup, memory_controllers, mounts, new_name
from support.machine import need, need_of_kernel
from support.processes import Puppet, reap_one
from support.supervisor import adopt_orphans, children_of


class Stage:
    """Makes puppets and cgroups; at its end nothing of them is left, whatever happened."""

    def __init__(self, program: Path) -> None:
        self.program = program
        self._others: set[int] = set()
        self._puppets: list[Puppet] = []
        self._cgroups: list[Path] = []

    def puppet(
        self, *prefix: str, program: Path | None = None, arguments: Sequence[bytes] = ()
    ) -> Puppet:
        """Start one, through another command, if given."""
        puppet = Puppet(program or self.program, *prefix, arguments=arguments)
        self._puppets.append(puppet)
        return puppet

    def init(self) -> Puppet:
        """Start one that is the init of a PID namespace."""
        init = self.puppet("unshare", "--pid", "--fork", "--kill-child")
        assert init.inner_pid == 1
        return init

    def inside(self, init: Puppet) -> Puppet:
        """Start one in the PID namespace of another."""
        return self.puppet("nsenter", f"--pid=/proc/{init.pid}/ns/pid")

    def reused(self, pid: int) -> Puppet:
        """Start one that has the PID of a process that is gone."""
        for _ in range(200):
            Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))
            puppet = self.puppet()
            if puppet.pid == pid:
                return puppet
            puppet.end()
        pytest.fail(f"no process got PID {pid} again")

    def memory_cgroup(
        self, parent: MemoryCgroup | None = None, name: str | None = None
    ) -> MemoryCgroup:
        """Make one at the top, or in another; its name is new if not given."""
        if parent:
            top, two = parent.path, parent.two
        else:
            tops = list(memory_controllers())
            need(bool(tops), "the OOM killer of cgroups needs a memory controller")
            top, two = tops[0]
        if two:
            (top / "cgroup.subtree_control").write_text("+memory")
        group = MemoryCgroup(top / (name or new_name()), two=two)
        self._cgroups.append(group.path)
        return group

    def cgroup(self, top: Path, name: str | None = None) -> Path:
        """Make a cgroup below a directory; its name is new if not given."""
        path = top / (name or new_name())
        make_cgroup(path)
        self._cgroups.append(path)
        return path

    def unified_cgroup(self) -> Path:
        """Make a cgroup of version 2, for cgroup.kill."""
        tops = [path for path, kind, _ in mounts() if kind == "cgroup2"]
        need(bool(tops), "cgroup.kill needs cgroup2")
        path = self.cgroup(tops[0])
        need_of_kernel((path / "cgroup.kill").exists(), "cgroup.kill")
        return path

    def __enter__(self) -> "Stage":
        self._others = set(children_of(os.getpid()))
        adopt_orphans(True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for puppet in self._puppets:
            puppet.process.kill()
        for puppet in self._puppets:
            puppet.end()
        while left := set(children_of(os.getpid())) - self._others:
            reap_one(left)
        for path in reversed(self._cgroups):
            with contextlib.suppress(FileNotFoundError):  # a test may have removed it
                path.rmdir()
        adopt_orphans(False)
