"""A fleet that is made up: what its exits take on disk, and how long queries take.

    python benchmarks/fleet.py [MACHINES [HOURS [TIMES]]] 2>/dev/null     1000, 24 hours, once

Each machine has a recording of its own, as a recorder writes it: 50 failed exits an hour, of 200
workloads, with arguments, senders, figures and stacks. `exitsnoop export` writes it as Parquet.
ClickHouse's engine (chdb) and DuckDB then answer the queries of `exitsnoop schema`, each with all
CPUs there are. With TIMES, ClickHouse has that many times the machines: the others have the exits
of the first ones, under other names and at other times. It needs chdb-core and duckdb.
"""

import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
from chdb.session import Session

from exitsnoop.cli import main as exitsnoop
from exitsnoop.fleet import ddl
from exitsnoop.fleet.queries import QUESTIONS, filled
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
ON_DISK = "SELECT sum(data_compressed_bytes) FROM system.parts WHERE active AND table = 'exits'"


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


def day(chance: random.Random, count: int, begin_ns: int, offset_ns: int) -> Exits:
    """The exits of a machine."""
    numbers = range(count)
    gap_ns = 3600 * SECOND_NS // AN_HOUR
    boot_ns = [begin_ns + n * gap_ns + chance.randrange(gap_ns) for n in numbers]
    ends = [end(chance) for _ in numbers]
    pids = [chance.randrange(300, 4_000_000) for _ in numbers]
    programs = [chance.randrange(200) for _ in numbers]
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


def record(path: Path, number: int, count: int, now_ns: int) -> None:
    """Write the recording of a machine, up to now."""
    chance = random.Random(number)
    begin_ns = chance.randrange(10**12, 10**15)
    offset_ns = now_ns - begin_ns - (count + 1) * 3600 * SECOND_NS // AN_HOUR
    boot_id = f"{number:08x}-0000-4000-8000-{chance.getrandbits(48):012x}"
    boot = Boot(
        boot_id, "6.12.0", f"node-{number:05}", f"{chance.getrandbits(128):032x}", offset_ns
    )
    writer = Writer(path, limits=Limits(16 << 20, 0, 1e9), boot=boot, since_ns=begin_ns)
    writer.add(day(chance, count, begin_ns, offset_ns))
    writer.close()


def seconds(what: Callable[[], object]) -> float:
    """How long something takes, at best of three times."""
    taken = []
    for _ in range(3):
        begun = time.perf_counter()
        what()
        taken.append(time.perf_counter() - begun)
    return min(taken)


def size(directory: Path) -> int:
    """The bytes of the files below a directory."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def collect(directory: Path, machines: int, count: int) -> dict[str, float]:
    """Write the recordings, and export them; return what an exit takes."""
    now_ns = time.time_ns()
    recorded = taken = 0.0
    for number in range(machines):
        store = directory / "store"
        record(store, number, count, now_ns)
        recorded += sum(path.stat().st_size for path in store.glob("exits-*.db"))
        begun = time.process_time()
        words = ["--store", str(store), "--parquet", str(directory / "fleet")]
        assert exitsnoop(["export", *words]) == 0
        taken += time.process_time() - begun
        for path in store.iterdir():
            path.unlink()
        store.rmdir()
    exits = machines * count
    files = size(directory / "fleet")
    return {
        "recording, bytes an exit": recorded / exits,
        "Parquet, a file a day and machine, bytes an exit": files / exits,
        "export, us of CPU an exit": taken / exits * 1e6,
    }


def inserted(directory: Path) -> Session:
    """ClickHouse's engine with the tables, and all files in them."""
    session = Session(f"{directory}/clickhouse")
    for statement in ddl.clickhouse().split(";\n")[:-1]:
        session.query(statement)
    for table, place in (("exits", "fleet"), ("coverage", "fleet/_coverage")):
        files = f"file('{directory}/{place}/date=*/host=*/*.parquet')"
        session.query(f"INSERT INTO {table} SELECT * EXCEPT date FROM {files}")
    return session


def replay(session: Session, times: int) -> None:
    """Add the exits of as many more machines, which are the first ones under other names."""
    for nth in range(1, times):
        session.query(
            f"INSERT INTO exits SELECT * REPLACE (concat(host, '-{nth}') AS host, "
            f"concat(host_id, '{nth}') AS host_id, "
            f"toUUID(UUIDNumToString(MD5(concat(toString(boot_id), '{nth}')))) AS boot_id, "
            f"pid + {nth} AS pid, time - toIntervalSecond(cityHash64(host, {nth}) % 3600) AS time) "
            "FROM (SELECT * FROM exits WHERE NOT match(host, '-[0-9]$'))"
        )


def ask(session: Session, directory: Path) -> None:
    """Print how long each query takes; in DuckDB only the machines that have files."""
    print("\n| query | ClickHouse, s | DuckDB over Parquet, s |\n|---|---|---|")
    shell = duckdb.connect()
    shell.execute(ddl.duckdb(f"{directory}/fleet"))
    for one in QUESTIONS:
        fast = seconds(partial(session.query, filled(one, final=True), "TSV"))
        begun = time.perf_counter()
        shell.execute(filled(one, final=False)).fetchall()
        taken = time.perf_counter() - begun
        print(f"| {one.question} | {fast:.2f} | {taken:.1f} |", flush=True)


def main() -> None:
    """Do what the arguments say, and print tables."""
    given = [int(word) for word in sys.argv[1:]]
    machines, hours, times = [*given, *(1000, 24, 1)[len(given) :]]
    count = AN_HOUR * hours
    with tempfile.TemporaryDirectory(prefix="exitsnoop-fleet-") as name:
        directory = Path(name)
        found = collect(directory, machines, count)
        begun = time.perf_counter()
        session = inserted(directory)
        found["ClickHouse, inserted, exits a second"] = (
            machines * count / (time.perf_counter() - begun)
        )
        replay(session, times)
        session.query("OPTIMIZE TABLE exits FINAL")
        exits = int(str(session.query("SELECT count() FROM exits", "TSV")))
        found["ClickHouse, bytes an exit"] = int(str(session.query(ON_DISK, "TSV"))) / exits
        print(f"{machines * times} machines, {exits:,} exits\n\n| | |\n|---|---|")
        for label, number in found.items():
            print(f"| {label} | {number:,.0f} |")
        ask(session, directory)
        session.close()


if __name__ == "__main__":
    main()
