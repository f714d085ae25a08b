"""What a test of causes sets up: processes that do as they are told, cgroups. All of it goes."""

import contextlib
import ctypes
import itertools
import os
import resource
import select
import signal
import subprocess
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from types import TracebackType

import pytest

from exitsnoop import Cause, Exit
from support.needs import need, need_of_kernel
from support.supervisor import children_of, note_made

PATIENCE_S = 60
PR_SET_CHILD_SUBREAPER = 36
_numbers = itertools.count()


class Puppet:
    """A process of a program that has puppet.h."""

    def __init__(self, program: Path, *prefix: str, arguments: Sequence[bytes] = ()) -> None:
        self.process = subprocess.Popen(
            [*prefix, program, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=program.parent,
        )
        try:
            self.inner_pid = int(self._answer().split()[1])
        except BaseException:
            self.end()
            raise
        self.ppid, self.pid = os.getpid(), self.process.pid
        while children := children_of(self.pid):  # of a prefix such as unshare --fork
            self.ppid, (self.pid,) = self.pid, children
        self.args = (str(program),)

    def _answer(self) -> str:
        assert self.process.stdout
        if not select.select([self.process.stdout], [], [], PATIENCE_S)[0]:
            raise TimeoutError("no answer")
        line = self.process.stdout.readline()
        assert line, "the puppet is gone"
        return line.strip()

    def tell(self, *words: object) -> None:
        """Give a command, and leave the answer for finish()."""
        assert self.process.stdin
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def finish(self) -> str:
        return self._answer()

    def ask(self, *words: object) -> str:
        """Give a command; return the answer."""
        self.tell(*words)
        return self._answer()

    def wait(self) -> int:
        """Return how it ended, as subprocess and os.waitstatus_to_exitcode have it."""
        return self.process.wait(timeout=PATIENCE_S)

    def die(self, *words: object) -> str:
        """Give a command that ends it; return the answer from before."""
        answer = self.ask(*words)
        self.wait()
        return answer

    def usage(self) -> resource.struct_rusage:
        """Wait for its end as wait() does; return what the kernel says that it used."""
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        return usage

    def kill(self, victim: "Puppet | int", number: int, how: str = "kill") -> None:
        """Have it send a signal."""
        pid = victim if isinstance(victim, int) else victim.pid
        assert self.ask("send", how, pid, int(number)) == "sent"

    def end(self) -> None:
        self.process.kill()
        with contextlib.suppress(BrokenPipeError):  # of a command that nobody read
            self.process.communicate()


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
        group = MemoryCgroup(top / (name or _new_name()), two=two)
        self._cgroups.append(group.path)
        return group

    def cgroup(self, top: Path, name: str | None = None) -> Path:
        """Make a cgroup below a directory; its name is new if not given."""
        path = top / (name or _new_name())
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
        _prctl(PR_SET_CHILD_SUBREAPER, 1)  # what puppets leave behind comes to us
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
        _prctl(PR_SET_CHILD_SUBREAPER, 0)


def cause_of(exits: list[Exit], who: Puppet | int) -> Cause:
    """Return the cause in the one record of a process, which has waitpid's status."""
    pid = who if isinstance(who, int) else who.pid
    (record,) = [
        record
        for record in exits
        if record.pid == pid and (isinstance(who, int) or record.ppid == who.ppid)  # not another's
    ]
    if isinstance(who, Puppet) and who.process.pid == pid:
        assert os.waitstatus_to_exitcode(record.status) == who.process.returncode
    cause = record.cause
    assert cause, record
    assert cause.text
    assert cause.text.isprintable()
    return cause


def assert_only(cause: Cause, kind: str, *fields: str) -> None:
    """It is of this kind, with these parts of the evidence (and perhaps a si_code), no others."""
    assert cause.kind == kind, cause
    there = {name for name, value in cause._asdict().items() if value is not None}
    assert there - {"kind", "text", "si_code"} == set(fields) - {"si_code"}, cause


def assert_killed(
    cause: Cause, sender: Puppet, how: str | None = "kill", *, uid: int = 0, kind: str = "killed"
) -> None:
    """The kernel saw this puppet send it."""
    assert cause.kind == kind, cause
    who = cause.sender
    assert who, cause
    assert (who.pid, who.ppid, who.comm, who.uid) == (sender.pid, sender.ppid, "deaths", uid)
    assert who.args == sender.args
    if how:
        assert cause.how == how
    for part in ("address", "syscall", "limit", "tty", "oom"):
        assert getattr(cause, part) is None, cause


def reap_one(pids: Collection[int]) -> None:
    """Kill them all; wait for whichever is the first to end: another may have to wait for it."""
    with contextlib.ExitStack() as undo:
        pidfds = {os.pidfd_open(pid): pid for pid in pids}
        for fd, pid in pidfds.items():
            undo.callback(os.close, fd)
            os.kill(pid, signal.SIGKILL)
        ended, _, _ = select.select(pidfds, [], [], PATIENCE_S)
        assert ended, f"{pids} do not end"
        os.waitpid(pidfds[ended[0]], 0)


def kill_off(pid: int) -> None:
    """Kill a process, and wait until it has ended; it may stay a zombie."""
    pidfd = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        assert select.select([pidfd], [], [], PATIENCE_S)[0], "it does not end"
    finally:
        os.close(pidfd)


def adopted(pid: int) -> int:
    """Wait for what has become our child, as its parent is gone; return its status."""
    pidfd = os.pidfd_open(pid)
    try:
        assert select.select([pidfd], [], [], PATIENCE_S)[0], "it does not end"
    finally:
        os.close(pidfd)
    return os.waitpid(pid, 0)[1]


def _new_name() -> str:
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


def _prctl(option: int, value: int) -> None:
    assert ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0
