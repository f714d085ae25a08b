"""Measures exitsnoop beside the tools whose place it takes; writes what it found to a document.

Run by `make bench`, as root, in a mount namespace of its own that has tracefs. The tools take
turns, so that what else the machine does hits all of them; figures are medians, with the least and
the most. Ratios are to libbpf-tools' exitsnoop in the same round.
"""

import argparse
import contextlib
import datetime
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import contention
import measure
import tables
from measure import CPUS, Cost
from signals import signals
from tables import table

from tools import ALL, C_TOOL, JSON, RECORD, TABLE, TOOLS, Tool

HERE = Path(__file__).parent
os.environ["PATH"] += ":/usr/sbin:/sbin"  # where Debian keeps bpftool
STATISTICS = Path("/proc/sys/kernel/bpf_stats_enabled")
START, END = "<!-- made by make bench -->", "<!-- end -->"
MS, US, MB = 1e-3, 1e3, 1e6
PARTS = "storms,starts,latencies,floods,replays,live,recorder,contention,signals"


def main() -> None:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the tools are ended, too
    chosen = [tool for tool in TOOLS if options.tools in tool.name]
    tools = [tool for tool in chosen if tool.is_there]
    for tool in chosen:
        if not tool.is_there:
            print(f"bench: {tool.name} is not there: install {tool.package}", file=sys.stderr)
    with _load() as program:
        parts = []
        for part in _parts(options, tools, program):
            print(f"{part}\n", flush=True)  # it takes a while until all are there
            parts.append(part)
    if options.document:
        _put(options.document, "\n\n".join(parts))


def _parts(options: argparse.Namespace, tools: Sequence[Tool], program: str) -> Iterator[str]:
    parts: dict[str, Callable[[], Iterator[str]]] = {
        "storms": lambda: _storms(options, tools, program),
        "starts": lambda: _starts(options, tools, program),
        "latencies": lambda: _latencies(options, tools, program),
        "floods": lambda: _floods(options, tools, program),
        "replays": lambda: tables.replays(program, options.replayed, options.rounds),
        "live": lambda: tables.live(program, options.replayed),
        "recorder": lambda: tables.recorder(program, options.seconds),
        "contention": lambda: _contention(options),
        "signals": lambda: signals(options.rounds, options.signals),
    }
    yield _described(options)
    for name, make in parts.items():
        if name in options.parts.split(","):
            yield from make()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--starts", type=int, default=3, help="in each round, as they differ")
    parser.add_argument("--idle", type=int, default=5, help="seconds in which wake-ups are counted")
    parser.add_argument("--exits", type=int, default=100_000, help="of each storm")
    parser.add_argument("--flood", type=int, default=1_000_000, help="exits, from all CPUs")
    parser.add_argument("--records", type=int, default=1_500_000, help="of each CPU, contending")
    parser.add_argument("--signals", type=int, default=100_000, help="of each kind")
    parser.add_argument("--tools", default="", help="only those with this in their name")
    parser.add_argument("--replayed", type=int, default=8000, help="exits of each load")
    parser.add_argument("--seconds", type=int, default=60, help="of a storm for the recorder")
    parser.add_argument("--parts", default=PARTS, help=f"which to measure; default {PARTS}")
    parser.add_argument("--latencies", type=int, default=1000, help="exits, a hundred a second")
    parser.add_argument("--document", type=Path, help="put the tables into this file")
    return parser.parse_args()


@contextlib.contextmanager
def _load() -> Iterator[str]:
    """The program exits.c."""
    with tempfile.TemporaryDirectory() as directory:
        program = f"{directory}/exits"
        flags = ["-O2", "-static", "-pthread", "-Wall", "-Wextra", "-Werror"]
        subprocess.run(["cc", *flags, "-o", program, HERE / "exits.c"], check=True)
        yield program


@contextlib.contextmanager
def _statistics() -> Iterator[None]:
    """The kernel measures BPF programs, which costs some 50 ns a run."""
    before = STATISTICS.read_text()
    STATISTICS.write_text("1")
    try:
        yield
    finally:
        STATISTICS.write_text(before)


def _described(options: argparse.Namespace) -> str:
    kernel = platform.uname()
    given = sys.argv[1:]
    if options.document:  # which is make's
        given = given[:-2]
    today = datetime.datetime.now(datetime.timezone.utc).date()
    return (
        f"{today}, Linux {kernel.release} {kernel.machine}, {len(CPUS)} CPUs, "
        f'`make bench BENCH_ARGS="{" ".join(given)}"`; {options.rounds} rounds.'
    )


def _storms(options: argparse.Namespace, tools: Sequence[Tool], program: str) -> Iterator[str]:
    """One CPU ends processes as fast as it can."""
    costs: dict[str, list[Cost]] = {name: [] for name in ["", *(tool.name for tool in tools)]}
    inside: dict[str, list[Cost]] = {tool.name: [] for tool in tools}
    for number in range(options.rounds):
        _say(f"storm {number + 1} of {options.rounds}")
        costs[""].append(measure.storm(None, program, "processes", options.exits, CPUS[:1]))
        for tool in tools:
            cost = measure.storm(tool, program, "processes", options.exits, CPUS[:1])
            costs[tool.name].append(cost)
        with _statistics():
            for tool in tools:
                cost = measure.storm(tool, program, "processes", options.exits // 5, CPUS[:1])
                inside[tool.name].append(cost)
    untraced = [cost.exit_ns for cost in costs[""]]
    rows = [["nothing", "", "", _spread(untraced, US), "1", *[""] * 7]]
    rows += [_cost_row(tool.name, costs, inside) for tool in tools]
    yield f"### {options.exits:,} exits from one CPU, as fast as they go"
    yield table(
        [
            "tool",
            "in the kernel, ns an exit",
            "ratio",
            "load, us an exit",
            "to untraced",
            "tool's CPU, us a row",
            "ratio",
            "with its start",
            "ratio",
            "memory, MB (peak)",
            "rows",
            "said lost",
        ],
        rows,
    )


def _cost_row(name: str, costs: dict[str, list[Cost]], inside: dict[str, list[Cost]]) -> list[str]:
    mine, theirs = costs[name], costs.get(C_TOOL, [])
    kernel = [cost.kernel_ns or 0 for cost in inside[name]]
    their_kernel = [cost.kernel_ns or 0 for cost in inside.get(C_TOOL, [])]
    untraced = [cost.exit_ns for cost in costs[""]]
    cpu = [cost.cpu_ns for cost in mine]
    return [
        name,
        _spread(kernel) if any(kernel) else "-",
        _ratio(kernel, their_kernel) if any(kernel) else "-",
        _spread([cost.exit_ns for cost in mine], US),
        _ratio([cost.exit_ns for cost in mine], untraced),
        _spread(cpu, US, 2),
        _ratio(cpu, [cost.cpu_ns for cost in theirs]),
        _spread([cost.all_cpu_ns for cost in mine], US, 2),
        _ratio([cost.all_cpu_ns for cost in mine], [cost.all_cpu_ns for cost in theirs]),
        _memory(mine),
        _share(mine),
        _losses(mine),
    ]


def _starts(options: argparse.Namespace, tools: Sequence[Tool], program: str) -> Iterator[str]:
    seconds: dict[str, list[float]] = {}
    rounds = options.starts * options.rounds
    for number in range(rounds):
        _say(f"start {number + 1} of {rounds}")
        for tool in tools:
            if tool.name in (C_TOOL, TABLE, JSON, ALL, RECORD, "bpftrace"):
                seconds.setdefault(tool.name, []).append(measure.start_up(tool, program))
    rows = [
        [name, _spread(mine, MS), _ratio(mine, seconds.get(C_TOOL, []))]
        for name, mine in seconds.items()
    ]
    yield "### From start to attached\n\n" + table(["tool", "ms", "ratio"], rows)


def _latencies(options: argparse.Namespace, tools: Sequence[Tool], program: str) -> Iterator[str]:
    rows = []
    for tool in tools:
        if tool.name not in (C_TOOL, TABLE, JSON, "bpftrace"):
            continue
        _say(f"latency of {tool.name}")
        quiet = measure.latencies(tool, program, options.latencies, 100, [])
        busy = measure.latencies(tool, program, max(10, options.latencies // 5), 50, CPUS[:1])
        idle = measure.wake_ups(tool, program, options.idle)
        rows.append([tool.name, *_quantiles(quiet), *_quantiles(busy), f"{idle:.1f}"])
    titles = ["tool", "at 100 a second: median", "99 %", "most"]
    titles += ["at full rate: median", "99 %", "most", "runs a second when idle"]
    yield "### From exit to row on a terminal, ms\n\n" + table(titles, rows)


def _floods(options: argparse.Namespace, tools: Sequence[Tool], program: str) -> Iterator[str]:
    """All CPUs end processes, or threads, as fast as they can."""
    rows = []
    for kind in ("processes", "threads"):
        for tool in tools:
            if tool.name not in (C_TOOL, TABLE, JSON, ALL) or tool.per_thread is None:
                continue
            _say(f"flood of {kind} with {tool.name}")
            each = options.flood // len(CPUS)
            cost = measure.storm(tool, program, kind, each, CPUS)
            rows.append(
                [
                    f"{tool.name} {' '.join(tool.per_thread)}" if kind == "threads" else tool.name,
                    f"{cost.exits:,} {kind}",
                    f"{cost.exit_ns / US:.1f}",
                    f"{cost.cpu_ns / US:.2f}",
                    _memory([cost]),
                    f"{cost.rows:,}",
                    "-" if cost.lost is None else f"{cost.lost:,}",
                ]
            )
    titles = ["tool", "exits", "load, us an exit and CPU", "tool's CPU, us a row"]
    yield f"### From all {len(CPUS)} CPUs, as fast as they go\n\n" + table(
        [*titles, "memory, MB (peak)", "rows", "said lost"], rows
    )


def _contention(options: argparse.Namespace) -> Iterator[str]:
    """What a record costs where CPUs share a ring, and what it would on a large machine."""
    rounds = [contention.measure(CPUS, options.records) for _ in range(options.rounds)]
    measured = [
        ["one CPU", _spread([m.alone for m in rounds])],
        ["two CPUs, one ring", _spread([m.shared for m in rounds])],
        ["two CPUs, a ring each", _spread([m.apart for m in rounds])],
    ]
    simulated = []
    for records in (1, 4):
        for rings in (1, 2, 4, 8):
            row = [f"{records}", f"{rings}"]
            for hold_ns in (100, 300):
                used, mean, most = contention.simulate(1e6, records, rings, hold_ns)
                row += [f"{100 * used:.0f} %", f"{mean:.0f}", f"{most:.0f}"]
            simulated.append(row)
    titles = ["records an exit", "rings"]
    for hold_ns in (100, 300):
        titles += [f"lock held {hold_ns} ns: in use", "mean wait, ns", "99 %"]
    yield (
        "### A record in a shared ring, measured here\n\n"
        + table(["", "ns a record, reserved and submitted"], measured)
        + "\n\n### The queue for a ring's lock at 1,000,000 exits a second, simulated\n\n"
        + table(titles, simulated)
    )


def _spread(values: Sequence[float], unit: float = 1, digits: int | None = None) -> str:
    """Return the median, the least and the most."""
    middle = statistics.median(values) / unit
    form = f"{{:,.{digits if digits is not None else (0 if middle >= 100 else 1)}f}}".format
    return f"{form(middle)} ({form(min(values) / unit)}-{form(max(values) / unit)})"


def _ratio(mine: Sequence[float], theirs: Sequence[float]) -> str:
    """Return the median of the ratios, round by round."""
    ratios = [a / b for a, b in zip(mine, theirs, strict=False) if b]
    return f"{statistics.median(ratios):.2f}" if ratios else "-"


def _memory(costs: Sequence[Cost]) -> str:
    at_end = statistics.median(cost.end_bytes for cost in costs)
    return f"{at_end / MB:.1f} ({max(cost.peak_bytes for cost in costs) / MB:.1f})"


def _share(costs: Sequence[Cost]) -> str:
    rows, exits = sum(cost.rows for cost in costs), sum(cost.exits for cost in costs)
    return "all" if rows == exits else f"{100 * rows / exits:.1f} %"


def _losses(costs: Sequence[Cost]) -> str:
    said = [cost.lost for cost in costs if cost.lost is not None]
    if not said:
        return "-"
    missing = sum(cost.exits - cost.rows for cost in costs)
    return f"{sum(said):,} of {missing:,}"


def _quantiles(seconds: list[float]) -> list[str]:
    ordered = sorted(seconds)
    last = len(ordered) - 1
    return [f"{ordered[min(last, int(q * len(ordered)))] / MS:.1f}" for q in (0.5, 0.99, 1)]


def _put(document: Path, text: str) -> None:
    """Put the text between the marks of a document."""
    before, _, rest = document.read_text().partition(START)
    _, _, after = rest.partition(END)
    document.write_text(f"{before}{START}\n\n{text}\n\n{END}{after}")


def _say(what: str) -> None:
    print(f"bench: {what}", file=sys.stderr, flush=True)


main()
