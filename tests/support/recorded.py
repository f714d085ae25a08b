"""Exits made up for recordings: each has a number, by which it can be recognised and made again."""

import contextlib
import importlib
import os
import pkgutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings

import exitsnoop
from exitsnoop import Exit
from exitsnoop.model.batch import Exits
from exitsnoop.model.cause import Cause, Sender
from exitsnoop.model.context import Ancestor
from exitsnoop.model.fields import COLUMNS
from exitsnoop.sinks.json_lines import JsonLines
from exitsnoop.store.boots import Boot
from exitsnoop.store.limits import Limits
from exitsnoop.store.query import Query
from exitsnoop.store.recording import Recording
from exitsnoop.store.writer import Writer
from exitsnoop.testing import make_exit

FUZZ = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "15")),
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
"""How hard fuzz tests of recordings try."""
SECOND_NS = 1_000_000_000
START_NS = 5_000 * SECOND_NS
"""The time of exit 0, by the boot clock."""
OFFSET_NS = 1_790_000_000 * SECOND_NS
BOOT = Boot("0d9c7b1e-0000-4000-8000-000000000001", "6.1.0", "web1", "m1", OFFSET_NS)
ROOM = Limits(1 << 30, 0, 1e9)
"""Limits that are not reached: nothing is dropped for its size, the free space or its age."""
SMALL = Limits(16 << 20, 0, 1e9)
EXITED = Cause("exited", "exit code 0")
ABOVE = (Ancestor(40, "sh"), Ancestor(1, "init"))

_SAME: dict[str, Any] = {
    "ppid": 40,
    "last_thread": True,
    "wanted": True,
    "args_truncated": False,
    "ancestors_truncated": False,
    "exe": "/usr/bin/job",
    "uid": 0,
    "user": "root",
    "nspid": None,
    "hostname": "web1",
    "parent_comm": "sh",
    "cgroup": "/system.slice/job.service",
    "cwd": "/srv/job",
    "max_rss": 4096,
    "read_bytes": 0,
    "write_bytes": 0,
    "major_faults": 0,
    "voluntary_switches": 1,
    "involuntary_switches": 0,
}


def exits(numbers: Iterable[int], offset_ns: int = OFFSET_NS, **columns: Any) -> Exits:
    """Return the exits with these numbers, which are also their PIDs.

    columns: others than made up: one value for all, or a list.
    """
    numbers = list(numbers)
    count = len(numbers)
    made: dict[str, Sequence[Any]] = {
        "boot_ns": [START_NS + number * 1000 for number in numbers],
        "start_boot_ns": [START_NS + number * 1000 - 500 - number % 7 for number in numbers],
        "pid": numbers,
        "tid": numbers,
        "status": [256 if number % 5 == 0 else 0 for number in numbers],
        "raw_comm": [f"job{number % 9}".encode().ljust(16, b"\0") for number in numbers],
        "args": [("job", str(number)) for number in numbers],
        "ancestors": [(Ancestor(number % 11 + 2, "sh"), *ABOVE) for number in numbers],
        "cause": [
            Cause("killed", f"killed by x[{number}]", Sender(number, 1, "x", 0, ("x",)), "kill")
            if number % 50 == 0
            else EXITED
            for number in numbers
        ],
        "cpu_user": [number % 1000 / 1e6 for number in numbers],
        "cpu_system": [number % 997 / 1e6 for number in numbers],
        "minor_faults": [number % 300 for number in numbers],
    }
    for name, value in {
        **_SAME,
        **columns,
    }.items():
        made[name] = value if isinstance(value, list) else [value] * count
    return Exits(made, offset_ns)


def writer(path: Path, **options: Any) -> Writer:
    """Return a writer of exits, in a boot that was made up, with room enough."""
    options = {"limits": ROOM, "boot": BOOT, "since_ns": START_NS, **options}
    return Writer(path, **options)


def record(path: Path, *batches: Exits, **options: Any) -> None:
    """Write a recording, and end it.

    The recorder's clock is that of the first batch, so that it does not find the clock stepped.
    """
    if batches and "boot" not in options:
        began_ns = batches[0].column("wall_ns")[0] - batches[0].column("boot_ns")[0]
        options["boot"] = BOOT._replace(began_ns=began_ns)
    recorder = writer(path, **options)
    for batch in batches:
        recorder.add(batch)
    recorder.commit()
    assert recorder.close() == 0


def death(at_s: float, pid: int = 100, *, boot: Boot = BOOT, **more: Any) -> Exit:
    """Return a death so many seconds after the recording began."""
    at_ns = START_NS + round(at_s * SECOND_NS)
    return make_exit(pid=pid, boot_ns=at_ns, wall_ns=at_ns + boot.began_ns, **more)


def record_deaths(path: Path, deaths: Iterable[Exit], boot: Boot = BOOT) -> None:
    """Write a recording of deaths, in the order of time, and end it."""
    record(path, Exits.of(sorted(deaths, key=lambda one: one.boot_ns)), boot=boot)


def read(path: Path, **query: Any) -> Exits:
    """Return the exits of a recording that a query asks for."""
    return joined(Recording(path).select(Query(**query)).batches())


def joined(batches: Iterable[Exits]) -> Exits:
    """Return batches as one."""
    every = [exit_ for batch in batches for exit_ in batch]
    return Exits.of(every)


def pids(path: Path, **query: Any) -> list[int]:
    """Return the PIDs of the exits of a recording that a query asks for."""
    found = read(path, **query)
    return list(found.column("pid")) if found else []


def ask(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query on the view."""
    with contextlib.closing(Recording(path).connect(sql)) as connection:
        return connection.execute(sql).fetchall()


def json_lines(batch: Exits) -> list[str]:
    """Return the line of each exit, with every field."""
    return JsonLines(list(COLUMNS)).rows(batch).splitlines()


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def without_rights(what: Callable[[], None], groups: Sequence[int] = ()) -> None:
    """Do something as a user with only the rights of some groups; fail if it fails.

    The package is imported before: it may be in a home that this user cannot read.
    """
    for module in pkgutil.walk_packages(exitsnoop.__path__, "exitsnoop."):
        if module.name != "exitsnoop.__main__":
            importlib.import_module(module.name)
    child = os.fork()
    if not child:
        status = 1
        try:
            os.setgroups(groups)
            os.setgid(65534)
            os.setuid(65534)
            what()
            status = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def recorder_command(path: Path, *arguments: str) -> list[str]:
    """Return the command of a process that records until it is ended; see store/recorder.py."""
    script = Path(__file__).parents[1] / "store" / "recorder.py"
    return [sys.executable, "-B", str(script), str(path), *arguments]


def record_and_kill(store: Path) -> None:
    """Start a recorder, and kill it once it has committed something."""
    with subprocess.Popen(recorder_command(store), stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        process.kill()
        process.stdout.read()


def shimmed(
    shim: Path, store: Path, log: Path | None = None, *, gate: Path | None = None
) -> dict[str, str]:
    """Return the environment in which a process uses the shim for the files of a store."""
    environment = {**os.environ, "LD_PRELOAD": str(shim), "SHIM_DIRECTORY": str(store)}
    files = {"SHIM_LOG": log, "SHIM_GATE": gate}
    return environment | {name: str(file) for name, file in files.items() if file}


def compiled_shim(directory: Path) -> Path:
    """Compile store/shim.c and return the library to preload."""
    source = Path(__file__).parents[1] / "store" / "shim.c"
    library = directory / "shim.so"
    command: list[str | Path] = [
        "cc",
        "-shared",
        "-fPIC",
        "-O2",
        "-Wall",
        "-Werror",
        "-o",
        library,
        source,
        "-ldl",
    ]
    subprocess.run(command, check=True)
    return library
