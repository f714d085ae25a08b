"""The fields of a record, and what must be collected for those that cost something."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

ALWAYS = (
    "time",
    "boot_ns",
    "pid",
    "tid",
    "ppid",
    "comm",
    "age",
    "exit_code",
    "signal",
    "signal_name",
    "core_dumped",
    "exit",
    "status",
    "last_thread",
)

_GROUPS = {
    "why": ("cause",),
    "identity": ("uid", "user", "nspid", "hostname", "parent_comm"),
    "ancestors": ("ancestors", "ancestors_truncated"),
    "cgroup": ("cgroup", "container", "pod", "unit", "user_unit"),
    "resources": (
        "cpu_user",
        "cpu_system",
        "max_rss",
        "read_bytes",
        "write_bytes",
        "minor_faults",
        "major_faults",
        "voluntary_switches",
        "involuntary_switches",
    ),
    "args": ("args", "args_truncated"),
    "exe": ("exe",),
}
COLLECTED = {field: group for group, fields in _GROUPS.items() for field in fields}


def groups(fields: "Iterable[str]") -> frozenset[str]:
    """Return the groups that must be collected to have these fields.

    Raises ValueError if one is not a field.
    """
    collected = set()
    for field in fields:
        if field in COLLECTED:
            collected.add(COLLECTED[field])
        elif field not in ALWAYS:
            known = ", ".join([*ALWAYS, *COLLECTED])
            raise ValueError(f"{field!r} is not a field; they are {known}")
    return frozenset(collected)
