"""Exits made up for the sinks, with any text in them."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple

from exitsnoop.host.clock import SECOND_NS
from exitsnoop.model.cause import Cause
from exitsnoop.model.context import Context
from exitsnoop.model.exit import Exit
from exitsnoop.model.fields import COLLECTED

# 2019-05-27 13:20:22.997 UTC, as in the sample of the original's documentation.
AT = 1_558_963_222_997 * 1_000_000

# What could break a row, a line, a quoted string or a terminal; and what is merely unusual.
HOSTILE = [
    "",
    " ",
    "-",
    "two words",
    "a\nb",
    "a\r\nb\n",
    "\x1b[2J\x1b[31m",
    "\x9b2J",
    "\x7f",
    "\x00",
    "'single' \"double\"",
    "a,b;c",
    "%s %d %",
    "{0} {",
    "back\\slash \\n",
    "last\\",
    "\u2028\u2029",
    "\ufffd",
    "\U0001f480",
    "日本語",
    "e\u0301",
    "\u202eabc",
    "\u00a0\u3000",
    "\ue000",
    "=1+1",
]


class Container(NamedTuple):
    runtime: str
    id: str


class Ancestor(NamedTuple):
    pid: int
    comm: str


_BOOT_NS = 10_000 * SECOND_NS
_RECORD: dict[str, Any] = {
    "boot_ns": _BOOT_NS,
    "start_boot_ns": _BOOT_NS,
    "pid": 1,
    "tid": 1,
    "ppid": 1,
    "status": 0,
    "last_thread": True,
    "wanted": True,
    "raw_comm": b"bash".ljust(16, b"\0"),
    "wall_ns": AT,
}


def record(**known: Any) -> Exit:
    """Return an exit; `age` and `comm` (bytes) may stand for what they come from."""
    if "age" in known:
        known["start_boot_ns"] = _BOOT_NS - round(known.pop("age") * SECOND_NS)
    if "comm" in known:
        known["raw_comm"] = known.pop("comm").ljust(16, b"\0")
    return Exit(**{**_RECORD, **known})


class FakeContext(SimpleNamespace):
    """A context in which also what is made of others can be given."""

    def __iter__(self) -> Iterator[Any]:
        return (getattr(self, name, None) for name in Context._fields)


def fake(**known: Any) -> Exit:
    """Return an exit of which, of what is collected, only this is known."""
    context = {**dict.fromkeys(COLLECTED), **known}
    plain = {name: known[name] for name in known if name not in COLLECTED or name == "cause"}
    return record(**plain, context=FakeContext(**context))


NAMES = ("exe", "user", "parent_comm", "cgroup", "pod", "unit", "user_unit", "hostname")
TEXTS = ("comm", "cause", "args", "ancestors", "container", *NAMES)


def with_text(column: str, text: str) -> Exit:
    """Return an exit that has the text in one of TEXTS."""
    if column in NAMES:
        return fake(**{column: text})
    if column == "comm":
        return record(comm=text.replace("\0", "").encode())
    if column == "cause":
        return fake(cause=Cause("killed", f"killed by {text}[1] uid 0 (SIGTERM)"))
    if column == "args":
        return fake(args=("env", text, text), args_truncated=False)
    if column == "ancestors":
        nearest_first = (Ancestor(7, text), Ancestor(1, text))
        return fake(ancestors=nearest_first, ancestors_truncated=True)
    return fake(container=Container("docker", text))
