"""Processes that do as a test tells them; the end of those that others left behind."""

import contextlib
import os
import resource
import select
import signal
import subprocess
from collections.abc import Collection, Sequence
from pathlib import Path

from support.supervisor import children_of
from support.waiting import PATIENCE_S


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
