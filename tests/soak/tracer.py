"""A tracer of the long runs: what it wrote, what it used, and whether that adds up."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

EXITSNOOP = str(Path(sys.executable).with_name("exitsnoop"))
GROWTH, SLACK_KB = 1.05, 1024
MOST_PLAIN_KB = 25 * 1024
FILES = 16  # of programs that crashed: as many may be open from one crash to the next
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
            files = 0 if self.name == "plain" else FILES
            if max(s.fds for s in last) > max(s.fds for s in second) + files:
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
