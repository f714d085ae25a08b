"""Entries of the journal: failures in words, under the unit that they belong to.

packaging/exitsnoop.catalog explains each MESSAGE_ID.
"""

from collections.abc import Mapping

from exitsnoop.host.clock import SECOND_NS
from exitsnoop.model.exit import Exit
from exitsnoop.model.outcomes import outcome
from exitsnoop.model.status import SIGNALS
from exitsnoop.reports.gaps import described
from exitsnoop.reports.verdicts import name, verdict
from exitsnoop.reports.when import length, local
from exitsnoop.sinks.escape import message
from exitsnoop.store.coverage import Gap
from exitsnoop.store.following import Missing

MESSAGE_IDS = {
    "exited": "dc1b894b83884aa7a3a068cfb1c6edb5",
    "killed": "0c345205fc6c45358b9ae089382e2432",
    "self": "26612f3a1a004a4c90338ed209153210",
    "abort": "15f37b3b7205417e84eb9ab55ee8e534",
    "fault": "016727a2265d4ad9b6a63fd67637d2c1",
    "oom": "aba105ccc29f4360b2c8233f49359bae",
    "seccomp": "3841b09e077d4499b40a7f024179c0d5",
    "pipe": "4bf87e34baac481e9e3461e6c8e00ed9",
    "timer": "d8ab4680ebb44c3abc3bed2d8ec940f5",
    "cpu_limit": "87cd5858b1744487929f840ba08da567",
    "file_limit": "642ea7f51f6b4e05a3d6f94a8322c6c1",
    "terminal": "2d47d917eb3b4ae2b3eee1df12a85b27",
    "hangup": "545b553435644ab390e7f9e02085d283",
    "parent_death": "5654d1f6db694826836bc3e738761778",
    "namespace": "5e78b853debf4262aae0d4c20a63ea6f",
    "tracer": "152eaff2265d426ea100efb6c9534821",
    "other_thread": "01cc1ee513274eb48f18952af29de76c",
    "kernel": "a1c8e26eecdd4e6ea30dba26284e7341",
    "unknown": "51c470689b944177a9b194a3220a5ba7",
}
"""By the kind of cause."""
MORE_ID = "0fdcb048128e433681e65a557af4c5ba"
MISSING_ID = "4050b2b08157437982f3278d46f9439f"
_ERROR, _WARNING, _NOTICE = "3", "4", "5"
_USUAL_STOPS = {SIGNALS[name] for name in ("HUP", "INT", "TERM")}
_LATE_NS = 10 * SECOND_NS
_SHORT = 12  # digits of a container's id, as docker writes it

Fields = dict[str, str]


def of_exit(exit_: Exit, boot_id: str | None, now_ns: int) -> Fields:
    """Return the fields of the entry for a failure.

    The text has its time if it is written late: the time of the entry is another one then.
    """
    late = now_ns - exit_.wall_ns > _LATE_NS
    at = f" ({local(exit_.wall_ns, now_ns)})" if late else ""
    cause, kind = exit_.cause, exit_.cause.kind if exit_.cause else "unknown"
    fields: Mapping[str, object] = {
        "MESSAGE": message(f"{name(exit_)} {verdict(exit_)}{at}"),
        "MESSAGE_ID": MESSAGE_IDS[kind],
        "PRIORITY": _priority(exit_.status, kind),
        **_common(exit_.unit, exit_.user_unit),
        **_of_container(exit_),
        "EXITSNOOP_CAUSE": kind,
        "EXITSNOOP_CAUSE_TEXT": message(cause.text) if cause else None,
        "EXITSNOOP_PID": exit_.pid,
        "EXITSNOOP_PPID": exit_.ppid,
        "EXITSNOOP_COMM": message(exit_.comm),
        "EXITSNOOP_PARENT_COMM": exit_.parent_comm and message(exit_.parent_comm),
        "EXITSNOOP_EXE": exit_.exe and message(exit_.exe),
        "EXITSNOOP_UID": exit_.uid,
        "EXITSNOOP_USER": exit_.user and message(exit_.user),
        "EXITSNOOP_CGROUP": exit_.cgroup and message(exit_.cgroup),
        "EXITSNOOP_EXIT": exit_.exit,
        "EXITSNOOP_EXIT_CODE": exit_.exit_code,
        "EXITSNOOP_SIGNAL": exit_.signal_name,
        "EXITSNOOP_AGE": length(exit_.boot_ns - exit_.start_boot_ns),
        "EXITSNOOP_TIME": exit_.time.isoformat(),
        "EXITSNOOP_BOOT_ID": boot_id,
        "EXITSNOOP_BOOT_NS": exit_.boot_ns,
    }
    if cause and cause.sender:
        fields = {
            **fields,
            "EXITSNOOP_SENDER_PID": cause.sender.pid,
            "EXITSNOOP_SENDER_COMM": message(cause.sender.comm),
            "EXITSNOOP_SENDER_UID": cause.sender.uid,
            "EXITSNOOP_SENDER_UNIT": cause.sender.unit,
            "EXITSNOOP_SENDER_CONTAINER": message(cause.sender.container_name or "") or None,
            "EXITSNOOP_SENDER_POD": message(cause.sender.pod_name or "") or None,
        }
    return {field: str(value) for field, value in fields.items() if value is not None}


def of_more(unit: str | None, count: int, seconds: float) -> Fields:
    """Return the entry for failures of a unit that came too fast to be written one by one."""
    whose = f" of {unit}" if unit else ""
    return {
        "MESSAGE": message(
            f"{count:,} more failures{whose} within {seconds:.0f} s are not written here: "
            "`exitsnoop past --failed` shows all of them"
        ),
        "MESSAGE_ID": MORE_ID,
        "PRIORITY": _WARNING,
        **_common(unit, None),
        "EXITSNOOP_COUNT": str(count),
    }


def of_missing(missing: Missing, now_ns: int) -> Fields:
    """Return the entry for exits that are missing in the recording, or here."""
    fields = {
        "MESSAGE": message(_missing(missing, now_ns)),
        "MESSAGE_ID": MISSING_ID,
        "PRIORITY": _WARNING,
        **_common(None, None),
    }
    return fields if missing.count is None else {**fields, "EXITSNOOP_COUNT": str(missing.count)}


def _missing(missing: Missing, now_ns: int) -> str:
    if missing.why not in _NOT_HERE and missing.from_ns and missing.to_ns:
        gap = Gap(missing.from_ns, missing.to_ns, missing.why, missing.count)
        return described([gap], now_ns)[0]
    count = missing.count
    exits = "exits are" if count is None else "1 exit is" if count == 1 else f"{count:,} exits are"
    return f"{exits} missing here ({_NOT_HERE.get(missing.why, missing.why)})"


_NOT_HERE = {
    "dropped": "the recording had no room for them any more",
    "damaged": "the recording is damaged",
    "given up": "they could not be written in time",
}
"""Reasons for which exits are missing though they were recorded."""


def _common(unit: str | None, user_unit: str | None) -> Fields:
    """Return the fields by which `journalctl` finds an entry.

    From a process of root, it takes OBJECT_SYSTEMD_UNIT for the unit that the entry is about.
    """
    found = {"SYSLOG_IDENTIFIER": "exitsnoop"}
    if unit:
        found["OBJECT_SYSTEMD_UNIT"] = found["EXITSNOOP_UNIT"] = unit
    if user_unit:
        found["OBJECT_SYSTEMD_USER_UNIT"] = found["EXITSNOOP_USER_UNIT"] = user_unit
    return found


def _of_container(exit_: Exit) -> Fields:
    """Return the fields that docker and podman give to what a container logs."""
    container = exit_.container
    found = {
        "CONTAINER_ID": container and container.id[:_SHORT],
        "CONTAINER_ID_FULL": container and container.id,
        "CONTAINER_NAME": exit_.container_name,
        "EXITSNOOP_CONTAINER_RUNTIME": container and container.runtime,
        "EXITSNOOP_POD": exit_.pod_name,
        "EXITSNOOP_NAMESPACE": exit_.namespace,
    }
    return {name: message(value) for name, value in found.items() if value}


def _priority(status: int, kind: str) -> str:
    if outcome(kind).name in ("oom", "crash"):
        return _ERROR
    signal = status & 0x7F
    return _NOTICE if not signal or signal in _USUAL_STOPS or kind == "pipe" else _WARNING
