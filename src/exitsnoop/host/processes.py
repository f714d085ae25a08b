"""/proc: which processes exist, and facts about this one and others."""

import os

_NAMESPACES = "/proc/self/ns"
# The inodes of the initial namespaces, from include/linux/proc_ns.h.
_FIRST_NAMESPACE = {"pid": 0xEFFFFFFC, "cgroup": 0xEFFFFFFB, "user": 0xEFFFFFFD}


def all_pids() -> list[int]:
    """Return the PIDs of all processes, as this process sees them."""
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def exists(pid: int) -> bool:
    """Return whether a process has this PID, even if /proc hides it (hidepid)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it belongs to another user
        return True
    return True


def stat(pid: int) -> list[bytes]:
    """Return the fields of /proc/PID/stat that follow the name: state, ppid and so on.

    Raises OSError if there is no such process.
    """
    with open(f"/proc/{pid}/stat", "rb") as file:
        return file.read().rpartition(b")")[2].split()


def idle_ticks() -> dict[int, int]:
    """Return how long each CPU has been idle, in ticks (SC_CLK_TCK); {} if there is no /proc."""
    idle = {}
    try:
        with open("/proc/stat", "rb") as lines:
            next(lines)  # the sum of all CPUs
            for line in lines:
                name, *ticks = line.split()
                if not name.startswith(b"cpu"):
                    break
                idle[int(name[3:])] = int(ticks[3])
    except (OSError, StopIteration):
        pass
    return idle


def in_first_namespace(kind: str) -> bool:
    """Return whether this process is in the initial "pid", "cgroup" or "user" namespace.

    Also True if the kernel has no such namespaces, or if there is no /proc.
    """
    try:
        return os.stat(f"{_NAMESPACES}/{kind}").st_ino == _FIRST_NAMESPACE[kind]
    except OSError:
        return True


def has_boot_clock_of_kernel() -> bool:
    """Return whether the boot clock of this process is that of the kernel, which dates records.

    In a time namespace it may not be. Also True if the kernel has none of these.
    """
    try:
        with open("/proc/self/timens_offsets", "rb") as lines:
            offsets = [line.split() for line in lines]
    except OSError:
        return True
    return [b"boottime", b"0", b"0"] in offsets


def capabilities() -> int:
    """Return the effective capabilities of this process as bits, 0 if they cannot be read."""
    try:
        with open("/proc/self/status", "rb") as lines:
            return next(int(line.split()[1], 16) for line in lines if line.startswith(b"CapEff:"))
    except (OSError, StopIteration):
        return 0
