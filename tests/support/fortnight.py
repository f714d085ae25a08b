"""A fortnight of a machine, made up: with everything in it that a report shows.

There are a crash loop that ran out of memory and goes on, one of the day before, one of a pod, a
cascade of a database, jobs that kill, crashes, a stretch without a recorder, and a reboot. The rest
ends well, day and night.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from exitsnoop.model.cause import At, Cause, CauseKind, Oom, Sender
from exitsnoop.store.boots import Boot
from exitsnoop.store.limits import Limits
from exitsnoop.store.writer import Writer
from support.made_up import WELL, Death, Machine, exits
from support.recorded import SECOND_NS

HOUR_S, DAY_S = 3600, 86_400
LENGTH_S = 14 * DAY_S
REBOOT_S = 11 * DAY_S + 7 * HOUR_S + 1180.0
"""When the machine was started again; it was down for two minutes."""
UNSEEN_S = (9 * DAY_S + 1 * HOUR_S, 9 * DAY_S + 9 * HOUR_S)
"""When nobody recorded."""
_DOWN_S = 120
_UPTIME_S = 6 * DAY_S  # before the first boot was recorded
LIMIT = 2 << 30
POD = (
    "/kubepods.slice/kubepods-burstable.slice/"
    "kubepods-burstable-pod0f4ce0a4_c939_4d1e_9b8e_54ae37403a20.slice/cri-containerd-"
)


def code(number: int) -> dict[str, Any]:
    """Status and cause of an exit with a code."""
    return {"status": number << 8, "cause": Cause("exited", f"exit {number}")}


def killed(signal: int, name: str, sender: Sender, kind: CauseKind = "killed") -> dict[str, Any]:
    """Status and cause of a kill."""
    text = f"killed by {sender.comm}[{sender.pid}] uid {sender.uid} ({name})"
    cause = Cause(kind, text, sender, "kill" if kind == "killed" else None, "SI_USER")
    return {"status": signal, "cause": cause}


def segfault(address: int, module: str = "", function: str = "") -> dict[str, Any]:
    """Status and cause of a segmentation fault that left a core."""
    at = At(module, "ab12", 0x14F0, function, 0x1C) if function else None
    where = f" in {module.rpartition('/')[2]} {function}+0x1c" if function else ""
    text = f"segfault reading {address:#x}{where} (SEGV_MAPERR)"
    cause = Cause("fault", text, si_code="SEGV_MAPERR", address=address, access="read", at=at)
    return {"status": 11 | 0x80, "cause": cause}


def aborted(function: str) -> Cause:
    """The cause of an abort() that a function called."""
    libc = "/usr/lib/x86_64-linux-gnu/libc.so.6"
    stack = (
        At(libc, None, 0x8BEBC, "pthread_kill", 0x10C),
        At(libc, None, 0x26472, "abort", 0xD3),
        At("/opt/thumbnailer/bin/thumbnailer", None, 0x1240, function, 0x30),
        At("/opt/thumbnailer/bin/thumbnailer", None, 0x1170, "main", 0x25),
    )
    return Cause("abort", "abort()", at=stack[0], stack=stack, stack_complete=True)


def deaths(machine: Machine) -> list[Death]:
    """Everything that does not just end well."""
    found = [
        *_out_of_memory(machine),
        *_crashes(machine),
        *_pod(machine),
        *_database(machine),
        *_jobs(machine),
        *_people(machine),
    ]
    return sorted(found, key=lambda one: one.at_s)


def _out_of_memory(machine: Machine) -> Iterator[Death]:
    """The loop that goes on: api.service hits its limit, again and again."""
    cgroup = "/system.slice/api.service"
    at_s = LENGTH_S - 450.0
    yield machine.death(
        at_s - 33, 2.6 * DAY_S, "api", cgroup, args=("/usr/bin/api", "--port", "8080"), user="api"
    )
    for nth in range(14):
        lived_s = 24 + machine.random.random() * 6
        trigger = Sender(machine.pid(), 1, "api", 998)
        oom = Oom(
            anon=int(LIMIT * 0.74),
            file=9 << 20,
            shmem=34 << 20,
            cgroup=cgroup,
            limit=LIMIT,
            trigger=trigger,
            usage=LIMIT,
            cgroup_anon=int(LIMIT * 0.88),
            cgroup_file=60 << 20,
            cgroup_shmem=120 << 20,
            cgroup_kernel=48 << 20,
            cgroup_sock=3 << 20,
        )
        yield machine.death(
            at_s + nth * 32.4,
            lived_s,
            "api",
            cgroup,
            9,
            Cause("oom", "out of memory: limit of 2.0G hit", oom=oom),
            pid=trigger.pid,
            args=("/usr/bin/api", "--port", "8080"),
            user="api",
            max_rss=int(LIMIT * 0.95),
            cpu_s=lived_s * 0.7,
        )
    cgroup = "/system.slice/indexer.service"
    for days in (2, 6, 8.4, 12.6):
        trigger = Sender(machine.pid(), 1, "indexer", 997)
        oom = Oom(180 << 20, 300 << 20, 2 << 20, cgroup, 512 << 20, trigger)
        cause = Cause("oom", "out of memory: limit of 512.0M hit", oom=oom)
        yield machine.death(
            days * DAY_S + 3000,
            4000,
            "indexer",
            cgroup,
            9,
            cause,
            user="indexer",
            max_rss=490 << 20,
        )


def _crashes(machine: Machine) -> Iterator[Death]:
    """A loop of the day before yesterday, and one of the week before; a crash now and then."""
    cgroup = "/system.slice/worker.service"
    for begin_s, count in ((4 * DAY_S, 12), (12 * DAY_S + 15 * HOUR_S, 46)):
        for nth in range(count):
            yield machine.death(
                begin_s + nth * 21,
                8 + machine.random.random() * 4,
                "worker",
                cgroup,
                args=("/opt/worker/bin/worker", "--queue", "mail"),
                user="worker",
                **segfault(0x8, "/opt/worker/bin/worker", "parse_header"),
            )
    for nth in range(23):
        at_s = (nth + machine.random.random()) * LENGTH_S / 23
        cause = aborted("check_size" if nth % 3 else "read_exif")
        yield machine.death(at_s, 300, "thumbnailer", cgroup, 6 | 0x80, cause, user="worker")
    for at_s in (12.9 * DAY_S, 13.1 * DAY_S, 13.7 * DAY_S):
        yield machine.death(
            at_s, 3.2, "resizer", "/system.slice/images.service", user="worker", **segfault(0x7F3A0)
        )


def _pod(machine: Machine) -> Iterator[Death]:
    """A container that is started again later and later, as Kubernetes does."""
    at_s, pause_s = 13.0 * DAY_S + 2 * HOUR_S, 10.0
    for nth in range(60):
        at_s += 2 + pause_s
        pause_s = min(300, pause_s * 2)
        digits = f"{nth:02x}" * 32
        yield machine.death(
            at_s,
            1.5,
            "migrate",
            f"{POD}{digits}.scope",
            parent="containerd-shim",
            args=("/app/migrate", "--wait", "db:5432"),
            user="1000",
            **code(1),
        )


def _database(machine: Machine) -> Iterator[Death]:
    """A backend crashes, and the postmaster ends all others."""
    cgroup = "/system.slice/postgresql@15-main.service"
    postmaster, at_s = 2203, 12 * DAY_S + 21 * HOUR_S + 190.5
    common: dict[str, Any] = {
        "ppid": postmaster,
        "parent": "postgres",
        "user": "postgres",
        "max_rss": 90 << 20,
    }
    args = ("postgres: 15/main: app shop 10.0.0.5 SELECT",)
    yield machine.death(at_s, 7200, "postgres", cgroup, args=args, **common, **segfault(0x0))
    by = Sender(postmaster, 1, "postgres", 105)
    for nth in range(9):
        args = (f"postgres: 15/main: app shop 10.0.0.{nth} idle",)
        yield machine.death(
            at_s + 0.02 + nth / 1000,
            3600 + nth * 100,
            "postgres",
            cgroup,
            args=args,
            **common,
            **killed(3, "SIGQUIT", by),
        )


def _jobs(machine: Machine) -> Iterator[Death]:
    """Jobs of cron: one kills, one fails each night, one fails since two days."""
    cron = "/system.slice/cron.service"
    for day in range(14):
        at_s = day * DAY_S + 3.0 * HOUR_S
        pkill = Sender(machine.pid(), machine.pid(), "pkill", 0, ("pkill", "-KILL", "worker"))
        above: dict[str, Any] = {"parent": "cleanup.sh", "ppid": pkill.ppid}
        for nth in range(3):
            yield machine.death(
                at_s + nth / 500,
                DAY_S - 600,
                "mailworker",
                "/system.slice/mail.service",
                user="mail",
                max_rss=60 << 20,
                **killed(9, "SIGKILL", pkill),
            )
        yield machine.death(
            at_s + 0.01, 0.02, "pkill", cron, pid=pkill.pid, args=pkill.args, **above
        )
        yield machine.death(at_s + 0.2, 0.4, "cleanup.sh", cron, pid=pkill.ppid, parent="cron")
        yield machine.death(
            at_s + 1800, 1790, "restic", "/system.slice/backup.service", user="backup", **code(3)
        )
        timeout = Sender(machine.pid(), 1, "timeout", 0)
        yield machine.death(
            at_s + 5000, 60, "rsync", cron, ppid=timeout.pid, **killed(15, "SIGTERM", timeout)
        )
    for hour in range(47):
        at_s = LENGTH_S - 47.0 * HOUR_S + hour * HOUR_S + 61
        yield machine.death(
            at_s,
            0.003,
            "sh",
            cron,
            args=("/bin/sh", "-c", "rotate-logs"),
            parent="cron",
            **code(127),
        )
    for nth in range(130):
        at_s = (nth + machine.random.random()) * LENGTH_S / 130
        pipe = Cause("pipe", "SIGPIPE: wrote to a closed pipe")
        yield machine.death(at_s, 0.01, "zcat", cron, 13, pipe, parent="sh")


def _people(machine: Machine) -> Iterator[Death]:
    """Builds that fail in the day, and keys that end them."""
    session = "/user.slice/user-1000.slice/session-4.scope"
    for day in range(14):
        for nth in range(machine.random.randint(4, 18)):
            at_s = day * DAY_S + 9 * HOUR_S + machine.random.random() * 8 * HOUR_S
            user: dict[str, Any] = {"user": "ada", "parent": "make", "max_rss": 210 << 20}
            user["args"] = ("cc1plus", "-O2", f"src/part{day}_{nth}.cc")
            yield machine.death(at_s, 2.4, "cc1plus", session, cpu_s=2.2, **user, **code(1))
            if nth % 3 == 0:
                key = Cause("terminal", "Ctrl-C on pts/3 (SIGINT)", tty="pts/3")
                yield machine.death(at_s + 40, 12, "pytest", session, 2, key, user="ada")


class _Kind(NamedTuple):
    comm: str
    cgroup: str
    parent: str
    user: str
    lived_s: float
    cpu_s: float
    max_rss: int


_SESSION = "/user.slice/user-1000.slice/session-4.scope"
_KINDS = (
    _Kind("sh", "/system.slice/cron.service", "cron", "root", 0.003, 0.002, 2 << 20),
    _Kind("date", "/system.slice/cron.service", "sh", "root", 0.0008, 0.0007, 2 << 20),
    _Kind("grep", "/system.slice/monitor.service", "check.sh", "root", 0.0015, 0.001, 3 << 20),
    _Kind("check.sh", "/system.slice/monitor.service", "monitor", "root", 0.02, 0.004, 4 << 20),
    _Kind("curl", "/system.slice/monitor.service", "check.sh", "root", 0.18, 0.009, 14 << 20),
    _Kind("cc1plus", _SESSION, "g++", "ada", 2.9, 2.8, 320 << 20),
    _Kind("as", _SESSION, "g++", "ada", 0.12, 0.11, 28 << 20),
    _Kind("git", _SESSION, "bash", "ada", 0.03, 0.02, 18 << 20),
    _Kind("convert", "/system.slice/images.service", "images", "worker", 0.7, 0.66, 140 << 20),
    _Kind("python3", "/system.slice/reports.service", "systemd", "reports", 41, 38, 260 << 20),
)


def _well(machine: Machine, hour: int, count: int, total_h: int) -> list[Death]:
    """What ends well in an hour: more in the day than at night."""
    busy = 1 + 0.75 * math.sin((hour % 24 - 8) / 24 * 2 * math.pi)
    found = []
    for _ in range(round(count / total_h * busy)):
        kind = _KINDS[int(machine.random.random() ** 1.7 * len(_KINDS))]
        spread = machine.random.lognormvariate(0, 0.6)
        at_s = (hour + machine.random.random()) * HOUR_S
        found.append(
            Death(
                *(at_s, kind.lived_s * spread, kind.comm, kind.cgroup, 0, WELL, machine.pid()),
                *(1, (kind.comm,), kind.parent, kind.user),
                *(int(kind.max_rss * (0.8 + spread / 5)), kind.cpu_s * spread),
            )
        )
    return found


def record(path: Path, end_ns: int, count: int = 20_000, limits: Limits | None = None) -> None:
    """Write the recording, which ends at a time (nanoseconds since the epoch).

    count: about how many end well; there are about 700 others.
    """
    machine = Machine()
    begin_ns = end_ns - LENGTH_S * SECOND_NS
    bad = deaths(machine)
    total_h = LENGTH_S // HOUR_S
    limits = limits or Limits(1 << 30, 0, 1e9)
    first = Boot("6b0a3c52-0000-4000-8000-00000000000a", "6.1.0-37-amd64", "web1", "m1", 0)
    first = first._replace(began_ns=begin_ns - _UPTIME_S * SECOND_NS)
    second = first._replace(
        boot_id="6b0a3c52-0000-4000-8000-00000000000b",
        began_ns=begin_ns + round(REBOOT_S * SECOND_NS),
    )
    stretches = (
        (first, 0.0, float(UNSEEN_S[0]), "stopped"),
        (first, float(UNSEEN_S[1]), REBOOT_S - _DOWN_S, "reboot"),
        (second, REBOOT_S + 3, float(LENGTH_S), "stopped"),
    )
    hours = ((hour, _well(machine, hour, count, total_h)) for hour in range(total_h))
    by_hour = [sorted([*some, *_of(bad, hour)], key=lambda one: one.at_s) for hour, some in hours]
    for boot, since_s, until_s, why in stretches:
        offset_ns = boot.began_ns
        since_ns = begin_ns + round(since_s * SECOND_NS) - offset_ns
        writer = Writer(path, limits=limits, boot=boot, since_ns=since_ns, clock=lambda: 0.0)
        for some in by_hour:
            inside = [one for one in some if since_s < one.at_s < until_s]
            for at in range(0, len(inside), 2000):
                writer.add(exits(inside[at : at + 2000], begin_ns, offset_ns))
        last = exits(
            [machine.death(until_s - 0.001, 0.001, "sync", "/init.scope")], begin_ns, offset_ns
        )
        writer.add(last)
        assert writer.close(why) == 0


def _of(bad: list[Death], hour: int) -> list[Death]:
    return [one for one in bad if int(one.at_s // HOUR_S) == hour]
