"""FIELDS: what is known of an exit. One row is one field, and the only place that describes it.

From a row come: the attribute of Exit with its docstring, the column of `-o` and of each format,
the key of to_dict(), the JSON schema, the tables of the documents, and what must be collected.

To add a field that the kernel gives:

1. event.h: a member of struct exit_context with the name of the field;
2. a header in _native/bpf/: the line that reads it;
3. here: a row;
4. decode/context.py: only if the value must be worked out, or is of variable length;
5. `make fields`: writes model/attributes.py, the schema and the tables of the documents again.

A field that is made of others needs a row with `of` and `by`, and that function.
"""

from exitsnoop.model.field import Field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

_ROWS = (
    Field(
        *("time", "datetime", "time", "TIME", 12, "when it exited"),
        details="To the microsecond, in UTC; the table has the time of day.",
        of=("wall_ns",),
        by="derived.moment",
        shown="wall_ns",
        json=1,
    ),
    Field(
        *("boot_ns", "int", "number", "BOOT(ns)", 16),
        "when it exited, nanoseconds of the boot clock",
        details="CLOCK_BOOTTIME, which nobody sets: for ordering. As a number of JSON it exceeds "
        "2^53 after 104 days without a boot: readers that keep numbers as doubles (`jq` up to 1.6, "
        "JavaScript) then round it, to 2 ns at first. So they round `start_boot_ns`, too, and "
        "`wall_ns` to 256 ns.",
        json=2,
    ),
    Field(
        *("comm", "str", "name", "PCOMM", 16, "its name, at most 15 bytes"),
        details="With `--per-thread`, the name of the thread. It may contain any character. "
        "Invalid UTF-8 is U+FFFD, as in all text.",
        of=("raw_comm",),
        by="derived.name",
        shown="raw_comm",
        table=1,
        json=6,
        few=True,
    ),
    Field(
        *("pid", "int", "number", "PID", 6, "its PID"),
        details="All PIDs are those of the initial PID namespace.",
        table=2,
        json=3,
    ),
    Field(
        *("ppid", "int", "number", "PPID", 6, "the PID of its parent"),
        details="The parent at the exit: if its own parent had ended, the process that adopted it.",
        table=3,
        json=5,
    ),
    Field(
        *("tid", "int", "number", "TID", 6, "the thread; the PID unless traced per thread"),
        table=4,
        json=4,
    ),
    Field(
        *("age", "float", "age", "AGE(s)", 7, "how long it lived, in seconds"),
        details="To the microsecond. Time in suspend counts; exec does not start it again.",
        of=("boot_ns", "start_boot_ns"),
        by="derived.age",
        many_by="derived.ages",
        table=5,
        json=7,
    ),
    Field(
        *("exit", "str", "exit", "EXIT_CODE", 29),  # "signal 11 (SEGV), core dumped"
        "how it ended: exit code or signal, in words",
        details='Such as "0", "code 1", "signal 9 (KILL)".',
        of=("status",),
        by="status.describe",
        shown="status",
        table=6,
        few=True,
    ),
    Field(
        *("exit_code", "int | None", "number", "CODE", 4),
        "its exit code, unknown if a signal ended it",
        details="0 to 255.",
        of=("status",),
        by="status.exit_code",
        json=8,
        schema={"maximum": 255},
    ),
    Field(
        *("signal", "int | None", "number", "SIG", 3),
        "number of the signal that ended it, unknown if none",
        details="1 to 64.",
        of=("status",),
        by="status.signal",
        json=9,
        schema={"minimum": 1, "maximum": 64},
    ),
    Field(
        *("signal_name", "str | None", "text", "SIGNAL", 11),
        "name of that signal, such as SIGSEGV",
        details="As `kill -l` names it: 34 is SIGRTMIN, 64 SIGRTMAX. 32 and 33 belong to the C "
        "library and have no name: SIG32, SIG33.",
        of=("status",),
        by="status.full_signal_name",
        json=10,
        few=True,
    ),
    Field(
        *("core_dumped", "bool", "flag", "CORE", 4, "whether a core was written"),
        of=("status",),
        by="status.core_dumped",
        json=11,
    ),
    Field(
        *("status", "int", "number", "STATUS", 6, "the wait status, as waitpid gives it"),
        details="For `os.WIFEXITED` and the like. For a thread that was not the last of its "
        "process: what the thread itself ended with.",
        schema={"maximum": 65535},
    ),
    Field(
        *("last_thread", "bool", "flag", "LAST", 4),
        "whether the process ended with this thread",
        details="False only with `--per-thread`, in all rows of a process except one. Up to Linux "
        "6.15, when threads leave at the same moment, that one may not be the last row.",
        default="True",
    ),
    Field(
        *("start_boot_ns", "int", "number", "START(ns)", 16),
        "when it was created, nanoseconds of the boot clock",
        details="Exec does not change it: with the PID it identifies a process until the next "
        "boot.",
    ),
    Field(
        *("wall_ns", "int", "number", "WALL(ns)", 19),
        "when it exited, nanoseconds since the epoch",
    ),
    Field(
        *("raw_comm", "bytes", "bytes", "RAW_COMM", 32),
        "its name as the kernel has it: 16 bytes, in hexadecimal",
        details="`bytes` in Python. The name ends at the first NUL.",
        schema={"pattern": "^[0-9a-f]{32}$"},
    ),
    Field(
        *("cause", "Cause | None", "cause", "CAUSE", 40, "who or what ended it"),
        details="See [causes.md](causes.md). With `--per-thread`, it is that of the thread: one "
        "that had a fault, or called exit, has the cause of the process; the others say which "
        "thread ended them. A signal for the whole process is in every row.",
        group="why",
    ),
    Field(
        *("args", "tuple[str, ...] | None", "args", "ARGS", 40),
        "its arguments, its own name first",
        details="As they were at the exec, even if it changed them later; at most 16,384 bytes. A "
        "process that only forked has those of its parent. If it ran before the trace began: "
        "what /proc/PID/cmdline said then. A table and CSV show some 16,384 characters of them at "
        "most, escapes included; `...` at the end says that there were more. If arguments and "
        "paths of more than 1,024 bytes take 8 MiB, for all processes that live, the oldest are "
        "cut to that size.",
        group="args",
        source="image",
        more="args_truncated",
    ),
    Field(
        *("args_truncated", "bool | None", "flag", "", 0, "whether there were more arguments"),
        group="args",
        source="image",
    ),
    Field(
        *("exe", "str | None", "text", "EXE", 24, "path of the program it ran"),
        details="As /proc/PID/exe shows it: symbolic links resolved, for a script its interpreter; "
        "`/memfd:NAME` for a program without a file; with ` (deleted)` at its end if the file had "
        "been removed by the time of the exec. For processes of other users that ran before the "
        "trace began, it is known only with CAP_SYS_PTRACE. `/...` is at the start of a path that "
        "was cut (see `args`).",
        group="exe",
        source="image",
    ),
    Field(
        *("cwd", "str | None", "text", "CWD", 24, "its working directory when it ended"),
        details="As /proc/PID/cwd shows it; with ` (deleted)` at its end if the directory had been "
        "removed, and `/...` at its start if the path was longer than 4,096 bytes or 64 names.",
        group="cwd",
    ),
    Field(
        *("uid", "int | None", "number", "UID", 6, "number of the user it ran as"),
        details="The real user, of the initial user namespace.",
        group="identity",
        source="place",
        schema={"maximum": 4294967295},
    ),
    Field(
        *("user", "str | None", "text", "USER", 12, "name of that user"),
        details="The name on the machine that traced it, when it was traced; unknown if the user "
        "has none. The number, if the name service did not answer in time.",
        group="identity",
        source="place",
        few=True,
    ),
    Field(
        *("parent_comm", "str | None", "text", "PARENT", 16, "name of its parent"),
        details="The name of the process `ppid`.",
        group="identity",
        few=True,
    ),
    Field(
        *("ancestors", "tuple[Ancestor, ...] | None", "ancestors", "ANCESTORS", 40),
        "its parent, that one's parent, and so on",
        details="The nearest first, at most 32, each with `pid` and `comm`.",
        group="ancestors",
        source="chain",
        more="ancestors_truncated",
    ),
    Field(
        *("ancestors_truncated", "bool | None", "flag", "", 0),
        "whether there were more ancestors",
        group="ancestors",
    ),
    Field(
        *("cgroup", "str | None", "text", "CGROUP", 40, "path of its cgroup"),
        details="The path in version 2. Where that is not used (the process is in its root), the "
        "path in the pids or the memory controller of version 1.",
        group="cgroup",
        source="place",
    ),
    Field(
        *("container", "Container | None", "container", "CONTAINER", 23),
        "runtime and ID of its container",
        details="The innermost that the path of the cgroup names, with `runtime` (docker, "
        "containerd, cri-o, podman, lxc, systemd-nspawn; kubernetes if the path does not name the "
        "runtime) and `id` (for lxc and systemd-nspawn its name). It stays known when the "
        "container and its cgroup are gone. Not recognised: a container that its runtime was "
        "told to put elsewhere (`--cgroup-parent`).",
        group="cgroup",
        of=("cgroup",),
        by="cgroup.container",
    ),
    Field(
        *("container_name", "str | None", "text", "CONTAINER_NAME", 20),
        "what people call its container",
        details="The name that docker, podman, nerdctl or Kubernetes gave it; for lxc and "
        "systemd-nspawn the ID. Read from their state on this machine when an exit in the "
        "container is first seen; it stays known when the container is gone. Unknown for "
        "containers of rootless engines, and if only `root` with capabilities may read that state.",
        group="cgroup",
        source="place",
        few=True,
    ),
    Field(
        *("pod", "str | None", "text", "POD", 36, "UID of its Kubernetes pod"),
        details="From the path of the cgroup. For a static pod, the hash of its configuration, not "
        "the UID that the API server has.",
        group="cgroup",
        of=("cgroup",),
        by="cgroup.pod",
    ),
    Field(
        *("pod_name", "str | None", "text", "POD_NAME", 24, "name of its Kubernetes pod"),
        details="From the names in /var/log/pods and /var/log/containers, looked up like "
        "`container_name`.",
        group="cgroup",
        source="place",
    ),
    Field(
        *("namespace", "str | None", "text", "NAMESPACE", 16, "Kubernetes namespace of its pod"),
        details="Looked up with `pod_name`.",
        group="cgroup",
        source="place",
        few=True,
    ),
    Field(
        *("unit", "str | None", "text", "UNIT", 24, "its systemd unit"),
        details="From the path of the cgroup, as `ps -o unit` shows it.",
        group="cgroup",
        of=("cgroup",),
        by="cgroup.unit",
    ),
    Field(
        *("user_unit", "str | None", "text", "USER_UNIT", 24),
        "its unit of the user's own systemd",
        details="From the path of the cgroup, as `ps -o uunit` shows it.",
        group="cgroup",
        of=("cgroup",),
        by="cgroup.user_unit",
    ),
    Field(
        *("nspid", "int | None", "number", "NSPID", 6, "its PID in its own PID namespace"),
        details="The innermost one that it is in.",
        group="identity",
    ),
    Field(
        *("hostname", "str | None", "text", "HOSTNAME", 16, "host name that it saw"),
        details="In a container usually the container's.",
        group="identity",
        source="place",
    ),
    Field(
        *("cpu_user", "float | None", "seconds", "UTIME(s)", 8),
        "CPU time in its own code, in seconds",
        details="The sum of all its threads up to the exit. `wait4` gives the same, plus what ran "
        "since the last tick of the clock.",
        group="resources",
    ),
    Field(
        *("cpu_system", "float | None", "seconds", "STIME(s)", 8),
        "CPU time in the kernel, in seconds",
        details="Measured like `cpu_user`.",
        group="resources",
    ),
    Field(
        *("max_rss", "int | None", "size", "MAX_RSS", 8, "most memory it had resident, in bytes"),
        details="The peak of the program that it ran last. Up to Linux 6.15 the kernel keeps one "
        "peak for all programs that ran in the process; if an earlier one may have had more, the "
        "peak is unknown.",
        group="resources",
    ),
    Field(
        *("read_bytes", "int | None", "size", "READ", 8, "bytes it had read from storage"),
        details="As /proc/PID/io counts.",
        group="resources",
    ),
    Field(
        *("write_bytes", "int | None", "size", "WRITTEN", 8),
        "bytes it caused to be written to storage",
        details="As /proc/PID/io counts.",
        group="resources",
    ),
    Field(
        *("minor_faults", "int | None", "number", "MINFLT", 7, "page faults served from memory"),
        group="resources",
    ),
    Field(
        *("major_faults", "int | None", "number", "MAJFLT", 7),
        "page faults that waited for storage",
        group="resources",
    ),
    Field(
        *("voluntary_switches", "int | None", "number", "VCSW", 7),
        "how often it waited for something",
        details="The last time, when it exits, is not counted.",
        group="resources",
    ),
    Field(
        *("involuntary_switches", "int | None", "number", "ICSW", 7),
        "how often it had to yield the CPU",
        group="resources",
    ),
    # About the trace, not the exit: neither shown nor compared. Exit keeps it last.
    Field(
        *("wanted", "bool", "flag", "", 0, "whether the filters let it pass"),
        details="False only with `Tracer(unwanted=True)`.",
        default="True",
    ),
)

FIELDS = {field.name: field for field in _ROWS}
COLUMNS = {name: field for name, field in FIELDS.items() if field.title}
COLLECTED = {name: field.group for name, field in FIELDS.items() if field.group}
IMAGE_GROUPS = frozenset({"args", "exe"})  # what was known at the exec
SOURCES = {
    source: [field.name for field in _ROWS if field.source == source]
    for source in ("image", "place", "chain")
}
"""The fields of each object that exits share."""
STORED = tuple(name for name, field in FIELDS.items() if not field.of)
"""What an Exit holds; the rest is made of that."""


def function(name: str) -> "Callable[..., Any]":
    """Return what `by` or `many_by` names."""
    from importlib import import_module

    module, _, attribute = name.partition(".")
    found: Callable[..., Any] = getattr(import_module(f"exitsnoop.model.{module}"), attribute)
    return found


def groups(fields: "Iterable[str]") -> frozenset[str]:
    """Return the groups that must be collected to have these fields.

    Raises ValueError if one is not a field.
    """
    collected = set()
    for name in fields:
        if name not in FIELDS:
            raise ValueError(f"{name!r} is not a field; they are {', '.join(FIELDS)}")
        collected.add(FIELDS[name].group)
    return frozenset(collected - {""})
