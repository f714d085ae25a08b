"""Traces a mixed load for long, twice at once, and says whether all adds up and nothing grows.

    python tests/soak/soak.py [SECONDS [RATE]]      3600 seconds, 1000 exits a second

One tracer is plain and filters by the names of the load's two programs; the other collects every
field and the cause of each end, for the whole tree of the load. It ends by itself. The status is 0
if, for both, rows and reported losses together are the exits that waitpid saw, if neither memory
nor descriptors grew after the first fifth of the time (checked if that is at least a minute), and
if the plain tracer never had more than 25 MB.

Memory is VmRSS. The process's own memory (RssAnon) is shown apart. The rest is the ring, which
counts in full once it has been read through, and the pages of the interpreter's files.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, NoReturn

HERE = Path(__file__).parent
TESTS = HERE.parent
EXITSNOOP = str(Path(sys.executable).with_name("exitsnoop"))
SAMPLE_S = 1.0
GROWTH, SLACK_KB = 1.05, 1024
MOST_PLAIN_KB = 25 * 1024
WARM_UP_S = 60


class Sample(NamedTuple):
    """Of a tracer: resident memory in KB, and what of it is its own; descriptors, CPU seconds."""

    rss: int
    own: int
    fds: int
    cpu: float


class Tracer:
    """A tracer, of whose rows each line is counted and some are parsed."""

    def __init__(self, name: str, *options: str) -> None:
        self.name = name
        self.rows = 0
        self.samples: list[tuple[float, Sample]] = []
        self.process = subprocess.Popen(
            [EXITSNOOP, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.errors = ""
        self._threads = [
            threading.Thread(target=self._read, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def _read(self) -> None:
        assert self.process.stdout
        is_json = "--json" in self.process.args  # type: ignore[operator]
        for number, line in enumerate(self.process.stdout):
            if is_json:
                if line.startswith(b'{"lost"'):
                    continue
                if number % 500 == 0:
                    json.loads(line)
            elif number == 0:
                continue  # the header
            self.rows += 1

    def _read_errors(self) -> None:
        assert self.process.stderr
        self.errors = self.process.stderr.read().decode()

    def await_attached(self) -> None:
        """Wait for its first programs: JSON has no header."""
        while not any("bpf_link" in link for link in self._links()):
            if self.process.poll() is not None:
                sys.exit(f"soak: {self.name} does not trace: {self.errors}")
            time.sleep(0.05)

    def _links(self) -> list[str]:
        directory = Path(f"/proc/{self.process.pid}/fd")
        return [os.readlink(fd) for fd in directory.iterdir() if fd.is_symlink()]

    def sample(self, at: float) -> None:
        """Take note of what it uses, if it runs."""
        try:
            process = Path(f"/proc/{self.process.pid}")
            status = (process / "status").read_text()
            fds = len(list((process / "fd").iterdir()))
            cpu = int((process / "schedstat").read_text().split()[0]) / 1e9
        except OSError:
            return
        sizes = dict(re.findall(r"^(\w+):\s+(\d+) kB$", status, re.MULTILINE))
        if "VmRSS" in sizes:  # it has not ended
            self.samples.append((at, Sample(int(sizes["VmRSS"]), int(sizes["RssAnon"]), fds, cpu)))

    def finish(self) -> int:
        """Wait until it has ended, and all of it is read; return how many exits it lost."""
        for thread in self._threads:
            thread.join()
        self.process.wait()
        lost = re.search(r"(\d+) exits? (?:was|were) lost in all", self.errors)
        return int(lost[1]) if lost else 0

    def report(self, seconds: float, truth: int, lost: int) -> list[str]:
        """Print what it came to; return what is wrong."""
        samples = [sample for _, sample in self.samples]
        say(f"{self.name}:")
        say(f"  exits by waitpid {truth}, rows {self.rows}, lost {lost}")
        say(f"  memory in KB: {self._course('rss')}")
        say(f"  of it its own: {self._course('own')}")
        say(f"  descriptors: {self._course('fds')}")
        say(f"  CPU time {samples[-1].cpu:.1f} s; status {self.process.returncode}")
        for line in self.errors.splitlines():
            say(f"  {line}")
        wrong = []
        if self.name == "plain" and max(sample.rss for sample in samples) > MOST_PLAIN_KB:
            wrong.append(f"{self.name}: more than {MOST_PLAIN_KB} KB of memory")
        if self.rows + lost != truth:
            wrong.append(f"{self.name}: rows and losses are {self.rows + lost}, not {truth}")
        if self.process.returncode != (74 if lost else 0):
            wrong.append(f"{self.name}: status {self.process.returncode}")
        if seconds / 5 >= WARM_UP_S:
            second = [s for at, s in self.samples if seconds / 5 <= at < 2 * seconds / 5]
            last = [s for at, s in self.samples if at >= 4 * seconds / 5]
            if max(s.rss for s in last) > GROWTH * max(s.rss for s in second) + SLACK_KB:
                wrong.append(f"{self.name}: memory grows")
            if max(s.fds for s in last) > max(s.fds for s in second):
                wrong.append(f"{self.name}: descriptors grow")
        return wrong

    def _course(self, what: str) -> str:
        """Return the first value, and the most of each fifth of the time."""
        values = [getattr(sample, what) for _, sample in self.samples]
        fifth = -(-len(values) // 5)
        most = [max(values[at : at + fifth]) for at in range(0, len(values), fifth)]
        return f"start {values[0]}, most of each fifth {' '.join(map(str, most))}"


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


def programs(directory: Path) -> dict[str, Path]:
    """Compile the load's two, with names that no other process has."""
    made = {}
    for name in ("kernel/endings", "faults/loads"):
        program = directory / f"soak{os.getpid() % 100000}{name[-5]}"
        flags = ["-O1", "-static", "-pthread"]
        subprocess.run(["cc", *flags, "-o", program, TESTS / f"{name}.c"], check=True)
        made[name.partition("/")[2]] = program
    return made


def soak(seconds: float, rate: float, directory: Path) -> list[str]:
    """Do it; return what is wrong."""
    made = programs(directory)
    load = subprocess.Popen(
        [sys.executable, "-B", HERE / "load.py", *made.values(), str(seconds), str(rate)],
        cwd=directory,  # for the cores
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    columns = subprocess.check_output([EXITSNOOP, "-o", "help"], text=True)
    everything = ",".join(line.split()[0] for line in columns.splitlines())
    names = ",".join(program.name for program in made.values())
    plain = Tracer("plain", "--csv", "-n", names)
    whole = Tracer("everything", "--json", "-w", "-o", everything, "--tree", str(load.pid))
    try:
        for tracer in (plain, whole):
            tracer.await_attached()
        assert load.stdin
        load.stdin.write("go\n")
        load.stdin.flush()
        started = time.monotonic()
        while load.poll() is None:
            for tracer in (plain, whole):
                tracer.sample(time.monotonic() - started)
            time.sleep(SAMPLE_S)
        assert load.stdout
        told = json.loads(load.stdout.read())
        plain.process.terminate()
        losses = [tracer.finish() for tracer in (plain, whole)]  # the tree has ended
    finally:
        for process in (load, plain.process, whole.process):
            process.kill()
            process.wait()
    took = time.monotonic() - started
    say(f"{took:.0f} s, {told['all'] / took:.0f} exits a second")
    wrong = [f"load: {failure}" for failure in told["failures"]]
    wrong += plain.report(seconds, told["named"], losses[0])
    return wrong + whole.report(seconds, told["all"], losses[1])


def judge(test: Callable[[Path], list[str]]) -> NoReturn:
    """Run a test in a directory that is removed again, print what is wrong, and exit."""
    directory = Path(tempfile.mkdtemp(prefix="soak-"))
    try:
        wrong = test(directory)
    finally:
        shutil.rmtree(directory)
    for line in wrong:
        say(f"WRONG: {line}")
    say("it does not add up" if wrong else "all adds up")
    sys.exit(bool(wrong))


def main() -> NoReturn:
    """Do what the arguments say."""
    given = [float(word) for word in sys.argv[1:]]
    seconds, rate = given + [3600.0, 1000.0][len(given) :]
    judge(lambda directory: soak(seconds, rate, directory))


if __name__ == "__main__":
    main()
