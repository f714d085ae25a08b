"""Records -> the messages of OTLP."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, SeverityNumber

from exitsnoop import __version__
from exitsnoop.model.exit import Exit
from exitsnoop.ship.destination import Batch
from exitsnoop.ship.otlp.attributes import SCHEMA_URL, of_exit, rfc3339
from exitsnoop.sinks.escape import escape
from exitsnoop.store.boots import Boot
from exitsnoop.store.following import Missing

EXIT, LOST = "exitsnoop.process.exit", "exitsnoop.lost"
UID = "log.record.uid"
_INTS = range(-(1 << 63), 1 << 63)
_ERRORS = {"fault", "abort", "oom", "seccomp"}
_SEVERITIES = {
    "INFO": SeverityNumber.SEVERITY_NUMBER_INFO,
    "WARN": SeverityNumber.SEVERITY_NUMBER_WARN,
    "ERROR": SeverityNumber.SEVERITY_NUMBER_ERROR,
}
_NAMES_OF_CONTAINERS = {
    "k8s.pod.uid": "pod",
    "k8s.pod.name": "pod_name",
    "k8s.namespace.name": "namespace",
}


class Encoder:
    """Makes the messages.

    Args:
        resource: attributes that every record's resource has.

    Attributes:
        version: of exitsnoop.
    """

    def __init__(self, resource: Mapping[str, str]) -> None:
        self.version = __version__
        self._always = dict(resource)

    def request(self, batch: Batch) -> ExportLogsServiceRequest:
        """Return the message with all records of a batch, those of one container together."""
        made: dict[tuple[tuple[str, str], ...], ResourceLogs] = {}
        request = ExportLogsServiceRequest()
        now_ns = time.time_ns()

        def add(of: Mapping[str, str], record: LogRecord) -> None:
            key = tuple(sorted(of.items()))
            if key not in made:
                made[key] = self._resource_logs(request, of)
            made[key].scope_logs[0].log_records.append(record)

        latest = list(batch.boots.values())[-1] if batch.boots else None
        for missing in batch.missing:
            add(self._of_machine(latest), _lost(missing, latest, now_ns))
        boot_ids = batch.exits.column("boot_id") if len(batch.exits) else []
        for exit_, boot_id in zip(batch.exits, boot_ids, strict=True):
            boot = batch.boots.get(boot_id)
            of = self._of_machine(boot) | _of_container(exit_)
            add(of, _exit(exit_, boot_id, boot, now_ns))
        return request

    def _resource_logs(
        self, request: ExportLogsServiceRequest, of: Mapping[str, str]
    ) -> ResourceLogs:
        logs = request.resource_logs.add(schema_url=SCHEMA_URL)
        logs.resource.attributes.extend(_key_values(of))
        scope = logs.scope_logs.add(schema_url=SCHEMA_URL)
        scope.scope.name, scope.scope.version = "exitsnoop", self.version
        return logs

    def _of_machine(self, boot: Boot | None) -> dict[str, str]:
        known = {
            "host.name": boot and boot.hostname,
            "host.id": boot and boot.machine_id,
            "os.type": "linux",
            "service.name": "exitsnoop",
            "service.version": self.version,
        }
        return {name: value for name, value in known.items() if value} | self._always


def uid(boot: Boot | None, *parts: object) -> str:
    """Return the id of a record: the same each time that it is delivered."""
    host = (boot and (boot.machine_id or boot.hostname)) or "unknown"
    return "/".join(map(str, (host, *parts)))


def _of_container(exit_: Exit) -> dict[str, str]:
    """Return what names the container of the process that ended, as its own agent would."""
    found = {name: getattr(exit_, field) for name, field in _NAMES_OF_CONTAINERS.items()}
    if exit_.container is not None:
        found["container.id"] = exit_.container.id
        found["container.runtime.name"] = exit_.container.runtime
        found["k8s.container.name" if exit_.pod else "container.name"] = exit_.container_name
    return {name: value for name, value in found.items() if value}


def _exit(exit_: Exit, boot_id: str, boot: Boot | None, now_ns: int) -> LogRecord:
    kind = exit_.cause.kind if exit_.cause else ""
    level = "ERROR" if kind in _ERRORS else "WARN" if exit_.status else "INFO"
    where = exit_.unit or ""
    why = f": {exit_.cause.text}" if exit_.cause else f": {exit_.exit}"
    body = f"{exit_.comm}[{exit_.pid}]{f' of {where}' if where else ''}{why}"
    attributes = of_exit(exit_, boot_id)
    attributes[UID] = uid(boot, boot_id, exit_.boot_ns, exit_.pid, exit_.tid)
    return _record(EXIT, level, exit_.wall_ns, now_ns, body, attributes)


def _lost(missing: Missing, boot: Boot | None, now_ns: int) -> LogRecord:
    attributes: dict[str, Any] = {
        UID: uid(boot, missing.key),
        "exitsnoop.lost.why": missing.why,
        "exitsnoop.lost.count": missing.count,
        "exitsnoop.lost.from": missing.from_ns and rfc3339(missing.from_ns),
        "exitsnoop.lost.to": missing.to_ns and rfc3339(missing.to_ns),
    }
    known = {name: value for name, value in attributes.items() if value is not None}
    count = "an unknown number of" if missing.count is None else f"{missing.count}"
    exits = "exit is" if missing.count == 1 else "exits are"
    body = f"{count} {exits} missing: {missing.why}"
    return _record(LOST, "WARN", missing.to_ns or now_ns, now_ns, body, known)


def _record(
    event: str, level: str, wall_ns: int, now_ns: int, body: str, attributes: Mapping[str, Any]
) -> LogRecord:
    record = LogRecord(
        event_name=event,
        time_unix_nano=max(0, wall_ns),
        observed_time_unix_nano=now_ns,
        severity_number=_SEVERITIES[level],
        severity_text=level,
        body=_value(escape(body, spaces=False)),
    )
    record.attributes.extend(_key_values(attributes))
    return record


def _key_values(attributes: Mapping[str, Any]) -> Iterable[KeyValue]:
    return [KeyValue(key=name, value=_value(value)) for name, value in attributes.items()]


def _value(value: Any) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        if value not in _INTS:  # of 64 bits without a sign, as a limit
            return AnyValue(string_value=str(value))
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, str):
        return AnyValue(string_value=value.encode("utf-8", "replace").decode())
    return AnyValue(array_value=ArrayValue(values=[_value(one) for one in value]))
