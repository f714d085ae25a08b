"""What a refusal of the kernel means, and what to do: errno and log -> error with a message."""

import errno
import os
import resource
from contextlib import suppress
from pathlib import Path

from exitsnoop.errors import KernelRefused, NotPermitted, TraceError
from exitsnoop.host.processes import capabilities, in_first_namespace
from exitsnoop.kernel.features import BTF, counts_locked_memory

LOCKDOWN = Path("/sys/kernel/security/lockdown")
# A start takes up to 26 of them. libbpf also probes the kernel: without a descriptor for that it
# believes that a feature is missing, and the kernel then refuses the program as invalid.
_FEW_FILES = 32
_STEPS = {
    "open": "libbpf could not read its BPF program",
    "types": f"the kernel's description of its types ({BTF}) cannot be used",
    "load": "the kernel refused the BPF program",
    "filter": "the kernel refused the list of PIDs",
    "map": "the kernel refused to share its buffer",
    "attach": "the kernel refused to attach the BPF program to sched_process_exit",
}

# Bits of capability.h. CAP_SYS_ADMIN stands in for both others.
_CAP_SYS_ADMIN, _CAP_PERFMON, _CAP_BPF = 21, 38, 39


def explain(step: str, number: int, log: str) -> TraceError:
    """Return the error to raise when opening a session failed at step with an errno."""
    if number in (errno.EMFILE, errno.ENFILE):
        return lacking(OSError(number, os.strerror(number)))
    if number == errno.EFBIG:
        return TraceError(
            "this process may only write smaller files than tracing takes, in memory: raise that "
            "with `ulimit -f unlimited`, or in a service with LimitFSIZE=infinity"
        )
    if number == errno.EINVAL and _may_open() < _FEW_FILES:
        return lacking(OSError(errno.EMFILE, os.strerror(errno.EMFILE)))
    if not os.path.exists(BTF):
        return KernelRefused(
            f"this kernel does not describe its types: there is no {BTF}. "
            "exitsnoop needs a kernel built with CONFIG_DEBUG_INFO_BTF=y",
            log,
        )
    missing = _missing_capabilities()
    if missing and number in (errno.EPERM, errno.EACCES):
        return NotPermitted(
            "tracing needs the capabilities CAP_BPF and CAP_PERFMON, "
            f"and this process lacks {' and '.join(missing)}: run it with sudo, "
            "or as a service with AmbientCapabilities=CAP_BPF CAP_PERFMON"
        )
    if "[confidentiality]" in _read(LOCKDOWN):
        return KernelRefused(
            f"{_STEPS[step]} ({os.strerror(number)}): kernel lockdown is in confidentiality mode, "
            "which can only be left by booting without it",
            log,
        )
    if number == errno.EPERM and _lacks_locked_memory():
        return NotPermitted(
            "up to Linux 5.10 what BPF keeps counts as locked memory, of which this process may "
            f"have {_may_lock()} bytes: raise that with `ulimit -l unlimited`, "
            "or in a service with LimitMEMLOCK=infinity"
        )
    if number == errno.EPERM:
        return NotPermitted(
            "the kernel does not let this process use bpf(), though it has the capabilities: "
            "they do not count inside a user namespace, and a container's seccomp profile may "
            "forbid it. Run it on the host, or let that profile allow bpf(). Before Linux 5.11 the "
            "limit of locked memory may be too low: raise it (ulimit -l)"
        )
    return KernelRefused(f"{_STEPS[step]}: {os.strerror(number)}", log)


def lacking(error: OSError | ImportError) -> TraceError:
    """Return the error to raise when this process does not get what tracing takes."""
    number = getattr(error, "errno", None)
    if number is None and os.strerror(errno.EMFILE) in str(error):  # from the dynamic linker
        number = errno.EMFILE
    if number == errno.EMFILE:
        return TraceError(
            f"this process may have only {_may_open()} files "
            "open, and tracing needs more: raise that with `ulimit -n 1024`, "
            "or in a service with LimitNOFILE=1024"
        )
    if number == errno.ENFILE:
        return TraceError(
            "this machine has as many files open as the sysctl fs.file-max allows: raise that"
        )
    if isinstance(error, ImportError) and (kind := _unfit_python(error)):
        return TraceError(
            f"exitsnoop does not work in {kind}: use it in the main interpreter of an ordinary "
            "build of Python"
        )
    if isinstance(error, ImportError):
        return TraceError(
            f"a part of exitsnoop cannot be loaded ({error}): "
            "install it again, for this machine and this Python"
        )
    where = f"{error.filename}: " if error.filename else ""
    return TraceError(f"cannot trace: {where}{error.strerror}")


def _unfit_python(error: ImportError) -> str | None:
    """Return what kind of Python, or of interpreter, cannot load the extension; None: another."""
    with suppress(ImportError):  # without privileges the standard library may be unreadable, too
        from sysconfig import get_config_var  # seldom needed

        if get_config_var("Py_GIL_DISABLED"):
            return "a free-threaded Python"
    # CPython's words for an extension that does not say that it needs no GIL of the process.
    if "does not support loading in subinterpreters" in str(error):
        return "an interpreter with a GIL of its own"
    return None


def _missing_capabilities() -> list[str]:
    effective = capabilities()

    def has(capability: int) -> bool:
        return bool(effective >> capability & 1 or effective >> _CAP_SYS_ADMIN & 1)

    wanted = {"CAP_BPF": _CAP_BPF, "CAP_PERFMON": _CAP_PERFMON}
    return [name for name, capability in wanted.items() if not has(capability)]


def _lacks_locked_memory() -> bool:
    """Whether that is likely. Inside a user namespace bpf() is refused whatever the limit is."""
    limited = counts_locked_memory() and _may_lock() != resource.RLIM_INFINITY
    return limited and in_first_namespace("user")


def _may_lock() -> int:
    return resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]


def _may_open() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
