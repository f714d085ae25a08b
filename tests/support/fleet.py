"""Machines made up, each with a recording of the last two weeks; and their exits in SQLite."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from exitsnoop.model.batch import Exits
from exitsnoop.model.cause import At, Cause, Oom, Sender
from exitsnoop.store.boots import Boot
from exitsnoop.store.recording import Recording
from support.recorded import BOOT, SECOND_NS, START_NS, exits, writer

MINUTE_NS = 60 * SECOND_NS
HOSTS = ("web1", "web2", "db1")
EVERY_MIN = 33
"""So far are exits apart; none is near to a day, a week, or the start of what a query looks at."""
COUNT = 600
KILLER = Sender(712, 1, "pkill", 1000, ("pkill", "job"), unit="cron.service")
OOM = Oom(62 << 20, 1, 0, "/system.slice/api.service", 64 << 20, KILLER)
KILLED = Cause("killed", "killed by pkill[712] uid 1000 (SIGKILL)", KILLER, "kill", "SI_USER")
CRASHED = At("/usr/lib/libjob.so", "ab12", 4096, "job_parse", 16)
ENDS: list[tuple[int, Cause]] = [
    (0, Cause("exited", "exit code 0")),
    (256, Cause("exited", "exit code 1")),
    (9, KILLED),
    (139, Cause("fault", "segfault at 0x8", si_code="SEGV_MAPERR", address=8, at=CRASHED)),
    (9, Cause("oom", "out of memory", oom=OOM)),
]
UNITS = ("api.service", "worker@7.service", None)
WORKLOADS = {"api.service": "api.service", "worker@7.service": "worker@.service", None: ""}
"""What the workload of each unit is to be, said again."""
LATE = 30
"""So many exits come in the last hours, of a unit that was not there before, and of a new crash."""


def boot(number: int, began_ns: int) -> Boot:
    """The boot of a machine."""
    return Boot(BOOT.boot_id[:-1] + str(number), "6.1.0", HOSTS[number], f"id-{number}", began_ns)


def made(offset_ns: int, minutes: list[int], **columns: Any) -> Exits:
    """Exits that many minutes after START_NS."""
    boot_ns = [START_NS + minute * MINUTE_NS for minute in minutes]
    numbers = range(1, len(minutes) + 1)
    return exits(
        numbers,
        offset_ns,
        boot_ns=boot_ns,
        start_boot_ns=[
            ns - (number % 90 + 1) * SECOND_NS for ns, number in zip(boot_ns, numbers, strict=True)
        ],
        **columns,
    )


def record_machine(path: Path, number: int, now_ns: int) -> None:
    """Write the recording of a machine: it stopped for some hours in the middle, and lost five.

    The last machine was heard of three hours ago.
    """
    end_ns = now_ns - (180 if number == 2 else 10) * MINUTE_NS
    last = COUNT * EVERY_MIN
    offset_ns = end_ns - START_NS - last * MINUTE_NS
    turns = range(number, COUNT + number)  # each machine has others at the same time
    early = made(
        offset_ns,
        [at * EVERY_MIN for at in range(1, COUNT + 1)],
        status=[ENDS[turn % 5][0] for turn in turns],
        cause=[ENDS[turn % 5][1] for turn in turns],
        cgroup=[f"/system.slice/{UNITS[turn % 3]}" if UNITS[turn % 3] else "/" for turn in turns],
        exe=[f"/usr/bin/job{turn % 2}" for turn in turns],
    )
    late = made(
        offset_ns,
        [last - 4 * 60 + 2 * at for at in range(LATE)],
        status=139,
        cause=Cause("fault", "segfault at 0x0", si_code="SEGV_MAPERR", address=0),
        cgroup="/system.slice/new.service",
        exe="/usr/bin/new",
    )
    half = COUNT // 3 * 2
    where = boot(number, offset_ns)
    first = writer(path, boot=where)
    first.add(early[:half], 5)
    first.close()
    second = writer(path, boot=where, since_ns=START_NS + (half * EVERY_MIN + 20) * MINUTE_NS)
    second.add(merged(early[half:], late))
    second.close()


def merged(one: Exits, other: Exits) -> Exits:
    """Both, in the order of time."""
    return Exits.of(sorted([*one, *other], key=lambda exit_: exit_.boot_ns))


def record_fleet(directory: Path) -> list[Path]:
    """Write a recording of each machine; return where they are."""
    now_ns = time.time_ns()
    paths = [directory / host for host in HOSTS]
    for number, path in enumerate(paths):
        record_machine(path, number, now_ns)
    return paths


COLUMNS = (
    "wall_ns, failed, namespace, unit, cause, signal_name, exe, exit, age, cause_sender_comm, "
    "cause_sender_uid, cause_oom_limit, cause_at_module, cause_at_function"
)


def empty() -> sqlite3.Connection:
    """The table for exits of machines, with what the fleet adds to them."""
    database = sqlite3.connect(":memory:")
    database.execute(f"CREATE TABLE exits (host, {COLUMNS}, workload, s, hour)")
    return database


def add_exits(
    database: sqlite3.Connection, host: str, path: Path, workload_of: Callable[[str | None], str]
) -> None:
    """Add the exits of a machine to that table, read by SQL."""
    query = f"SELECT ?, {COLUMNS}, unit FROM exits"
    source = Recording(path).connect(query)
    rows = source.execute(query, (host,)).fetchall()
    source.close()
    marks = ", ".join(f"?{nth}" for nth in range(1, len(rows[0])))
    database.create_function("workload_of", 1, workload_of)
    database.executemany(
        f"INSERT INTO exits VALUES ({marks}, workload_of(?{len(rows[0])}), ?2 / 1e9, "
        "strftime('%Y-%m-%d %H:00:00', ?2 / 1000000000, 'unixepoch'))",
        rows,
    )


def in_sqlite(paths: list[Path]) -> sqlite3.Connection:
    """The exits of all machines."""
    names = {**WORKLOADS, "new.service": "new.service"}
    database = empty()
    for host, path in zip(HOSTS, paths, strict=True):
        add_exits(database, host, path, names.__getitem__)
    return database
