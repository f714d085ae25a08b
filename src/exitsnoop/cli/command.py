"""`exitsnoop [options] -- COMMAND`: run it, trace all of it, end with its status."""

import contextlib
import errno
import os
import signal
import struct
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from exitsnoop.cli.options import Options, refuse, wanted
from exitsnoop.cli.output import NO_THREAD, CannotWrite, Output, complain
from exitsnoop.cli.priority import Priority
from exitsnoop.cli.ready import Ready
from exitsnoop.cli.show import (
    columns,
    count_unwritten,
    fields,
    follow,
    load_what_rows_need,
    output_of,
    sink,
)
from exitsnoop.cli.stop import STOP_SIGNALS, Patience
from exitsnoop.cli.summary import Summary
from exitsnoop.errors import MalformedRecord, TraceError
from exitsnoop.kernel import lines
from exitsnoop.kernel.privileges import CAP_KILL, drop
from exitsnoop.model.words import SHELLS
from exitsnoop.tracing.tracer import Tracer

if TYPE_CHECKING:
    from exitsnoop.filters.filters import Filters
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


class Shown(Protocol):
    """What becomes of the exits of a COMMAND."""

    def begin(self) -> None:
        """Begin: tracing is on. Raises CannotWrite; then COMMAND is not run."""

    def show(self, tracer: Tracer, priority: Priority) -> None:
        """Take all exits until the tracer ends. Raises MalformedRecord."""

    def sum_up(self, tracer: Tracer, pid: int) -> None:
        """Say what came of it, at the end; pid: of COMMAND."""


def run(options: Options, command: list[str]) -> int:
    """Run the command and print what the options ask for; return the exit status.

    Raises TraceError or CannotWrite if tracing cannot begin; then the command was not run.
    """
    refuse_targets(options)
    names = columns(options)
    filters = wanted(
        options,
        tree=[os.getpid()],  # COMMAND will be a child of it
        fields=fields(names) | {"max_rss"},
        why=options.why or "cause" in names,
    )
    ready = Ready(options.ready_fd)
    output = output_of(options, names)  # what cannot be written is refused before COMMAND runs
    form = sink(options, names, output, lines)
    load_what_rows_need(names, output)
    return traced(options, command, filters, ready, _Rows(form, output))


def refuse_targets(options: Options) -> None:
    """Raise UsageError if the options name processes to trace."""
    if options.pids or options.tree:
        refuse("-p and --tree are for processes that run already: leave out COMMAND")


def traced(
    options: Options, command: list[str], filters: "Filters", ready: Ready, shown: Shown
) -> int:
    """Run the command; return its status.

    Args:
        options: those about COMMAND.
        command: its name and arguments.
        filters: what is traced; this process must be their `tree`. What they leave out of it is
            shown, too, as not `wanted`.
        ready: learns when tracing is on.
        shown: what becomes of the exits.

    Raises TraceError or CannotWrite as run() does.
    """
    on_child = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    inherited = signal.pthread_sigmask(signal.SIG_BLOCK, [*PASSED_ON, signal.SIGCHLD])
    with Tracer(filters, unwanted=True) as tracer:
        shown.begin()
        ready.tell()
        caller = None if options.as_root else _caller()
        child = Child(command, inherited, on_child, caller)  # before we drop privileges
        tracer.leave_out(os.getpid())
        priority = Priority()
        drop(keep=[CAP_KILL])  # COMMAND may change its user, and must still get its signals
        _start_thread(Passer(child, tracer, linger=options.linger))
        if caller:
            complain(f"COMMAND runs as {caller}, who called sudo; --as-root runs it as root")
        try:
            child.start()
        except OSError as error:
            complain(f"cannot run {command[0]!r}: {error.strerror}")
            return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
        try:
            shown.show(tracer, priority)
        except MalformedRecord as error:
            complain(str(error))  # COMMAND goes on all the same
        status = child.wait()
        shown.sum_up(tracer, child.pid)
    return status


class _Rows:
    """A row for each exit, and a summary."""

    def __init__(self, form: "Sink", output: Output) -> None:
        self._form = form
        self._output = output
        self._summary = Summary()
        self.begin = output.begin

    def show(self, tracer: Tracer, priority: Priority) -> None:
        note = self._summary.add
        try:
            follow(tracer, self._form, self._output, priority, note=note)
        except BrokenPipeError:
            pass  # nobody reads the rows any more; COMMAND goes on
        except CannotWrite as error:
            complain(str(error))
            count_unwritten(tracer, self._output, note)
        for batch in tracer.batches():  # the summary counts all
            note(batch)

    def sum_up(self, tracer: Tracer, _: int) -> None:
        complain(self._summary.text(tracer.lost))


class Child:
    """COMMAND, forked and waiting for start().

    If this process ends before start(), COMMAND ends without having run.

    Args:
        command: its name and arguments.
        mask: the signals to block in it.
        on_child: its handler of SIGCHLD, as for signal.signal().
        caller: the user that it becomes before; None for none.

    Raises OSError if the process may have no more descriptors or children.
    """

    def __init__(
        self, command: list[str], mask: Iterable[int], on_child: Any, caller: "_Caller | None"
    ) -> None:
        ignored = _ignored_by_parent()
        gate, self._gate = os.pipe()
        self._refusals, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._gate)
            self._become(command, mask, on_child, ignored, caller, gate, writer)
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
        self,
        command: list[str],
        mask: Iterable[int],
        on_child: Any,
        ignored: "set[int]",
        caller: "_Caller | None",
        gate: int,
        writer: int,
    ) -> NoReturn:
        """Exec. Send an error to the parent; nothing of Python may go on in the child."""
        try:
            if os.read(gate, len(_GO)) != _GO:
                os._exit(NOT_FOUND)
            for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores both
                signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
            signal.signal(signal.SIGCHLD, on_child)
            if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:  # Python would raise an exception
                signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            if caller:
                caller.become()
            _execute(command)
        except OSError as error:
            os.write(writer, _ERRNO.pack(error.errno or 0))
        finally:
            os._exit(NOT_FOUND)

    def has_ended(self) -> bool:
        """Return whether it has ended. This does not reap it."""
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True

    def wait(self) -> int:
        """Return its exit code, or 128 plus the number of the signal that ended it."""
        _, status = os.waitpid(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        return code if code >= 0 else 128 - code


def _execute(command: list[str]) -> NoReturn:
    """Become this command, as `env` does: a script without #! is one of sh. Raises OSError."""
    name = command[0]
    if not name:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    try:
        os.execvp(name, command)  # noqa: S606 - that is our task
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
    places = [""] if "/" in name else os.get_exec_path()
    paths = [os.path.join(place, name) for place in places]
    path = next(path for path in paths if os.path.isfile(path) and os.access(path, os.X_OK))
    os.execv("/bin/sh", ["/bin/sh", path, *command[1:]])  # noqa: S606


def _ignored_by_parent() -> set[int]:
    """Return which of SIGPIPE and SIGXFSZ this process was to ignore from its start on, if known.

    Python ignores both, and nothing shows what was before. What a shell, a service manager or
    `timeout` ignores, its commands ignore; other programs may change that for a command.
    """
    parent = f"/proc/{os.getppid()}"
    try:
        with open(f"{parent}/comm") as file:
            name = file.read().strip()
        with open(f"{parent}/status") as file:
            (text,) = [line.split()[1] for line in file if line.startswith("SigIgn:")]
    except (OSError, ValueError):
        return set()
    if name not in SHELLS | _PASS_IGNORED_ON:
        return set()
    return {
        number for number in (signal.SIGPIPE, signal.SIGXFSZ) if int(text, 16) >> number - 1 & 1
    }


_PASS_IGNORED_ON = {"systemd", "timeout"}


def _start_thread(thread: threading.Thread) -> None:
    """Start it before COMMAND: nothing that can fail comes after that. Raises TraceError."""
    try:
        thread.start()
    except RuntimeError:
        raise TraceError(NO_THREAD) from None


class Passer(threading.Thread):
    """Passes signals on to COMMAND; stops the trace when COMMAND ends, unless it is to linger."""

    def __init__(self, child: Child, tracer: Tracer, *, linger: bool) -> None:
        super().__init__(daemon=True)
        self._child = child
        self._tracer = tracer
        self._linger = linger

    def run(self) -> None:
        """Do so until the process ends. A later signal ends it, though rows may be left."""
        patience = Patience()
        if self._child.has_ended() and not self._linger:
            self._tracer.stop()
        while True:
            came = signal.sigwaitinfo([*PASSED_ON, signal.SIGCHLD])
            insists = came.si_signo in STOP_SIGNALS and patience.is_over(came.si_signo)
            if came.si_signo == signal.SIGCHLD:
                if not self._linger and self._child.has_ended():
                    self._tracer.stop()
            elif self._child.has_ended():
                if self._tracer.stopped and insists:
                    os._exit(128 + came.si_signo)  # perhaps nobody reads the rows
                self._tracer.stop()
            elif came.si_code != SI_KERNEL:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._child.pidfd, came.si_signo)


class _Caller:
    """The user who called sudo."""

    def __init__(self, uid: int, gid: int) -> None:
        import pwd  # only under sudo

        self._uid, self._gid = uid, gid
        try:
            self._user: pwd.struct_passwd | None = pwd.getpwuid(uid)
        except KeyError:
            self._user = None

    def __str__(self) -> str:
        return self._user.pw_name if self._user else f"uid {self._uid}"

    def become(self) -> None:
        """Become this user."""
        if self._user:
            user = self._user
            os.initgroups(user.pw_name, self._gid)
            os.environ.update(
                HOME=user.pw_dir, USER=user.pw_name, LOGNAME=user.pw_name, SHELL=user.pw_shell
            )
        else:
            os.setgroups([])
        os.setgid(self._gid)
        os.setuid(self._uid)


def _caller() -> _Caller | None:
    """Return who called sudo; None if it was root, or if this is not under sudo."""
    uid, gid = os.environ.get("SUDO_UID", ""), os.environ.get("SUDO_GID", "")
    if os.geteuid() != 0 or not (_is_number(uid) and _is_number(gid)) or not int(uid):
        return None
    return _Caller(int(uid), int(gid))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()
