"""`exitsnoop [options] -- COMMAND`: run it, trace all of it, end with its status."""

import contextlib
import os
import signal
import struct
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NoReturn

from exitsnoop.cli.options import Options, refuse, wanted
from exitsnoop.cli.output import Output, complain
from exitsnoop.cli.priority import Priority
from exitsnoop.cli.show import (
    columns,
    count_unwritten,
    fields,
    follow,
    load_what_rows_need,
    sink,
)
from exitsnoop.cli.summary import Summary
from exitsnoop.errors import MalformedRecord
from exitsnoop.kernel.privileges import CAP_KILL, drop
from exitsnoop.tracing.tracer import Tracer

if TYPE_CHECKING:
    from exitsnoop.sinks import Sink

PASSED_ON = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
SI_KERNEL = 0x80  # from the terminal: COMMAND is in the foreground with us, and gets it, too
NOT_FOUND, NOT_EXECUTABLE = 127, 126  # as env and the shells have it
_ERRNO = struct.Struct("=i")
_GO = b"!"


def run(options: Options, command: list[str]) -> int:
    """Run the command and print what the options ask for; return the exit status.

    Raises TraceError if tracing cannot begin; then the command was not run.
    """
    if options.pids or options.tree:
        refuse("-p and --tree are for processes that run already: leave out COMMAND")
    names = columns(options)
    filters = wanted(
        options,
        tree=[os.getpid()],  # of which COMMAND will be a child
        fields=fields(names) | {"max_rss"},
        why=options.why or "cause" in names,
    )
    output = Output(options.output)  # after the options proved right: it may empty a file
    form = sink(options, names, output)
    load_what_rows_need(names, output)
    summary = Summary()
    on_child = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    inherited = signal.pthread_sigmask(signal.SIG_BLOCK, [*PASSED_ON, signal.SIGCHLD])
    with Tracer(filters, unwanted=True) as tracer:
        child = Child(command, inherited, on_child)  # with the privileges that we have now
        tracer.leave_out(os.getpid())
        priority = Priority()
        drop(keep=[CAP_KILL])  # COMMAND may change its user, and must still get its signals
        try:
            child.start()
        except OSError as error:
            complain(f"cannot run {command[0]!r}: {error.strerror}")
            return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
        passer = Passer(child, tracer, linger=options.linger)
        passer.start()
        try:
            _tell(tracer, form, output, priority, summary)
        except MalformedRecord as error:
            complain(str(error))  # COMMAND goes on all the same
        status = child.wait()
        complain(summary.text(tracer.lost))
    return status


def _tell(
    tracer: Tracer, form: "Sink", output: Output, priority: Priority, summary: Summary
) -> None:
    try:
        follow(tracer, form, output, priority, note=summary.add)
    except BrokenPipeError:
        pass  # the reader has what it wanted; COMMAND goes on
    except OSError as error:
        complain(f"cannot write: {error.strerror}")
        count_unwritten(tracer, output, summary.add)
    for batch in tracer.batches():  # what could not be written counts, too
        summary.add(batch)


class Child:
    """COMMAND, as whoever called sudo, if that is how we run. It is forked now, and waits.

    If it is not started, as when we end before, it ends without having run.

    Args:
        command: its name and arguments.
        mask: the signals that it shall have blocked.
        on_child: what SIGCHLD shall do to it, as signal.signal() has it.
    """

    def __init__(self, command: list[str], mask: Iterable[int], on_child: Any) -> None:
        gate, self._gate = os.pipe()
        self._refusals, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._gate)
            self._become(command, mask, on_child, gate, writer)
        os.close(gate)
        os.close(writer)
        self.pidfd = os.pidfd_open(self.pid)

    def start(self) -> None:
        """Let it run. Raises OSError if it cannot be run."""
        os.write(self._gate, _GO)
        os.close(self._gate)
        with open(self._refusals, "rb") as pipe:
            refusal = pipe.read()
        if refusal:
            self.wait()
            (number,) = _ERRNO.unpack(refusal)
            raise OSError(number, os.strerror(number))

    def _become(
        self, command: list[str], mask: Iterable[int], on_child: Any, gate: int, writer: int
    ) -> NoReturn:
        """Exec. What goes wrong goes to the parent; nothing of Python's may run on in here."""
        try:
            if os.read(gate, len(_GO)) != _GO:
                os._exit(NOT_FOUND)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores these two
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            signal.signal(signal.SIGCHLD, on_child)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            _leave_sudo()
            os.execvp(command[0], command)  # noqa: S606 - that is what we are asked for
        except OSError as error:
            os.write(writer, _ERRNO.pack(error.errno or 0))
        finally:
            os._exit(NOT_FOUND)

    def has_ended(self) -> bool:
        """Return whether it has ended; it is still there to wait for, unless that was done."""
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True

    def wait(self) -> int:
        """Return its exit code; 128 and the signal's number if a signal ended it."""
        _, status = os.waitpid(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        return code if code >= 0 else 128 - code


class Passer(threading.Thread):
    """Passes signals on to COMMAND; ends the trace when COMMAND ends, unless it shall linger."""

    def __init__(self, child: Child, tracer: Tracer, *, linger: bool) -> None:
        super().__init__(daemon=True)
        self._child = child
        self._tracer = tracer
        self._linger = linger

    def run(self) -> None:
        """Do so for ever."""
        if self._child.has_ended() and not self._linger:
            self._tracer.stop()
        while True:
            came = signal.sigwaitinfo([*PASSED_ON, signal.SIGCHLD])
            if came.si_signo == signal.SIGCHLD:
                if not self._linger and self._child.has_ended():
                    self._tracer.stop()
            elif self._child.has_ended():
                self._tracer.stop()
            elif came.si_code != SI_KERNEL:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._child.pidfd, came.si_signo)


def _leave_sudo() -> None:
    """Become the user who called sudo."""
    uid, gid = os.environ.get("SUDO_UID", ""), os.environ.get("SUDO_GID", "")
    if os.geteuid() != 0 or not (uid.isdecimal() and gid.isdecimal()):
        return
    import pwd  # only under sudo

    try:
        user = pwd.getpwuid(int(uid))
    except KeyError:
        os.setgroups([])
    else:
        os.initgroups(user.pw_name, int(gid))
        os.environ.update(
            HOME=user.pw_dir, USER=user.pw_name, LOGNAME=user.pw_name, SHELL=user.pw_shell
        )
    os.setgid(int(gid))
    os.setuid(int(uid))
