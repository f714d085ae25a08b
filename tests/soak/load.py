"""The load of soak.py: processes of every kind, for some seconds; prints how many there were.

    python load.py ENDINGS LOADS SECONDS RATE

Waits for a line on standard input first. Prints JSON: `all` that this process and its descendants
were, and the `named`, which have the name of one of the two programs. RATE is how many end in a
second altogether; 0: as many as possible.
"""

import contextlib
import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL

from support.cgroups import MemoryCgroup, memory_controllers, mounts

MIB = 1 << 20
OOM_LIMIT = 8 * MIB
CONTAINERS = 10  # of each round that has some: more than are remembered, before long


class Load:
    """What two workers do, each on a CPU of its own where there are two.

    Attributes:
        all, named: how many processes there were.
    """

    def __init__(self, endings: str, loads: str, seconds: float, rate: float) -> None:
        self.all = 1  # this one
        self.named = 0
        self.failures: list[str] = []
        self._endings, self._loads = endings, loads
        self._started = time.monotonic()
        self._seconds, self._rate = seconds, rate
        self._lock = threading.Lock()
        self._ids = itertools.count()

    def run(self) -> None:
        """Do it until the time is over."""
        with limited() as group:
            workers = [
                threading.Thread(target=self._work, args=(worker, group)) for worker in range(2)
            ]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()

    def _work(self, worker: int, group: MemoryCgroup | None) -> None:
        cpus = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cpus[worker % len(cpus)]})  # of this thread, and what it starts
        try:
            for number in itertools.count(worker, 2):
                if time.monotonic() - self._started >= self._seconds:
                    return
                self._round(number, group)
        except (OSError, ValueError, AssertionError, subprocess.SubprocessError) as error:
            self.failures.append(repr(error))

    def _round(self, number: int, group: MemoryCgroup | None) -> None:
        kinds = number % 5
        if kinds == 0:
            self._count(self._told(self._endings, "storm", 210, number).count("\n") + 1, named=True)
        elif kinds == 1:
            self._count(int(self._told(self._loads, "forks", 500)) + 1, named=True)
        elif kinds == 2:
            self._count(int(self._told(self._loads, "bomb", 150)) + 1, named=True)
        elif kinds == 3:
            threads = ["threads"] if number % 2 else []
            told = self._told(self._loads, "reuse", 40, *threads)
            self._count(told.count("\n"))
            self._count(1, named=True)
        else:
            self._told(self._endings, "threads", 300)
            self._count(1, named=True)
            self._told("unshare", "--pid", "--fork", "--kill-child", "env", "env", "true")
            self._count(2)
            self._containers()
            if group and number % 50 == 4:
                self._oom(group)
        self._pause()

    def _containers(self) -> None:
        """Processes each in a cgroup of its own, named as docker would, and gone with it."""
        tops = [path for path, kind, _ in mounts() if kind == "cgroup2"]
        for _ in range(CONTAINERS if tops else 0):
            path = tops[0] / f"docker-{os.getpid():032x}{next(self._ids):032x}.scope"
            path.mkdir()
            try:
                self._told("sh", "-c", f"echo 0 >{path}/cgroup.procs; exec true")
            finally:
                path.rmdir()
            self._count(1)

    def _oom(self, group: MemoryCgroup) -> None:
        script = f"echo 0 >{group.path}/cgroup.procs; exec tail /dev/zero"
        status = subprocess.run(["sh", "-c", script], stderr=subprocess.DEVNULL, check=False)
        self._count(1)
        assert status.returncode == -SIGKILL, status

    def _told(self, *words: object) -> str:
        return subprocess.run(
            [*map(str, words)], stdout=subprocess.PIPE, text=True, check=True
        ).stdout

    def _count(self, processes: int, *, named: bool = False) -> None:
        with self._lock:
            self.all += processes
            self.named += processes * named

    def _pause(self) -> None:
        if self._rate:
            ahead = self.all / self._rate - (time.monotonic() - self._started)
            if ahead > 0:
                time.sleep(ahead)


@contextlib.contextmanager
def limited() -> Iterator[MemoryCgroup | None]:
    """A cgroup with little memory; None where there is no memory controller."""
    tops = list(memory_controllers())
    if not tops:
        yield None
        return
    top, two = tops[0]
    if two:
        (top / "cgroup.subtree_control").write_text("+memory")
    group = MemoryCgroup(top / f"exitsnoop-soak-{os.getpid()}", two=two)
    try:
        group.set_limit(OOM_LIMIT)
        yield group
    finally:
        group.path.rmdir()


def main() -> None:
    """Do what the arguments say."""
    endings, loads, seconds, rate = sys.argv[1:]
    sys.stdin.readline()
    load = Load(endings, loads, float(seconds), float(rate))
    load.run()
    told = {"all": load.all, "named": load.named, "failures": load.failures}
    print(json.dumps(told))  # noqa: T201


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main()
