"""The attributes of an exit: names of OpenTelemetry's conventions where there are some.

They are those of semantic conventions 1.44. A signal, a cause and their evidence have none there:
their names begin with exitsnoop.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

from exitsnoop.host.clock import SECOND_NS
from exitsnoop.model.cause import After, At, Cause, Oom, Sender
from exitsnoop.model.exit import Exit
from exitsnoop.model.functions import function_name
from exitsnoop.model.plain import address

SCHEMA_URL = "https://opentelemetry.io/schemas/1.44.0"
Attributes = dict[str, Any]
"""Names and values: text, number, flag, or a list of texts. What is unknown is left out."""

_DELETED = " (deleted)"
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_OF_FIELDS = {
    "process.pid": "pid",
    "process.parent_pid": "ppid",
    "process.vpid": "nspid",
    "process.executable.path": "exe",
    "process.command_args": "args",
    "process.working_directory": "cwd",
    "process.real_user.id": "uid",
    "process.real_user.name": "user",
    "process.exit.code": "exit_code",
    "process.linux.cgroup": "cgroup",
    "exitsnoop.comm": "comm",
    "exitsnoop.tid": "tid",
    "exitsnoop.parent.comm": "parent_comm",
    "exitsnoop.status": "status",
    "exitsnoop.signal.number": "signal",
    "exitsnoop.signal.name": "signal_name",
    "exitsnoop.core_dumped": "core_dumped",
    "exitsnoop.age": "age",
    "exitsnoop.boot_ns": "boot_ns",
    "exitsnoop.unit": "unit",
    "exitsnoop.user_unit": "user_unit",
    "exitsnoop.hostname": "hostname",
    "exitsnoop.cpu.user": "cpu_user",
    "exitsnoop.cpu.system": "cpu_system",
    "exitsnoop.max_rss": "max_rss",
    "exitsnoop.io.read_bytes": "read_bytes",
    "exitsnoop.io.write_bytes": "write_bytes",
}
"""Attributes that a field has as it is."""


def of_exit(exit_: Exit, boot_id: str | None) -> Attributes:
    """Return the attributes of an exit."""
    found: Attributes = {name: getattr(exit_, field) for name, field in _OF_FIELDS.items()}
    if exit_.exe is not None:
        found["process.executable.name"] = exit_.exe.removesuffix(_DELETED).rpartition("/")[2]
    age_ns = exit_.boot_ns - exit_.start_boot_ns
    found["process.creation.time"] = rfc3339(exit_.wall_ns - age_ns)
    found["process.exit.time"] = rfc3339(exit_.wall_ns)
    found["exitsnoop.boot_id"] = boot_id
    if exit_.cause is not None:
        if exit_.status:
            found["error.type"] = exit_.cause.kind
        found.update(_of_cause(exit_.cause))
    return {name: value for name, value in found.items() if value is not None}


def rfc3339(wall_ns: int) -> str:
    """Return nanoseconds since the epoch as text, to the microsecond."""
    time = _EPOCH + timedelta(microseconds=wall_ns * 1_000_000 // SECOND_NS)
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _of_cause(cause: Cause) -> Iterator[tuple[str, Any]]:
    prefix = "exitsnoop.cause"
    for part in (
        *("text", "how", "si_code", "syscall", "limit", "path", "tty", "access", "trap"),
        *("reraised", "meant_for"),
    ):
        yield f"{prefix}.{part}", getattr(cause, part)
    yield f"{prefix}.address", _address(cause.address)
    yield from _of_records(prefix, cause, ("thread", "at", "mapping", "timer"))
    if cause.stack is not None:
        yield f"{prefix}.stack", [_frame(at) for at in cause.stack]
        yield f"{prefix}.stack_complete", cause.stack_complete
    if cause.sender is not None:
        yield from _of_sender("exitsnoop.sender", cause.sender)
    if cause.oom is not None:
        yield from _of_oom(cause.oom)
    if cause.after is not None:
        yield from _of_after(cause.after)


def _of_records(
    prefix: str, of: Cause | After, names: tuple[str, ...]
) -> Iterator[tuple[str, Any]]:
    for name in names:
        record = getattr(of, name)
        if record is not None:
            for part, value in record._asdict().items():
                yield f"{prefix}.{name}.{part}", value


def _of_sender(prefix: str, sender: Sender) -> Iterator[tuple[str, Any]]:
    for part in ("pid", "ppid", "comm", "uid", "args", "tid", "user", "exe", "cgroup", "unit"):
        yield f"{prefix}.{part}", getattr(sender, part)
    for part in ("pod", "pod_name", "namespace", "meant_for"):
        yield f"{prefix}.{part}", getattr(sender, part)
    if sender.container is not None:
        yield f"{prefix}.container.id", sender.container.id
        yield f"{prefix}.container.runtime", sender.container.runtime
        yield f"{prefix}.container.name", sender.container_name
    if sender.ancestors is not None:
        yield f"{prefix}.ancestors", [f"{one.comm}[{one.pid}]" for one in sender.ancestors]


def _of_oom(oom: Oom) -> Iterator[tuple[str, Any]]:
    for part, value in oom._asdict().items():
        if part != "trigger":
            yield f"exitsnoop.oom.{part}", value
    yield "exitsnoop.oom.trigger.pid", oom.trigger.pid
    yield "exitsnoop.oom.trigger.comm", oom.trigger.comm


def _of_after(after: After) -> Iterator[tuple[str, Any]]:
    prefix = "exitsnoop.after"
    yield f"{prefix}.signal.number", after.signal
    yield f"{prefix}.signal.name", after.signal_name
    for part in ("seconds", "kind", "handled", "tty", "limit"):
        yield f"{prefix}.{part}", getattr(after, part)
    for part in ("text", "syscall", "access", "path"):
        yield f"{prefix}.{part}", getattr(after, part)
    yield from _of_records(prefix, after, ("thread", "at", "timer"))
    yield f"{prefix}.address", _address(after.address)
    yield f"{prefix}.earlier", after.earlier and list(after.earlier)
    if after.sender is not None:
        yield from _of_sender(f"{prefix}.sender", after.sender)


def _address(known: int | None) -> str | None:
    """Return an address in hexadecimal: it may exceed what an int of OTLP holds."""
    return None if known is None else address(known)


def _frame(at: At) -> str:
    module = "?" if at.module is None else at.module.removesuffix(_DELETED).rpartition("/")[2]
    if at.function is None:
        return f"{module}+{at.offset or 0:#x}"
    return f"{module} {function_name(at.function)}+{at.function_offset or 0:#x}"
