"""Runs tests/kernel under Debian kernels, in guests.

    python tests/vm/kernels.py --sample     what differs by kernel; of many like cases, some
    python tests/vm/kernels.py --all        every test
    python tests/vm/kernels.py ARG...       what pytest does with these arguments

The Python is that of an environment with the package and pytest in it. As many guests run at a
time as there are CPUs; their output is shown as it comes, at last a line for each. KERNELS, some
names of the list below, leaves out the others; CPUS is how many a guest has that runs ARGs (2).

The first two find out what each kernel gives; that must be what the tables of docs/kernels.md say,
which a run without CI=true rewrites.

The exit status is 1 if a test failed in one of them. A kernel that cannot be had, as when the
mirror does not answer, is left out and named; with CI=true that is a failure, and so is it if the
tables are not what the kernels gave.
"""

import difflib
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

sys.path.append(str(Path(__file__).parents[1]))

from support.programs import compile_static

HERE = Path(__file__).parent
TESTS = HERE.parent / "kernel"
TABLES = HERE.parents[1] / "docs" / "kernels.md"
# What most tests run: compiled here once, and not in each guest, where the compiler is emulated.
PROGRAMS = ("endings", "deaths", "lives", "refuse", "hostile", "garbage", "strokes", "returns")
TITLES = {"fields": "field", "special": "where it differs", "features": "the kernel"}

# Around where kernels differ most: no task storage and no bpf_loop(); the old and the new argument
# of sched_process_exit; tracepoints that are preemptible.
# In this order: the tests take longer under later kernels.
KERNELS = {
    "5.10": ("bullseye", "linux-image-cloud-amd64"),
    "6.1": ("bookworm", "linux-image-cloud-amd64"),
    "6.12": ("bookworm", "linux-image-6.12-cloud-amd64"),
    "7.x": ("trixie-backports", "linux-image-cloud-amd64"),
}


class Part(NamedTuple):
    """What runs in a guest of its own. One CPU is emulated faster than two.

    Attributes:
        asks: whether fields.py runs before.
        cases: "" or what the variable CASES is to be (see tests/kernel/conftest.py); {} is the
            number of the kernel, so that together they run all cases.
    """

    name: str
    cpus: int
    cgroups: str
    tests: tuple[str, ...]
    asks: bool = False
    cases: str = ""


# Which programs are loaded, what they see when threads and CPUs compete.
RACES = "causes_several perf_events preempted programs races rings truth"
# Which fields of the kernel they read, where signals come from, what is refused.
FIELDS = (
    "causes_faults causes_oom causes_relations causes_senders context cwd images refusals resources"
)


def sample() -> list[Part]:
    """What differs by kernel. The command line, the formats and the sinks do not."""
    races, fields = ([f"test_{name}.py" for name in names.split()] for names in (RACES, FIELDS))
    return [
        _part("fields", 1, "unified", *fields)._replace(cases="{}/4"),
        _part("races", 2, "hybrid", *races)._replace(asks=True, cases="{}/4"),
    ]


def everything() -> list[Part]:
    """Each test is in one; that of the OOM killer in two, which differs by version of cgroups."""
    races = {f"test_{name}.py" for name in (*RACES.split(), "priority")}
    causes = {path.name for path in TESTS.glob("test_causes_*.py")} - races
    causes |= {"test_build.py", "test_check.py", "test_terminal.py", "test_why.py"}
    others = {path.name for path in TESTS.glob("test_*.py")} - {*races, *causes}
    return [
        _part("others", 1, "hybrid", *others, "test_causes_oom.py"),
        _part("causes", 1, "unified", *causes),
        _part("races", 2, "hybrid", *races)._replace(asks=True),
    ]


def _part(name: str, cpus: int, cgroups: str, *files: str) -> Part:
    return Part(name, cpus, cgroups, tuple(str(TESTS / file) for file in sorted(files)))


class Guests:
    """Runs them; at the end none is left. What fields.py found out is in `gives`, by kernel.

    Args:
        compiled: the directory with PROGRAMS, which the guests see.
    """

    def __init__(self, compiled: str) -> None:
        self._compiled = compiled
        self.gives: dict[str, Any] = {}
        self._running: list[subprocess.Popen[str]] = []

    def test(self, kernel: str, directory: str, part: Part) -> tuple[bool, str]:
        """Return whether all passed, and a line that tells how it went."""
        started = time.monotonic()
        environment = {
            "TMPDIR": "/disk",
            "SLOW_MACHINE": "true",
            "CI": "true",
            "PYTHONPATH": str(HERE.parent),
            "COMPILED": self._compiled,
        }
        if part.cases:
            environment["CASES"] = part.cases.format(list(KERNELS).index(kernel))
        ask = [sys.executable, "-B", str(HERE / "fields.py")] if part.asks else ["true"]
        command = [
            *(str(HERE / "run-in-guest"), directory, "env"),
            *(f"{name}={value}" for name, value in environment.items()),
            *("sh", "-c", f'{shlex.join(ask)} && exec "$@"', "sh"),
            *(sys.executable, "-B", "-m", "pytest", "-p", "no:cacheprovider", "--color=no", "-q"),
            *("-rfEs", "--tb=short", "--durations=5", *part.tests),
        ]
        needs = {
            "MEMORY_MIB": "2048",
            "CPUS": str(part.cpus),
            "CGROUPS": part.cgroups,
            "TIMEOUT_S": "3600",
        }
        name = f"{kernel} {part.name}"
        last = ""
        guest = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=os.environ | needs,
        )
        self._running.append(guest)
        assert guest.stdout
        for line in guest.stdout:
            if line.startswith("GIVES "):
                self.gives[kernel] = json.loads(line.removeprefix("GIVES "))
                continue
            last = line.rstrip()
            print(f"{name}: {last}", flush=True)  # noqa: T201
        status = guest.wait()
        taken = time.monotonic() - started
        return status == 0, f"{name}: {last} (status {status}, {taken:.0f} s)"

    def end(self) -> None:
        for guest in self._running:
            if guest.poll() is None:
                guest.terminate()
                guest.wait()


def directories() -> Iterator[tuple[str, str | None]]:
    """Iterate over the requested kernels: the name, and where it is; None if it is nowhere."""
    names = os.environ.get("KERNELS", "").split() or list(KERNELS)
    if unknown := set(names) - KERNELS.keys():
        sys.exit(f"no kernel {' '.join(unknown)}: KERNELS are some of {' '.join(KERNELS)}")
    for name in names:
        result = subprocess.run(
            [HERE / "get-kernel", *KERNELS[name]], stdout=subprocess.PIPE, text=True, check=False
        )
        yield name, None if result.returncode else result.stdout.strip()


def tables(gives: dict[str, Any]) -> str:
    """Return what the kernels gave as tables, a column each."""
    lines = []
    for table, title in TITLES.items():
        rows = {title: list(gives), "---": ["---"] * len(gives)}
        for row in gives[next(iter(gives))][table]:
            rows[row] = [answers[table][row] for answers in gives.values()]
        lines += [f"| {' | '.join([row, *cells])} |" for row, cells in rows.items()]
        lines.append("")
    return "\n".join(lines)


def is_told(gives: dict[str, Any]) -> bool:
    """Whether the document has these tables; unless in CI, it has them from now on."""
    before, start, rest = TABLES.read_text().partition("<!-- tables -->\n")
    old, end, after = rest.partition("<!-- end of tables -->\n")
    new = "\n" + tables(gives) + "\n"
    if new == old:
        return True
    print(*difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm=""), sep="\n")  # noqa: T201
    if os.environ.get("CI") == "true":
        print(f"{TABLES} does not tell what the kernels gave: run `make test-kernels`, commit it")  # noqa: T201
        return False
    TABLES.write_text(before + start + new + end + after)
    print(f"{TABLES} has been rewritten")  # noqa: T201
    return True


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    found = list(directories())
    if arguments == ["--sample"]:
        chosen = sample()
    elif arguments == ["--all"]:
        chosen = everything()
    else:
        cpus = int(os.environ.get("CPUS", "2"))
        chosen = [Part("tests", cpus, "hybrid", tuple(arguments))]
    compiled = tempfile.TemporaryDirectory(prefix="compiled-")
    for name in PROGRAMS:
        compile_static(TESTS / f"{name}.c", Path(compiled.name))
    guests = Guests(compiled.name)
    passed = True
    lines = []
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        # The longest first, so that no CPU is idle for long in the end.
        runs = [
            pool.submit(guests.test, name, directory, part)
            for name, directory in reversed(found)
            for part in chosen
            if directory
        ]
        for run in runs:
            good, line = run.result()
            passed = passed and good
            lines.append(line)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        guests.end()
        compiled.cleanup()
    for name, directory in found:
        if not directory:
            lines.append(f"{name}: NOT TESTED, there is no such kernel to be had")
            passed = passed and os.environ.get("CI") != "true"
    gives = {name: guests.gives[name] for name in KERNELS if name in guests.gives}
    if gives.keys() == KERNELS.keys():
        passed = is_told(gives) and passed
    print(*("", *lines), sep="\n")  # noqa: T201
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
