"""One run of a tool under a load, and what it cost."""

import atexit
import contextlib
import glob
import json
import os
import re
import select
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple

from tools import Tool

CPUS = [str(cpu) for cpu in sorted(os.sched_getaffinity(0))]
READY_S = 30  # longer than any tool takes to attach on a machine that is not broken
SETTLED_S = 0.3


class Cost(NamedTuple):
    """What a storm of exits cost with a tool.

    Attributes:
        exit_ns: of the load: from the start of one process to the start of the next.
        kernel_ns: in the tool's BPF programs, all of them, an exit; None where it has none.
        cpu_ns: of the tool's process, user and system, from when it was attached, a row.
        all_cpu_ns: the same from its start on.
        peak_bytes: the most memory that it had resident: as it started, or since.
        end_bytes: what it had resident at the end.
        exits: how many ended, as the load counted them with waitpid.
        rows: how many the tool told of.
        lost: how many it said it had lost; None if it said nothing.
    """

    exit_ns: int
    kernel_ns: float | None
    cpu_ns: float
    all_cpu_ns: float
    peak_bytes: int
    end_bytes: int
    exits: int
    rows: int
    lost: int | None


class Run:
    """A tool that runs, attached, and writes to a file or through a pipe, or to `store`."""

    def __init__(self, tool: Tool, program: str, options: list[str]) -> None:
        self.tool = tool
        self._rows = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as we do
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._reader = None
        output: int = self._rows.fileno()
        if "pipe" in tool.name:
            self._reader = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=self._rows)
            assert self._reader.stdin
            output = self._reader.stdin.fileno()
        self._directory = tempfile.TemporaryDirectory()
        self.store = self._directory.name
        self.all_rows = 0  # also of other processes than the load's; known at the end
        store = ["--store", self.store] if tool.records else []
        self.process = subprocess.Popen(
            [*tool.command, *options, *store],
            stdout=output,
            stderr=self._errors,
            start_new_session=True,
        )
        atexit.register(self.process.kill)  # harmless once it has ended and been waited for
        if self._reader and self._reader.stdin:
            self._reader.stdin.close()
        self._await_rows(program)

    def _await_rows(self, program: str) -> None:
        """Wait until exits are reported, even those of its own start: then it is attached.

        Tools that hold rows back until a block is full need many.
        """
        until = time.monotonic() + READY_S
        while not self._is_attached():
            subprocess.run([program, "paced", "50", "5000"], stdout=subprocess.DEVNULL, check=True)
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{self.tool.name} does not trace: {self.said()}")
        time.sleep(SETTLED_S)

    def _is_attached(self) -> bool:
        if self.tool.records:
            return "recording to" in self.said()
        return os.fstat(self._rows.fileno()).st_size >= 200

    def said(self) -> str:
        """What it has written to standard error."""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    def _count(self) -> int:
        return sum(bool(self.tool.is_row.search(line)) for line in _lines(self._rows.fileno()))

    def cpu_ns(self) -> int:
        """The CPU time of its threads, those that have ended not included."""
        total = 0
        for path in glob.glob(f"/proc/{self.process.pid}/task/*/schedstat"):
            with contextlib.suppress(OSError), open(path) as file:
                total += int(file.read().split()[0])
        return total

    def kernel_ns(self) -> int | None:
        """The time spent in its BPF programs; None if it has none."""
        ids = set()
        for path in glob.glob(f"/proc/{self.process.pid}/fdinfo/*"):
            with contextlib.suppress(OSError), open(path) as lines:
                ids |= {int(line.split()[1]) for line in lines if line.startswith("prog_id")}
        if not ids:
            return None
        shown = subprocess.check_output(["bpftool", "prog", "show", "-j"])
        return sum(int(p.get("run_time_ns", 0)) for p in json.loads(shown) if p["id"] in ids)

    def memory(self) -> tuple[int, int]:
        """The most bytes that it had resident, and how many it has."""
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.tool.name} has ended: {self.said()}")
        with open(f"/proc/{self.process.pid}/status") as lines:
            sizes = dict(line.split(":", 1) for line in lines)
        peak, now = (1024 * int(sizes[name].split()[0]) for name in ("VmHWM", "VmRSS"))
        return peak, now

    def end(self) -> tuple[int, int | None]:
        """End it; return how many rows came, and how many it said were lost."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        if self._reader:
            self._reader.wait()
        if self.tool.records:
            read_back(self.tool, self.store, self._rows.fileno())
        said = self.said()
        told = re.findall(r"lost (\d+) events|(\d+) exits were lost in", said)
        rows = self._count()
        self.all_rows = sum(1 for _ in _lines(self._rows.fileno()))
        self._rows.close()
        self._errors.close()
        self._directory.cleanup()
        return rows, sum(int(a or b) for a, b in told) if told else None


def read_back(tool: Tool, store: str, rows: int) -> None:
    """Write what was recorded, as JSON; nothing if that began too late."""
    past = [tool.command[0], "past", "--json", "--store", store]
    subprocess.run(past, stdout=rows, stderr=subprocess.DEVNULL, check=False)


def _lines(fd: int) -> Iterator[bytes]:
    with open(f"/proc/self/fd/{fd}", "rb") as file:
        yield from file


def storm(tool: Tool | None, program: str, kind: str, count: int, cpus: list[str]) -> Cost:
    """Run `exits KIND COUNT CPU...` with a tool, or with none. BPF statistics must be on."""
    run = None
    if tool:
        options = tool.per_thread or [] if kind == "threads" else []
        run = Run(tool, program, options)
        cpu_ns, kernel_ns = run.cpu_ns(), run.kernel_ns()
    load = subprocess.check_output([program, kind, str(count), *cpus]).split()
    exit_ns, exits = map(int, load)
    if not run:
        return Cost(exit_ns, None, 0, 0, 0, 0, exits, 0, None)
    _settle(run)
    all_cpu_ns = run.cpu_ns()
    cpu_ns = all_cpu_ns - cpu_ns
    if kernel_ns is not None:
        kernel_ns = (run.kernel_ns() or 0) - kernel_ns
    memory = run.memory()
    rows, lost = run.end()
    in_kernel = None if kernel_ns is None else kernel_ns / exits
    each = max(rows, 1)
    costs = (exit_ns, in_kernel, cpu_ns / each, all_cpu_ns / each)
    return Cost(*costs, *memory, exits, rows, lost)


def _settle(run: Run) -> None:
    """Wait until it has nothing left to do."""
    last = -1
    while (now := run.cpu_ns()) > last + 1_000_000:
        last = now
        time.sleep(SETTLED_S)


def start_up(tool: Tool, program: str) -> float:
    """Return the seconds from the start of a tool until it missed no exit any more.

    The kernel is given the time to free what the tool before left: who attaches meanwhile waits.
    """
    seconds = 1
    while (taken := _start_up_within(seconds, tool, program)) is None:
        assert seconds <= READY_S, f"{tool.name} does not attach"
        seconds *= 4
    return taken


def _start_up_within(seconds: int, tool: Tool, program: str) -> float | None:
    """Return the same; None if it missed all exits of so many seconds."""
    time.sleep(SETTLED_S)
    with tempfile.TemporaryFile() as rows, tempfile.TemporaryDirectory() as store:
        command = [*tool.command, "--store", store] if tool.records else tool.command
        load = subprocess.Popen(
            [program, "paced", str(2000 * seconds), "2000"], stdout=subprocess.PIPE, text=True
        )
        assert load.stdout
        load.stdout.readline()  # it runs
        begun = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        traced = subprocess.Popen(command, stdout=rows, stderr=subprocess.DEVNULL)
        atexit.register(traced.kill)
        truth = [tuple(map(int, line.split())) for line in load.communicate()[0].splitlines()]
        os.kill(traced.pid, signal.SIGINT)
        traced.wait()
        if tool.records:
            read_back(tool, store, rows.fileno())
        told = {int(found[1]) for line in _lines(rows.fileno()) if (found := tool.pid.search(line))}
    attached = next((ended for pid, ended in truth if pid in told), None)
    return None if attached is None else (attached - begun) / 1e9


def latencies(tool: Tool, program: str, count: int, rate: int, cpus: list[str]) -> list[float]:
    """Return the seconds from exits, of which some come a second, until their rows are read.

    The rows go to a terminal, to which all tools write each as it comes. cpus: where there is a
    storm of other exits meanwhile.
    """
    ours, theirs = os.openpty()
    with subprocess.Popen(tool.command, stdout=theirs, stderr=subprocess.DEVNULL) as traced:
        atexit.register(traced.kill)
        os.close(theirs)
        seen: dict[int, int] = {}
        reader = threading.Thread(target=_note_arrivals, args=(tool, ours, seen))
        reader.start()
        while not seen:
            subprocess.run([program, "paced", "5", "1000"], stdout=subprocess.DEVNULL, check=True)
        seconds = count / rate
        others = [
            subprocess.Popen(
                [program, "processes", str(int(seconds * 20_000)), cpu], stdout=subprocess.DEVNULL
            )
            for cpu in cpus
        ]
        told = subprocess.check_output([program, "paced", str(count), str(rate)], text=True)
        truth = [tuple(map(int, line.split())) for line in told.splitlines()]
        for other in others:
            other.wait()
        time.sleep(1)
        os.kill(traced.pid, signal.SIGINT)
    reader.join()
    os.close(ours)
    return [(seen[pid] - ended) / 1e9 for pid, ended in truth if pid in seen]


def _note_arrivals(tool: Tool, terminal: int, seen: dict[int, int]) -> None:
    """Note when the row of each PID came; those of a storm are not looked for."""
    rest = b""
    while True:
        select.select([terminal], [], [])
        now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        try:
            *rows, rest = (rest + os.read(terminal, 1 << 16)).split(b"\n")
        except OSError:  # the other side is closed
            return
        for row in rows:
            if b"exits" in row and (found := tool.pid.search(row)):
                seen[int(found[1])] = now


def wake_ups(tool: Tool, program: str, seconds: float) -> float:
    """Return how often a second a tool runs while next to nothing ends."""
    run = Run(tool, program, [])
    before = _switches(run.process.pid)
    time.sleep(seconds)
    after = _switches(run.process.pid)
    run.end()
    return (after - before) / seconds


def _switches(pid: int) -> int:
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/status"):
        with open(path) as lines:
            total += sum(int(line.split()[1]) for line in lines if line.startswith("voluntary"))
    return total
