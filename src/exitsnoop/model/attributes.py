"""Attributes: what an Exit has, by name. `make fields` writes this file from fields.py."""

from datetime import datetime

from exitsnoop.model import cgroup, derived, status
from exitsnoop.model.cause import Cause
from exitsnoop.model.cgroup import Container
from exitsnoop.model.context import Ancestor


class Attributes:
    """What is known of an exit. What is unknown, or was not collected, is None."""

    __slots__ = ("_values",)

    def __init__(
        self,
        *,
        boot_ns: int,
        pid: int,
        ppid: int,
        tid: int,
        status: int,
        start_boot_ns: int,
        wall_ns: int,
        raw_comm: bytes,
        last_thread: bool = True,
        cause: Cause | None = None,
        args: tuple[str, ...] | None = None,
        args_truncated: bool | None = None,
        exe: str | None = None,
        cwd: str | None = None,
        uid: int | None = None,
        user: str | None = None,
        parent_comm: str | None = None,
        ancestors: tuple[Ancestor, ...] | None = None,
        ancestors_truncated: bool | None = None,
        cgroup: str | None = None,
        container_name: str | None = None,
        pod_name: str | None = None,
        namespace: str | None = None,
        nspid: int | None = None,
        hostname: str | None = None,
        cpu_user: float | None = None,
        cpu_system: float | None = None,
        max_rss: int | None = None,
        read_bytes: int | None = None,
        write_bytes: int | None = None,
        minor_faults: int | None = None,
        major_faults: int | None = None,
        voluntary_switches: int | None = None,
        involuntary_switches: int | None = None,
        wanted: bool = True,
    ) -> None:
        self._values = (
            boot_ns,
            pid,
            ppid,
            tid,
            status,
            last_thread,
            start_boot_ns,
            wall_ns,
            raw_comm,
            cause,
            args,
            args_truncated,
            exe,
            cwd,
            uid,
            user,
            parent_comm,
            ancestors,
            ancestors_truncated,
            cgroup,
            container_name,
            pod_name,
            namespace,
            nspid,
            hostname,
            cpu_user,
            cpu_system,
            max_rss,
            read_bytes,
            write_bytes,
            minor_faults,
            major_faults,
            voluntary_switches,
            involuntary_switches,
            wanted,
        )

    @property
    def time(self) -> datetime:
        """When it exited. To the microsecond, in UTC; the table has the time of day."""
        return derived.moment(self.wall_ns)

    @property
    def boot_ns(self) -> int:
        """When it exited, nanoseconds of the boot clock.

        CLOCK_BOOTTIME, which nobody sets: for ordering. As a number of JSON it exceeds 2^53 after
        104 days without a boot: readers that keep numbers as doubles (jq up to 1.6, JavaScript)
        then round it, to 2 ns at first. So they round start_boot_ns, too, and wall_ns to 256 ns.
        """
        return self._values[0]

    @property
    def comm(self) -> str:
        """Its name, at most 15 bytes.

        With --per-thread, the name of the thread. It may contain any character. Invalid UTF-8 is
        U+FFFD, as in all text.
        """
        return derived.name(self.raw_comm)

    @property
    def pid(self) -> int:
        """Its PID. All PIDs are those of the initial PID namespace."""
        return self._values[1]

    @property
    def ppid(self) -> int:
        """The PID of its parent.

        The parent at the exit: if its own parent had ended, the process that adopted it.
        """
        return self._values[2]

    @property
    def tid(self) -> int:
        """The thread; the PID unless traced per thread."""
        return self._values[3]

    @property
    def age(self) -> float:
        """How long it lived, in seconds.

        To the microsecond. Time in suspend counts; exec does not start it again.
        """
        return derived.age(self.boot_ns, self.start_boot_ns)

    @property
    def exit(self) -> str:
        """How it ended: exit code or signal, in words. Such as "0", "code 1", "signal 9 (KILL)"."""
        return status.describe(self.status)

    @property
    def exit_code(self) -> int | None:
        """Its exit code, unknown if a signal ended it. 0 to 255."""
        return status.exit_code(self.status)

    @property
    def signal(self) -> int | None:
        """Number of the signal that ended it, unknown if none. 1 to 64."""
        return status.signal(self.status)

    @property
    def signal_name(self) -> str | None:
        """Name of that signal, such as SIGSEGV.

        As kill -l names it: 34 is SIGRTMIN, 64 SIGRTMAX. 32 and 33 belong to the C library and have
        no name: SIG32, SIG33.
        """
        return status.full_signal_name(self.status)

    @property
    def core_dumped(self) -> bool:
        """Whether a core was written."""
        return status.core_dumped(self.status)

    @property
    def status(self) -> int:
        """The wait status, as waitpid gives it.

        For os.WIFEXITED and the like. For a thread that was not the last of its process: what the
        thread itself ended with.
        """
        return self._values[4]

    @property
    def last_thread(self) -> bool:
        """Whether the process ended with this thread.

        False only with --per-thread, in all rows of a process except one. Up to Linux 6.15, when
        threads leave at the same moment, that one may not be the last row.
        """
        return self._values[5]

    @property
    def start_boot_ns(self) -> int:
        """When it was created, nanoseconds of the boot clock.

        Exec does not change it: with the PID it identifies a process until the next boot.
        """
        return self._values[6]

    @property
    def wall_ns(self) -> int:
        """When it exited, nanoseconds since the epoch."""
        return self._values[7]

    @property
    def raw_comm(self) -> bytes:
        """Its name as the kernel has it: 16 bytes, in hexadecimal.

        bytes in Python. The name ends at the first NUL.
        """
        return self._values[8]

    @property
    def cause(self) -> Cause | None:
        """Who or what ended it.

        See docs/causes.md. With --per-thread, it is that of the thread: one that had a fault, or
        called exit, has the cause of the process; the others say which thread ended them. A signal
        for the whole process is in every row.
        """
        return self._values[9]

    @property
    def args(self) -> tuple[str, ...] | None:
        """Its arguments, its own name first.

        As they were at the exec, even if it changed them later; at most 16,384 bytes. A process
        that only forked has those of its parent. If it ran before the trace began: what
        /proc/PID/cmdline said then. A table and CSV show some 16,384 characters of them at most,
        escapes included; ... at the end says that there were more. If arguments and paths of more
        than 1,024 bytes take 8 MiB, for all processes that live, the oldest are cut to that size.
        """
        return self._values[10]

    @property
    def args_truncated(self) -> bool | None:
        """Whether there were more arguments."""
        return self._values[11]

    @property
    def exe(self) -> str | None:
        """Path of the program it ran.

        As /proc/PID/exe shows it: symbolic links resolved, for a script its interpreter;
        /memfd:NAME for a program without a file; with  (deleted) at its end if the file had been
        removed by the time of the exec. For processes of other users that ran before the trace
        began, it is known only with CAP_SYS_PTRACE. /... is at the start of a path that was cut
        (see args).
        """
        return self._values[12]

    @property
    def cwd(self) -> str | None:
        """Its working directory when it ended.

        As /proc/PID/cwd shows it; with  (deleted) at its end if the directory had been removed, and
        /... at its start if the path was longer than 4,096 bytes or 64 names.
        """
        return self._values[13]

    @property
    def uid(self) -> int | None:
        """Number of the user it ran as. The real user, of the initial user namespace."""
        return self._values[14]

    @property
    def user(self) -> str | None:
        """Name of that user.

        The name on the machine that traced it, when it was traced; unknown if the user has none.
        The number, if the name service did not answer in time.
        """
        return self._values[15]

    @property
    def parent_comm(self) -> str | None:
        """Name of its parent. The name of the process ppid."""
        return self._values[16]

    @property
    def ancestors(self) -> tuple[Ancestor, ...] | None:
        """Its parent, that one's parent, and so on.

        The nearest first, at most 32, each with pid and comm.
        """
        return self._values[17]

    @property
    def ancestors_truncated(self) -> bool | None:
        """Whether there were more ancestors."""
        return self._values[18]

    @property
    def cgroup(self) -> str | None:
        """Path of its cgroup.

        The path in version 2. Where that is not used (the process is in its root), the path in the
        pids or the memory controller of version 1.
        """
        return self._values[19]

    @property
    def container(self) -> Container | None:
        """Runtime and ID of its container.

        The innermost that the path of the cgroup names, with runtime (docker, containerd, cri-o,
        podman, lxc, systemd-nspawn; kubernetes if the path does not name the runtime) and id (for
        lxc and systemd-nspawn its name). It stays known when the container and its cgroup are gone.
        Not recognised: a container that its runtime was told to put elsewhere (--cgroup-parent).
        """
        return None if self.cgroup is None else cgroup.container(self.cgroup)

    @property
    def container_name(self) -> str | None:
        """What people call its container.

        The name that docker, podman, nerdctl or Kubernetes gave it; for lxc and systemd-nspawn the
        ID. Read from their state on this machine when an exit in the container is first seen; it
        stays known when the container is gone. Unknown for containers of rootless engines, and if
        only root with capabilities may read that state.
        """
        return self._values[20]

    @property
    def pod(self) -> str | None:
        """UID of its Kubernetes pod.

        From the path of the cgroup. For a static pod, the hash of its configuration, not the UID
        that the API server has.
        """
        return None if self.cgroup is None else cgroup.pod(self.cgroup)

    @property
    def pod_name(self) -> str | None:
        """Name of its Kubernetes pod.

        From the names in /var/log/pods and /var/log/containers, looked up like container_name.
        """
        return self._values[21]

    @property
    def namespace(self) -> str | None:
        """Kubernetes namespace of its pod. Looked up with pod_name."""
        return self._values[22]

    @property
    def unit(self) -> str | None:
        """Its systemd unit. From the path of the cgroup, as ps -o unit shows it."""
        return None if self.cgroup is None else cgroup.unit(self.cgroup)

    @property
    def user_unit(self) -> str | None:
        """Its unit of the user's own systemd.

        From the path of the cgroup, as ps -o uunit shows it.
        """
        return None if self.cgroup is None else cgroup.user_unit(self.cgroup)

    @property
    def nspid(self) -> int | None:
        """Its PID in its own PID namespace. The innermost one that it is in."""
        return self._values[23]

    @property
    def hostname(self) -> str | None:
        """Host name that it saw. In a container usually the container's."""
        return self._values[24]

    @property
    def cpu_user(self) -> float | None:
        """CPU time in its own code, in seconds.

        The sum of all its threads up to the exit. wait4 gives the same, plus what ran since the
        last tick of the clock.
        """
        return self._values[25]

    @property
    def cpu_system(self) -> float | None:
        """CPU time in the kernel, in seconds. Measured like cpu_user."""
        return self._values[26]

    @property
    def max_rss(self) -> int | None:
        """Most memory it had resident, in bytes.

        The peak of the program that it ran last. Up to Linux 6.15 the kernel keeps one peak for all
        programs that ran in the process; if an earlier one may have had more, the peak is unknown.
        """
        return self._values[27]

    @property
    def read_bytes(self) -> int | None:
        """Bytes it had read from storage. As /proc/PID/io counts."""
        return self._values[28]

    @property
    def write_bytes(self) -> int | None:
        """Bytes it caused to be written to storage. As /proc/PID/io counts."""
        return self._values[29]

    @property
    def minor_faults(self) -> int | None:
        """Page faults served from memory."""
        return self._values[30]

    @property
    def major_faults(self) -> int | None:
        """Page faults that waited for storage."""
        return self._values[31]

    @property
    def voluntary_switches(self) -> int | None:
        """How often it waited for something. The last time, when it exits, is not counted."""
        return self._values[32]

    @property
    def involuntary_switches(self) -> int | None:
        """How often it had to yield the CPU."""
        return self._values[33]

    @property
    def wanted(self) -> bool:
        """Whether the filters let it pass. False only with Tracer(unwanted=True)."""
        return self._values[34]
