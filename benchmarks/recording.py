"""What the recording costs: CPU and bytes an exit, and how long questions take.

    python benchmarks/recording.py write         us of CPU and bytes an exit, by load
    python benchmarks/recording.py make DIR N    a recording of N exits, over seven days
    python benchmarks/recording.py ask DIR       how long questions to it take

The exits are made up as columns, as the decoder gives them: what it costs to decode them is not in
the figures.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from exitsnoop.model.batch import Exits
from exitsnoop.model.cause import Cause, Sender
from exitsnoop.model.context import Ancestor
from exitsnoop.store.boots import boot_clock_ns, this_boot
from exitsnoop.store.limits import Limits
from exitsnoop.store.query import Query
from exitsnoop.store.recording import Recording
from exitsnoop.store.writer import Writer

OK = Cause("exited", "exit code 0")
FAILED = Cause("exited", "exit code 1")
SYSTEM = (
    Ancestor(4211, "bash"),
    Ancestor(4200, "sshd"),
    Ancestor(811, "sshd"),
    Ancestor(1, "systemd"),
)
CGROUP = "/user.slice/user-1000.slice/session-4.scope"
COMPILE = (
    *("gcc", "-Wp,-MMD,drivers/net/.{name}.o.d", "-nostdinc", "-Iinclude", "-D__KERNEL__"),
    *("-std=gnu11", "-Wall", "-O2", "-c", "-o", "drivers/net/{name}.o", "drivers/net/{name}.c"),
)
Column = list[object]


def shell(first: int, count: int) -> dict[str, Column]:
    """A loop in a shell that runs /bin/true with other arguments each time."""
    numbers = range(first, first + count)
    return {
        "pid": [at % 4_000_000 + 5000 for at in numbers],
        "ppid": [4211] * count,
        "status": [0] * count,
        "raw_comm": [_comm("true")] * count,
        "cause": [OK] * count,
        "exe": ["/usr/bin/true"] * count,
        "args": [("/bin/true", str(at)) for at in numbers],
        "parent_comm": ["bash"] * count,
        "ancestors": [SYSTEM] * count,
    }


def make(first: int, count: int) -> dict[str, Column]:
    """A compilation: for each file a shell, gcc, cc1 and as, each with ancestors of its own."""
    rows = []
    for at in range(first, first + count):
        nth, part = divmod(at, 4)
        sh, gcc = nth * 4 % 4_000_000 + 5000, nth * 4 % 4_000_000 + 5001
        above = (Ancestor(4300, "make"), *SYSTEM)
        in_sh = (Ancestor(sh, "sh"), *above)
        in_gcc = (Ancestor(gcc, "gcc"), *in_sh)
        args = tuple(word.format(name=f"file{nth}") for word in COMPILE)
        rows.append(
            (
                (
                    gcc + 1,
                    gcc,
                    "cc1",
                    "/usr/lib/gcc/x86_64-linux-gnu/12/cc1",
                    ("cc1", *args[1:]),
                    "gcc",
                    in_gcc,
                ),
                (
                    gcc + 2,
                    gcc,
                    "as",
                    "/usr/bin/x86_64-linux-gnu-as",
                    ("as", "-o", args[-2]),
                    "gcc",
                    in_gcc,
                ),
                (gcc, sh, "gcc", "/usr/bin/x86_64-linux-gnu-gcc-12", args, "sh", in_sh),
                (sh, 4300, "sh", "/usr/bin/dash", ("/bin/sh", "-c", " ".join(args)), "make", above),
            )[part]
        )
    pid, ppid, comm, exe, args_, parent, ancestors = map(list, zip(*rows, strict=True))
    return {
        "pid": pid,
        "ppid": ppid,
        "status": [0] * count,
        "raw_comm": [_comm(name) for name in comm],
        "cause": [OK] * count,
        "exe": exe,
        "args": args_,
        "parent_comm": parent,
        "ancestors": ancestors,
    }


def deaths(first: int, count: int) -> dict[str, Column]:
    """Processes that are killed, each by another sender."""
    columns = shell(first, count)
    columns["status"] = [15] * count
    columns["cause"] = [
        Cause(
            "killed",
            f"killed by pkill[{at}] uid 0 (SIGTERM)",
            Sender(at, 1, "pkill", 0),
            "kill",
            "SI_USER",
        )
        for at in range(first, first + count)
    ]
    return columns


def exits(columns: dict[str, Column], boot_ns: list[int], offset_ns: int) -> Exits:
    """Return exits with the rest of the columns."""
    count = len(boot_ns)
    numbers = range(count)
    uid, user, cgroup = ([value] * count for value in (1000, "builder", CGROUP))
    return Exits(
        {
            "boot_ns": boot_ns,
            "start_boot_ns": [at - 1_234_567 - at % 1000 * 1000 for at in boot_ns],
            "tid": columns["pid"],
            "last_thread": [True] * count,
            "wanted": [True] * count,
            "args_truncated": [False] * count,
            "ancestors_truncated": [False] * count,
            "uid": uid,
            "user": user,
            "cgroup": cgroup,
            "hostname": ["builder"] * count,
            "nspid": columns["pid"],
            "cpu_user": [(412_345 + at % 997 * 100) / 1e9 for at in numbers],
            "cpu_system": [(512_345 + at % 991 * 100) / 1e9 for at in numbers],
            "max_rss": [1_000_000 + at % 499 * 4096 for at in numbers],
            "read_bytes": [0] * count,
            "write_bytes": [0] * count,
            "minor_faults": [60 + at % 7 for at in numbers],
            "major_faults": [0] * count,
            "voluntary_switches": [1] * count,
            "involuntary_switches": [0] * count,
            **columns,
        },
        offset_ns,
    )


def _comm(name: str) -> bytes:
    return name.encode()[:15].ljust(16, b"\0")


def write(count: int, batch: int) -> None:
    """Print what it costs to write each load."""
    print(f"{count} exits in batches of {batch}: us of CPU an exit, bytes an exit on disk")
    for load in (shell, make, deaths):
        costs, sizes = [], []
        for _ in range(3):
            cost, size = _written(load, count, batch)
            costs.append(cost)
            sizes.append(size)
        print(
            f"{load.__name__:8} {statistics.median(costs):5.2f} us ({min(costs):.2f} to "
            f"{max(costs):.2f}) {statistics.median(sizes):6.1f} bytes"
        )


def _written(
    load: Callable[[int, int], dict[str, Column]], count: int, batch: int
) -> tuple[float, float]:
    start = boot_clock_ns()
    offset = time.time_ns() - start
    made = [
        exits(
            load(at, batch), [start + (at + place) * 33_000 for place in range(batch)], offset + at
        )
        for at in range(0, count, batch)
    ]
    with tempfile.TemporaryDirectory() as directory:
        writer = Writer(f"{directory}/store", limits=Limits(1 << 30, 0, 1e9))
        before = time.process_time()
        for part in made:
            writer.add(part)
        writer.commit()
        cost = (time.process_time() - before) / count * 1e6
        writer.close()
        size = sum(path.stat().st_size for path in Path(directory).glob("store/exits-*.db"))
    return cost, size / count


def make_store(directory: Path, count: int) -> None:
    """Make a recording of a mixed load that ends now."""
    week = 7 * 86_400 * 1_000_000_000
    start = week  # of a machine that has been up for two weeks
    offset = time.time_ns() - 2 * week
    batch = 1000
    boot = this_boot()._replace(boot_id="made up", began_ns=offset)
    writer = Writer(directory, limits=Limits(8 << 30, 0, 1e9), boot=boot, since_ns=start)
    for nth, part in enumerate(_mixed(count, batch)):
        first = start + week * nth * batch // count
        step = week // count
        writer.add(exits(part, [first + at * step for at in range(batch)], offset + nth))
        if nth % 500 == 0:
            print(f"{nth * batch:,}", file=sys.stderr)
    print(f"{count} exits, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB at most")
    writer.close()


def _mixed(count: int, batch: int) -> Iterator[dict[str, Column]]:
    for nth in range(count // batch):
        part = (shell, make)[nth % 2](nth * batch, batch)
        part["raw_comm"][7] = _comm("nginx")
        part["exe"][7] = "/usr/sbin/nginx"
        part["status"][7], part["cause"][7] = 11, Cause("fault", "segfault at 0x0", address=0)
        part["status"][9], part["cause"][9] = 256, FAILED
        yield part


def ask(directory: Path) -> None:
    """Print how long questions take, the connection included."""
    now = time.time_ns()
    hour = 3_600_000_000_000
    questions = {
        "by PID, the newest": Query(pids=[123_456], newest_first=True, limit=1),
        "by name, the newest": Query(names=["nginx"], newest_first=True, limit=1),
        "by pattern, the newest": Query(names=["ngin?"], newest_first=True, limit=1),
        "by name, all": Query(names=["nginx"]),
        "by executable, the newest": Query(exes=["/usr/sbin/nginx"], newest_first=True, limit=1),
        "what failed last": Query(failed=True, newest_first=True, limit=1),
        "by name, nobody": Query(names=["nobody"]),
        "the last hour, the first page": Query(since_ns=now - hour, limit=500),
        "an hour three days ago, the first page": Query(
            since_ns=now - 72 * hour, until_ns=now - 71 * hour, limit=500
        ),
    }
    recording = Recording(directory)
    for words, query in questions.items():
        times = []
        for _ in range(5):
            before = time.perf_counter()
            found = sum(map(len, recording.select(query).batches()))
            times.append(time.perf_counter() - before)
        print(f"{words:40} {statistics.median(times) * 1e3:8.1f} ms {found:8} exits")
    before = time.perf_counter()
    counted = recording.counts(Query(names=["nginx"], since_ns=now - 168 * hour))
    _say(
        "how often in seven days, by cause", before, f"{sum(part.exits for part in counted)} exits"
    )
    for words, sql in (
        ("SQL: count(*)", "SELECT count(*) FROM exits"),
        (
            "SQL: what failed most in the last hour",
            "SELECT comm, count(*) FROM exits WHERE failed = 1 "
            "AND id > (SELECT id FROM exits ORDER BY id DESC LIMIT 1) - 100000 "
            "GROUP BY comm ORDER BY 2 DESC",
        ),
        ("SQL: by name", "SELECT count(*) FROM exits WHERE comm = 'nginx'"),
    ):
        before = time.perf_counter()
        connection = recording.connect(sql)
        rows = connection.execute(sql).fetchall()
        connection.close()
        _say(words, before, f"{len(rows)} rows")
    why(directory)
    past(directory)
    status = recording.status()
    each = status.bytes / max(1, status.exits)
    print(f"{status.exits:,} exits, {status.bytes:,} bytes: {each:.0f} an exit")


def why(directory: Path) -> None:
    """Print how long `exitsnoop why` takes, from its start to its end."""
    command = [sys.executable, "-m", "exitsnoop", "why", "--store", str(directory)]
    for words in ([], ["123456"], ["nginx"], ["ngin?"], ["/usr/sbin/nginx"], ["true"], ["nobody"]):
        times = []
        for _ in range(5):
            before = time.perf_counter()
            subprocess.run([*command, *words], stdout=subprocess.DEVNULL, check=False)
            times.append(time.perf_counter() - before)
        name = " ".join(["exitsnoop why", *words])
        print(f"{name:40} {statistics.median(times) * 1e3:8.1f} ms")


def past(directory: Path) -> None:
    """Print how long it takes from the start of `exitsnoop past` to its first row."""
    command = [sys.executable, "-m", "exitsnoop", "past", "--store", str(directory)]
    for words in (["--since", "1h"], ["--since", "1h", "-x"], ["--since", "3d"], ["--last", "20"]):
        times = []
        for _ in range(5):
            before = time.perf_counter()
            with subprocess.Popen([*command, *words], stdout=subprocess.PIPE) as process:
                assert process.stdout
                process.stdout.readline()  # the header
                process.stdout.readline()
                times.append(time.perf_counter() - before)
                process.kill()
        name = " ".join(["exitsnoop past", *words])
        print(f"{name:40} {statistics.median(times) * 1e3:8.1f} ms to the first row")


def _say(words: str, before: float, found: str) -> None:
    print(f"{words:40} {(time.perf_counter() - before) * 1e3:8.1f} ms {found:>14}")


def main() -> None:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    of_write = verbs.add_parser("write")
    of_write.add_argument("--exits", type=int, default=200_000)
    of_write.add_argument("--batch", type=int, default=256)
    of_make = verbs.add_parser("make")
    of_make.add_argument("directory", type=Path)
    of_make.add_argument("exits", type=int)
    of_ask = verbs.add_parser("ask")
    of_ask.add_argument("directory", type=Path)
    options = parser.parse_args()
    if options.verb == "write":
        write(options.exits, options.batch)
    elif options.verb == "make":
        make_store(options.directory, options.exits)
    else:
        ask(options.directory)


if __name__ == "__main__":
    main()
