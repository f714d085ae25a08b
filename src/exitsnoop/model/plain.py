"""An exit as plain data, which JSON can have: what to_dict() gives and from_dict() takes."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from json import dumps
from typing import Any

from exitsnoop.model.cause import After, At, Cause, Mapped, Oom, Sender, Thread, Timer
from exitsnoop.model.cgroup import Container
from exitsnoop.model.context import Ancestor
from exitsnoop.model.fields import COLUMNS, FIELDS, STORED

KEYS = tuple(key for field in COLUMNS.values() for key in (field.name, field.more) if key)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
DECIMALS = {"age": 6, "seconds": 9}  # by kind: how many a number has in JSON
ADDRESSES = {"address"}  # parts of a cause that many readers of JSON would round as numbers


def value(name: str, known: Any) -> Any:
    """Return the value of a field as plain data."""
    return _to_plain(FIELDS[name].kind, known)


def text(name: str, known: Any) -> str:
    """Return the value of a field as JSON."""
    kind = FIELDS[name].kind
    if kind in DECIMALS and known is not None:
        return f"{known:.{DECIMALS[kind]}f}"
    return dumps(_to_plain(kind, known))


def _to_plain(kind: str, known: Any) -> Any:
    return PLAIN[kind](known) if kind in PLAIN and known is not None else known


def _time(known: datetime) -> str:
    return known.isoformat(timespec="microseconds").replace("+00:00", "Z")


def address(known: int) -> str:
    """Return an address as plain data: in hexadecimal, such as "0x7ffd0010"."""
    return f"{known:#x}"


def _parts(known: Cause | After) -> dict[str, Any]:
    """Return what is known; as plain data, where both have it."""
    found = {
        key: address(value) if key in ADDRESSES else value
        for key, value in known._asdict().items()
        if value is not None
    }
    if known.sender is not None:
        found["sender"] = _sender(known.sender)
    for key, record in (("thread", known.thread), ("at", known.at), ("timer", known.timer)):
        if record is not None:
            found[key] = record._asdict()
    return found


def _cause(known: Cause) -> dict[str, Any]:
    found = _parts(known)
    if known.oom is not None:
        found["oom"] = {**known.oom._asdict(), "trigger": _sender(known.oom.trigger)}
    if known.after is not None:
        found["after"] = _after(known.after)
    if known.stack is not None:
        found["stack"] = [one._asdict() for one in known.stack]
    if known.mapping is not None:
        found["mapping"] = known.mapping._asdict()
    return found


def _after(known: After) -> dict[str, Any]:
    found = _parts(known)
    if known.earlier is not None:
        found["earlier"] = list(known.earlier)
    return found


def _sender(known: Sender) -> dict[str, Any]:
    found = {key: value for key, value in known._asdict().items() if value is not None}
    if known.args is None:
        del found["args_truncated"]
    for part in ("args", "container", "ancestors"):
        if part in found:
            found[part] = PLAIN[part](found[part])
    return found


PLAIN: dict[str, Callable[[Any], Any]] = {
    "time": _time,
    "bytes": bytes.hex,
    "cause": _cause,
    "args": list,
    "ancestors": lambda known: [{"pid": one.pid, "comm": one.comm} for one in known],
    "container": lambda known: {"runtime": known.runtime, "id": known.id},
}


def stored(known: Mapping[str, Any]) -> dict[str, Any]:
    """Return what Exit() takes, from what to_dict() or a line of JSON has.

    Raises ValueError if something is missing, or is not what it should be.
    """
    found = {
        name: _from_plain(name, known.get(name))
        for name in STORED
        if name in known or not (FIELDS[name].default or name in _INSTEAD)
    }
    for name, (make, *sources) in _INSTEAD.items():
        if name not in found:
            found[name] = make(*[_from_plain(source, known.get(source)) for source in sources])
    return found


def _from_plain(name: str, given: Any) -> Any:
    """Return the value of a field that is plain data."""
    field = FIELDS[name]
    type_, _, optional = field.type.partition(" | ")
    if given is None and optional:
        return None
    try:
        if field.kind in _BACK:
            return _BACK[field.kind](given)
        if type(given) in _TYPES[type_]:
            return given
    except (AttributeError, KeyError, TypeError, ValueError):
        pass
    problem = "is missing" if given is None else f"cannot be {given!r}"
    raise ValueError(f"{name} {problem}")


def _cause_back(given: Mapping[str, Any]) -> Cause:
    found = _parts_back(Cause, given)
    if found.get("oom"):
        oom = _of(Oom, found["oom"])
        found["oom"] = Oom(**{**oom, "trigger": _sender_back(oom["trigger"])})
    if found.get("stack") is not None:
        found["stack"] = tuple(At(**_of(At, one)) for one in found["stack"])
    if found.get("mapping"):
        found["mapping"] = Mapped(**_of(Mapped, found["mapping"]))
    if found.get("after"):
        found["after"] = _after_back(found["after"])
    return Cause(**found)


def _parts_back(kind: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a Cause or an After takes, where both have it."""
    found = _of(kind, given)
    if found.get("sender"):
        found["sender"] = _sender_back(found["sender"])
    for key, record in (("thread", Thread), ("at", At), ("timer", Timer)):
        if found.get(key):
            found[key] = record(**_of(record, found[key]))
    return found


def _after_back(given: Mapping[str, Any]) -> After:
    found = _parts_back(After, given)
    if found.get("earlier") is not None:
        found["earlier"] = _words(found["earlier"])
    return After(**found)


def _sender_back(given: Mapping[str, Any]) -> Sender:
    found = _of(Sender, given)
    for part in ("args", "container", "ancestors"):
        if found.get(part) is not None:
            found[part] = _BACK[part](found[part])
    return Sender(**found)


def _of(kind: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the type has a place for; a newer version may know more.

    In version 1 of the schema, addresses were numbers.
    """
    return {
        key: int(value, 16) if key in ADDRESSES and isinstance(value, str) else value
        for key, value in given.items()
        if key in kind._fields
    }


def _words(given: Any) -> tuple[str, ...]:
    if not (isinstance(given, list) and all(isinstance(word, str) for word in given)):
        raise TypeError
    return tuple(given)


_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "bool": (bool,),
    "str": (str,),
    "float": (float, int),
}
_BACK: dict[str, Callable[[Any], Any]] = {
    "time": lambda given: datetime.fromisoformat(f"{given.removesuffix('Z')}+00:00"),
    "bytes": bytes.fromhex,
    "cause": _cause_back,
    "args": _words,
    "ancestors": lambda given: tuple([Ancestor(one["pid"], one["comm"]) for one in given]),
    "container": lambda given: Container(given["runtime"], given["id"]),
}


def _wall_ns(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(microseconds=1) * 1000


def _status(exit_code: int | None, signal: int | None, core_dumped: bool) -> int:
    if (exit_code is None) == (signal is None):
        raise ValueError("status is missing, or one of exit_code and signal")
    return exit_code << 8 if exit_code is not None else (signal or 0) | core_dumped << 7


# Of what a field can be made if it is not there itself, as by default in JSON.
_INSTEAD: dict[str, tuple[Any, ...]] = {
    "tid": (lambda pid: pid, "pid"),
    "wall_ns": (_wall_ns, "time"),
    "start_boot_ns": (
        lambda boot_ns, age: boot_ns - round(age * 1_000_000) * 1000,
        *("boot_ns", "age"),
    ),
    "raw_comm": (lambda comm: comm.encode().ljust(16, b"\0"), "comm"),
    "status": (_status, "exit_code", "signal", "core_dumped"),
}
