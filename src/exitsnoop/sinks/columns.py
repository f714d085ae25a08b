"""The columns that a record can be shown in."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    Kind = Literal[
        "number",
        "age",
        "seconds",
        "size",
        "flag",
        "text",
        "exit",
        "time",
        "cause",
        "args",
        "ancestors",
        "container",
    ]


class Column:
    """A column.

    Attributes:
        name: the key of the record.
        title: what a table calls it.
        width: of its cells in a table, where another column follows.
        meaning: one line for a person, with the unit.
        kind: what its values are, which decides how each format writes them.
    """

    def __init__(self, name: str, title: str, width: int, meaning: str, kind: "Kind") -> None:
        self.name = name
        self.title = title
        self.width = width
        self.meaning = meaning
        self.kind = kind

    def titled(self, title: str, width: int) -> "Column":
        """Return the same with another title and width."""
        return Column(self.name, title, width, self.meaning, self.kind)


COLUMNS = {
    column.name: column
    for column in (
        Column("time", "TIME", 12, "when it exited", "time"),
        Column(
            "boot_ns", "BOOT(ns)", 16, "when it exited, nanoseconds of the boot clock", "number"
        ),
        Column("comm", "PCOMM", 16, "its name, at most 15 bytes", "text"),
        Column("pid", "PID", 6, "its PID", "number"),
        Column("ppid", "PPID", 6, "the PID of its parent", "number"),
        Column("tid", "TID", 6, "the thread; the PID unless traced per thread", "number"),
        Column("age", "AGE(s)", 7, "how long it lived, in seconds", "age"),
        # "signal 11 (SEGV), core dumped"
        Column("exit", "EXIT_CODE", 29, "how it ended: exit code or signal, in words", "exit"),
        Column("exit_code", "CODE", 4, "its exit code, unknown if a signal ended it", "number"),
        Column("signal", "SIG", 3, "number of the signal that ended it, unknown if none", "number"),
        Column("signal_name", "SIGNAL", 11, "name of that signal, such as SIGSEGV", "text"),
        Column("core_dumped", "CORE", 4, "whether a core was written", "flag"),
        Column("status", "STATUS", 6, "the wait status, as waitpid gives it", "number"),
        Column("last_thread", "LAST", 4, "whether the process ended with this thread", "flag"),
        Column("cause", "CAUSE", 40, "who or what ended it", "cause"),
        Column("args", "ARGS", 40, "its arguments, its own name first", "args"),
        Column("exe", "EXE", 24, "path of the program it ran", "text"),
        Column("uid", "UID", 6, "number of the user it ran as", "number"),
        Column("user", "USER", 12, "name of that user", "text"),
        Column("parent_comm", "PARENT", 16, "name of its parent", "text"),
        Column(
            "ancestors", "ANCESTORS", 40, "its parent, that one's parent, and so on", "ancestors"
        ),
        Column("cgroup", "CGROUP", 40, "path of its cgroup", "text"),
        Column("container", "CONTAINER", 23, "runtime and ID of its container", "container"),
        Column("pod", "POD", 36, "UID of its Kubernetes pod", "text"),
        Column("unit", "UNIT", 24, "its systemd unit", "text"),
        Column("user_unit", "USER_UNIT", 24, "its unit of the user's own systemd", "text"),
        Column("nspid", "NSPID", 6, "its PID in its own PID namespace", "number"),
        Column("hostname", "HOSTNAME", 16, "host name that it saw", "text"),
        Column("cpu_user", "UTIME(s)", 8, "CPU time in its own code, in seconds", "seconds"),
        Column("cpu_system", "STIME(s)", 8, "CPU time in the kernel, in seconds", "seconds"),
        Column("max_rss", "MAX_RSS", 8, "most memory it had resident, in bytes", "size"),
        Column("read_bytes", "READ", 8, "bytes it had read from storage", "size"),
        Column("write_bytes", "WRITTEN", 8, "bytes it caused to be written to storage", "size"),
        Column("minor_faults", "MINFLT", 7, "page faults served from memory", "number"),
        Column("major_faults", "MAJFLT", 7, "page faults that waited for storage", "number"),
        Column("voluntary_switches", "VCSW", 7, "how often it waited for something", "number"),
        Column("involuntary_switches", "ICSW", 7, "how often it had to yield the CPU", "number"),
    )
}
