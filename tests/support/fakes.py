"""Exits made up for the sinks, with any text in them."""

from typing import Any

from exitsnoop.host.clock import SECOND_NS
from exitsnoop.model.cause import Cause
from exitsnoop.model.context import Ancestor
from exitsnoop.model.exit import Exit

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


ID = "0123456789abcdef" * 4
POD = "0a1b2c3d-1111-2222-3333-444455556666"
# Names a container of Kubernetes, in a unit of a user's systemd.
CGROUP = f"/user.slice/user-1000.slice/user@1000.service/a.service/kubepods/burstable/pod{POD}/{ID}"

_BOOT_NS = 10_000 * SECOND_NS
_RECORD: dict[str, Any] = {
    "boot_ns": _BOOT_NS,
    "start_boot_ns": _BOOT_NS,
    "pid": 1,
    "tid": 1,
    "ppid": 1,
    "status": 0,
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


NAMES = ("exe", "user", "parent_comm", "cgroup", "hostname")
TEXTS = ("comm", "cause", "args", "ancestors", "container", *NAMES)


def with_text(column: str, text: str) -> Exit:
    """Return an exit that has the text in one of TEXTS."""
    if column in NAMES:
        return record(**{column: text})
    if column == "comm":
        return record(comm=text.replace("\0", "").encode())
    if column == "cause":
        return record(cause=Cause("killed", f"killed by {text}[1] uid 0 (SIGTERM)"))
    if column == "args":
        return record(args=("env", text, text), args_truncated=False)
    if column == "ancestors":
        nearest_first = (Ancestor(7, text), Ancestor(1, text))
        return record(ancestors=nearest_first, ancestors_truncated=True)
    name = text.replace("/", "") or "empty"  # a directory has a name
    return record(cgroup=f"/lxc/{name}")
