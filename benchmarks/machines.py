"""Machines that are made up, each with a recording as a recorder writes it."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from exitsnoop.model.batch import Exits
from exitsnoop.model.cause import At, Cause, Oom, Sender
from exitsnoop.model.context import Ancestor
from exitsnoop.store.boots import Boot
from exitsnoop.store.limits import Limits
from exitsnoop.store.writer import Writer

SECOND_NS = 1_000_000_000
AN_HOUR = 50
WORKLOADS = [f"service-{number}.service" for number in range(200)]
WORDS = [f"word-{number:x}" for number in range(500)]


def sender(chance: random.Random) -> Sender:
    """A process that sends a signal."""
    pid = chance.randrange(300, 4_000_000)
    return Sender(
        *(pid, 1, chance.choice(["systemd", "kubelet", "pkill", "cron"]), 0),
        ("/usr/bin/job", "--id", f"{chance.getrandbits(48):x}"),
        unit=chance.choice(WORKLOADS),
        ancestors=(Ancestor(1, "systemd"),),
    )


def end(chance: random.Random) -> tuple[int, Cause]:
    """A wait status, and its cause."""
    kind = chance.randrange(12)
    if kind < 6:
        code = chance.choice([1, 1, 1, 2, 127, 255])
        return code << 8, Cause("exited", f"exit code {code}")
    if kind < 9:
        who = sender(chance)
        number, name = chance.choice([(9, "SIGKILL"), (15, "SIGTERM")])
        return number, Cause("killed", f"killed by {who.comm}[{who.pid}] ({name})", who, "kill")
    if kind < 11:
        limit = chance.choice([64, 256, 512, 2048]) << 20
        used = limit - chance.randrange(1 << 20)
        oom = Oom(used, 4096, 0, "/system.slice/x.service", limit, sender(chance), used)
        return 9, Cause("oom", f"out of memory: {used >> 20} MiB", oom=oom)
    places = [
        At(f"/usr/lib/lib{n}.so", f"{n:040x}", 4096 + n, f"function_{n}", 8) for n in range(30)
    ]
    stack = tuple(chance.sample(places, 8))
    address = chance.randrange(4096)
    text = f"segfault at {address:#x} in {stack[0].module}"
    return 139, Cause(
        "fault", text, si_code="SEGV_MAPERR", address=address, at=stack[0], stack=stack
    )


def day(
    chance: random.Random, count: int, begin_ns: int, offset_ns: int, loop: int | None
) -> Exits:
    """The exits of a machine, half of them of a workload that loops."""
    numbers = range(count)
    gap_ns = 3600 * SECOND_NS // AN_HOUR
    boot_ns = [begin_ns + n * gap_ns + chance.randrange(gap_ns) for n in numbers]
    ends = [end(chance) for _ in numbers]
    pids = [chance.randrange(300, 4_000_000) for _ in numbers]
    programs = [chance.randrange(len(WORKLOADS)) for _ in numbers]
    if loop is not None:
        programs[::2] = [loop] * len(programs[::2])
    made: dict[str, Sequence[Any]] = {
        "boot_ns": boot_ns,
        "start_boot_ns": [ns - chance.randrange(1, 3600 * SECOND_NS) for ns in boot_ns],
        "pid": pids,
        "tid": pids,
        "ppid": [1] * count,
        "status": [status for status, _ in ends],
        "cause": [cause for _, cause in ends],
        "raw_comm": [f"program-{one}".encode().ljust(16, b"\0") for one in programs],
        "exe": [f"/usr/bin/program-{one}" for one in programs],
        "args": [(f"program-{one}", *chance.choices(WORDS, k=8)) for one in programs],
        "args_truncated": [False] * count,
        "cgroup": [f"/system.slice/{WORKLOADS[one]}" for one in programs],
        "user": [chance.choice(["root", "www-data", "postgres"]) for _ in numbers],
        "uid": [0] * count,
        "parent_comm": ["systemd"] * count,
        "ancestors": [(Ancestor(1, "systemd"),)] * count,
        "ancestors_truncated": [False] * count,
        "max_rss": [chance.randrange(1 << 30) for _ in numbers],
        "cpu_user": [chance.randrange(10**10) / 1e9 for _ in numbers],
        "cpu_system": [chance.randrange(10**10) / 1e9 for _ in numbers],
        "minor_faults": [chance.randrange(100_000) for _ in numbers],
        "last_thread": [True] * count,
        "wanted": [True] * count,
    }
    return Exits(made, offset_ns)


def host(number: int) -> str:
    """The name of a machine."""
    return f"node-{number:05}"


def is_silent(number: int) -> bool:
    """Whether nothing was heard of a machine for three hours."""
    return number % 50 == 7


def looping(number: int) -> int | None:
    """The workload that fails again and again on a machine."""
    return number % len(WORKLOADS) if number % 20 == 11 else None


def lost(number: int) -> int:
    """How many exits a machine lost."""
    return 5 if number % 10 == 3 else 0


def record(path: Path, number: int, count: int, now_ns: int) -> None:
    """Write the recording of a machine: its last exits, up to now."""
    chance = random.Random(number)
    begin_ns = chance.randrange(10**12, 10**15)
    until_ns = now_ns - 3 * 3600 * SECOND_NS * is_silent(number)
    offset_ns = until_ns - begin_ns - (count + 1) * 3600 * SECOND_NS // AN_HOUR
    boot_id = f"{number:08x}-0000-4000-8000-{chance.getrandbits(48):012x}"
    boot = Boot(boot_id, "6.12.0", host(number), f"{chance.getrandbits(128):032x}", offset_ns)
    writer = Writer(path, limits=Limits(16 << 20, 0, 1e9), boot=boot, since_ns=begin_ns)
    writer.add(day(chance, count, begin_ns, offset_ns, looping(number)), lost(number))
    writer.close()
