"""Exit: what is known of one exit."""

from typing import TYPE_CHECKING, NamedTuple

from exitsnoop.model import status as wait_status

if TYPE_CHECKING:
    from datetime import datetime

    from exitsnoop.model.cause import Cause
    from exitsnoop.model.cgroup import Container
    from exitsnoop.model.context import Ancestor, Context


class Record(NamedTuple):
    """What every Exit has; Exit tells what each part is."""

    boot_ns: int
    start_boot_ns: int
    pid: int
    tid: int
    ppid: int
    status: int
    last_thread: bool
    wanted: bool
    raw_comm: bytes
    wall_ns: int
    cause: "Cause | None" = None
    context: "Context | None" = None


class Exit(Record):
    """One process that ended, or one thread when tracing per thread.

    Take the parts by name; their order and number will change. PIDs are those of the initial PID
    namespace. What is not known, or was not asked for (Tracer's `fields`), is None.

    Attributes:
        boot_ns: when it exited, nanoseconds of the boot clock (CLOCK_BOOTTIME).
        start_boot_ns: when the process was created, same clock; exec does not change it.
        pid: the process.
        tid: the thread; equals pid in the record of a process.
        ppid: the parent at that time.
        status: the wait status, as waitpid gives it to the parent (see the os.W* functions). For a
            thread that was not its process's last, what it ended with itself.
        last_thread: whether the process ended with it: False only for other threads, per thread.
        wanted: whether the filters let it pass: False only with Tracer(unwanted=True).
        raw_comm: the name as the kernel has it, 16 bytes filled up with NUL.
        wall_ns: when it exited, nanoseconds since the epoch.
        cause: why, if traced with why; None for a thread after which its process went on.
        context: where the properties from `uid` on come from.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return (
            f"Exit(pid={self.pid}, tid={self.tid}, ppid={self.ppid}, comm={self.comm!r}, "
            f"age={self.age}, status={self.status:#x} <{wait_status.describe(self.status)}>)"
        )

    @property
    def comm(self) -> str:
        """The name of the process (of the thread, per thread), at most 15 bytes.

        Any character may be in it. Invalid UTF-8 becomes U+FFFD.
        """
        return self.raw_comm.partition(b"\0")[0].decode("utf-8", "replace")

    @property
    def time(self) -> "datetime":
        """When it exited, in UTC, to the microsecond."""
        from datetime import datetime, timedelta, timezone  # slow to import

        epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
        return epoch + timedelta(microseconds=self.wall_ns // 1000)

    @property
    def age(self) -> float:
        """How long it lived, in seconds to the microsecond, time in suspend included."""
        return (self.boot_ns - self.start_boot_ns) // 1000 / 1_000_000

    @property
    def exit_code(self) -> int | None:
        """What it exited with, 0-255; None if a signal ended it."""
        return wait_status.exit_code(self.status)

    @property
    def signal(self) -> int | None:
        """The signal that ended it, 1-64; None if it exited."""
        return wait_status.signal(self.status)

    @property
    def signal_name(self) -> str | None:
        """The name of that signal with SIG, as `kill -l` gives it: "SIGSEGV", "SIGRTMIN+2"."""
        return wait_status.full_signal_name(self.status)

    @property
    def core_dumped(self) -> bool:
        """Whether the kernel wrote a core."""
        return wait_status.core_dumped(self.status)

    @property
    def uid(self) -> int | None:
        """The real user, of the initial user namespace."""
        return self.context and self.context.uid

    @property
    def nspid(self) -> int | None:
        """Its PID in the innermost PID namespace that it was in."""
        return self.context and self.context.nspid

    @property
    def hostname(self) -> str | None:
        """The host name that it saw: its container's, or the machine's."""
        return self.context and self.context.hostname

    @property
    def parent_comm(self) -> str | None:
        """The name of the process ppid."""
        return self.context and self.context.parent_comm

    @property
    def ancestors(self) -> "tuple[Ancestor, ...] | None":
        """The processes above it, the nearest first, at most 32."""
        return self.context and self.context.ancestors

    @property
    def ancestors_truncated(self) -> bool | None:
        """Whether there were more ancestors."""
        return self.context and self.context.ancestors_truncated

    @property
    def cgroup(self) -> str | None:
        """The path of its cgroup, of version 2; of version 1 where version 2 is not used."""
        return self.context and self.context.cgroup

    @property
    def cpu_user(self) -> float | None:
        """Seconds of CPU time in user mode, of all its threads, up to the exit.

        As wait4 tells, less what ran since the last tick of the clock.
        """
        return self.context and self.context.cpu_user

    @property
    def cpu_system(self) -> float | None:
        """Seconds of CPU time in the kernel, likewise."""
        return self.context and self.context.cpu_system

    @property
    def max_rss(self) -> int | None:
        """Peak of resident memory in bytes, of the program it ran last.

        wait4 also counts what ran in the process before an exec; for a child of vfork that is its
        parent. Up to 6.15 the kernel cannot tell them apart, and it is None if that was more.
        """
        return self.context and self.context.max_rss

    @property
    def read_bytes(self) -> int | None:
        """Bytes read from storage: /proc/PID/io."""
        return self.context and self.context.read_bytes

    @property
    def write_bytes(self) -> int | None:
        """Bytes to be written to storage: /proc/PID/io."""
        return self.context and self.context.write_bytes

    @property
    def minor_faults(self) -> int | None:
        """Page faults that needed no input."""
        return self.context and self.context.minor_faults

    @property
    def major_faults(self) -> int | None:
        """Page faults that needed input."""
        return self.context and self.context.major_faults

    @property
    def voluntary_switches(self) -> int | None:
        """How often it gave up the CPU, less the last time."""
        return self.context and self.context.voluntary_switches

    @property
    def involuntary_switches(self) -> int | None:
        """How often the CPU was taken from it."""
        return self.context and self.context.involuntary_switches

    @property
    def user(self) -> str | None:
        """The name of the user; None if it has none."""
        return self.context and self.context.user

    @property
    def exe(self) -> str | None:
        """Path of the executable, as /proc/PID/exe tells it: for a script its interpreter."""
        return self.context and self.context.exe

    @property
    def args(self) -> tuple[str, ...] | None:
        """The arguments it was started with, the name first; at most 16,384 bytes of them."""
        return self.context and self.context.args

    @property
    def args_truncated(self) -> bool | None:
        """Whether there were more arguments."""
        return self.context and self.context.args_truncated

    @property
    def container(self) -> "Container | None":
        """The innermost container that the cgroup's path names; None if it names none."""
        return self.context and self.context.container

    @property
    def pod(self) -> str | None:
        """The uid of the Kubernetes pod that the cgroup's path names."""
        return self.context and self.context.pod

    @property
    def unit(self) -> str | None:
        """The systemd unit that the cgroup's path names."""
        return self.context and self.context.unit

    @property
    def user_unit(self) -> str | None:
        """The unit of the user's own systemd that the cgroup's path names."""
        return self.context and self.context.user_unit
