"""Runs the long proofs; writes date and result of each to the table of docs/reliability.md.

    python3 tools/prove.py [NAME...]             these of PROOFS, or all
    python3 tools/prove.py --sample [NAME...]    a little of each, for CI; writes nothing

NAME may also be `guests`, all proofs that run in guests, or `here`, all others.

As many samples run at a time as there are CPUs; those that need the machine for themselves follow.

The exit status is 1 if one failed.
"""

import datetime
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "reliability.md"
START, END = "<!-- made by make prove -->\n", "<!-- end of proofs -->\n"
HEAD = "| proof | what runs | date | commit | result | took |\n|---|---|---|---|---|---|\n"
WHERE = ("guests", "here")
SUMMARY = re.compile(r"\d+ passed|all adds up|^Done \d+ runs|FAILED|does not add up")


class Proof(NamedTuple):
    """A command of make's.

    Attributes:
        sample: what of it is a sample for CI; "" if it has none.
        alone: whether nothing else may run beside the sample: it measures, or it installs.
        guest: whether it runs in guests, which share nothing with this machine but its CPUs.
    """

    what: str
    command: str
    sample: str = ""
    alone: bool = False
    guest: bool = False


# What the tool was once wrong about, or said too little of, by reports from the field.
CASES = (
    'tests/kernel/test_causes_*.py tests/kernel/test_crash_*.py tests/kernel/test_terminal.py -k "'
    + " or ".join(
        (
            "raised_again after_a_request stack_overflows without_an_address filled_the_cgroup "
            "not_there every_exit_code truncated cannot_go_back victim_s_memory tried_at_nothing "
            "null_pointer may_not_be_executed death_of_the reboot asked_first gone_before "
            "width_of_the_moment"
        ).split()
    )
    + '"'
)
RINGS = "tests/kernel/test_rings.py tests/kernel/test_truth.py"
PROOFS = {
    "kernels": Proof(
        "all of tests/kernel under 5.10, 6.1, 6.12 and 7.x",
        "make test-kernels PYTEST_ARGS=--all",
        guest=True,
    ),
    "systemd": Proof(
        "all layers in a guest that systemd has started: cgroup2 alone, tracefs mounted",
        "make test-systemd",
        "make test-systemd PYTEST_ARGS='tests/systemd tests/kernel/test_causes_oom.py"
        " tests/kernel/test_check.py"
        " tests/benchmarks/test_bench.py::test_tracefs_is_there_whether_the_machine_mounts_it"
        ' -k "not hangs"\'',
        guest=True,
    ),
    "reboot": Proof(
        "the service records, and 14 services end in 14 ways; the machine is reset, and it "
        "records again: `why` answers of each, as systemd says",
        "make test-reboot",
        "make test-reboot",
        guest=True,
    ),
    "cpus": Proof(
        "many ends at a time in guests with 4 CPUs, and on the last of 72; rings and truth with "
        "72, of which 4 run",
        "make test-kernels CPUS=4 PYTEST_ARGS=tests/kernel/test_strokes.py"
        " && make test KERNELS='5.10 6.1 7.x' PYTEST_ARGS=tests/vm/test_cpus.py"
        f" && APPEND=maxcpus=4 make test-kernels KERNELS=6.12 CPUS=72 PYTEST_ARGS='{RINGS}'",
        "make test-kernels KERNELS=6.1 CPUS=4"
        " PYTEST_ARGS='tests/kernel/test_strokes.py -k \"highest or oom\"'",
        guest=True,
    ),
    "attacker": Proof(
        "an unprivileged user does for a minute what costs most, beside a load",
        "make soak-attacker SECONDS=60",
        "make soak-attacker SECONDS=5",
        alone=True,
    ),
    "storms": Proof(
        "20 storms of 4,200 processes, with both CPUs loaded",
        "make test TIMES=20 PYTEST_ARGS='tests/kernel/test_truth.py -k storm'",
    ),
    "victims": Proof(
        "5,000 OOM kills, of which some are reported before they are marked",
        "make test TIMES=5000 PYTEST_ARGS='tests/kernel/test_causes_oom.py -k marked'",
    ),
    "blocked": Proof(
        "output that nobody reads for more than a minute, while 1,000 processes end each second",
        "make test TIMES=60 PYTEST_ARGS='tests/faults/test_pauses.py -k blocks_for_long'",
    ),
    "kills": Proof(
        "the tracer killed 2,000 times while exits come",
        "make test TIMES=1000 PYTEST_ARGS='tests/faults/test_killed.py -k stays_behind'",
        "make test TIMES=10 PYTEST_ARGS='tests/faults/test_killed.py -k stays_behind'",
    ),
    "recordings": Proof(
        "the recorder killed 1,000 times, 1,000 power cuts, a disk that fails at 1,800 points",
        "make test TIMES=1000 PYTEST_ARGS='tests/store/test_killed.py tests/store/test_power.py'"
        " && make test TIMES=300 PYTEST_ARGS=tests/store/test_faults.py",
        "make test TIMES=5 PYTEST_ARGS='tests/store/test_killed.py tests/store/test_power.py'",
    ),
    "recorder": Proof(
        "`exitsnoop record` killed 1,000 times while exits come and segments are dropped",
        "make test TIMES=1000 PYTEST_ARGS='tests/kernel/test_record.py -k killed'",
    ),
    "ship": Proof(
        "`exitsnoop ship`, or the receiver, killed 50 times while exits come: each arrives, also "
        "behind rotel, unless it was in rotel's memory",
        "make test TIMES=50 PYTEST_ARGS=tests/ship/test_killed.py",
    ),
    "prometheus": Proof(
        "a real Prometheus scrapes while 60 storms are recorded and ship is killed after each",
        "make test TIMES=30 PYTEST_ARGS='tests/ship/test_prometheus.py -k counts_of_the_recording'",
    ),
    "fleet": Proof(
        "what `exitsnoop export` writes, in ClickHouse's engine, asked ten queries, and in Spark",
        "make test-fleet && make test-spark",
        "make test-fleet",
        alone=True,
    ),
    "again": Proof(
        "every test ten times, with both CPUs loaded",
        "make test-again TIMES=10",
    ),
    "cases": Proof(
        "20 times, with both CPUs loaded, the ends that exitsnoop once said too little of: raised "
        "again, stack overflows, late exec, memory that others share, reboot and others; and those "
        "of real programs",
        f"make test-again TIMES=20 PYTEST_ARGS='{CASES}'"
        " && make test-again TIMES=20 PYTEST_ARGS=tests/programs",
    ),
    "cases-elsewhere": Proof(
        "the same under 5.10, 6.1, 6.12 and 7.x, three times",
        " && ".join([f"make test-kernels PYTEST_ARGS='{CASES}'"] * 3),
        guest=True,
    ),
    "soak": Proof(
        "a mixed load for an hour, traced twice and recorded",
        "make soak SECONDS=3600",
        "make soak SECONDS=30",
        alone=True,
    ),
    "many": Proof("ten million exits, traced, then recorded", "make soak-many"),
    "fuzz": Proof(
        "input that is searched for to break the decoders, for ten minutes",
        "make fuzz SECONDS=600",
        "make fuzz SECONDS=20 EXAMPLES=100",
    ),
    "arm64": Proof("tests/kernel on an emulated arm64 machine", "make test-arm64", guest=True),
}


class Result(NamedTuple):
    """Whether it passed, what it said last, and the seconds that it took."""

    good: bool
    said: str
    took: float


def run(name: str, command: str) -> Result:
    """Run a proof's command, and show its output, each line with the name."""
    print(f"prove: {name}: {command}", flush=True)
    started = time.monotonic()
    with subprocess.Popen(
        command, shell=True, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout
        said = ""
        for line in process.stdout:
            print(f"{name}: {line}", end="", flush=True)
            if SUMMARY.search(line):
                said = re.sub(r" in \d.*|\(status.*", "", line.strip(" =\n"))
    good = process.returncode == 0
    result = said if good else f"FAILED, status {process.returncode}: {said}"
    return Result(good, result, time.monotonic() - started)


def run_samples(samples: dict[str, str]) -> dict[str, Result]:
    """Run them, some beside others; return what came of each."""
    together = [name for name in samples if not PROOFS[name].alone]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        running = {name: pool.submit(run, name, samples[name]) for name in together}
    return {
        name: running[name].result() if name in running else run(name, command)
        for name, command in samples.items()
    }


def run_whole(commands: dict[str, str]) -> dict[str, Result]:
    """Run one after another, and write the row of each; return what came of each."""
    results = {}
    for name, command in commands.items():
        results[name] = run(name, command)
        write(name, results[name])
    return results


def rows(text: str) -> dict[str, str]:
    """Return the rows that the document has, by proof."""
    table = text.partition(START)[2].partition(END)[0]
    return {line.split(" | ")[0].strip("| "): f"{line}\n" for line in table.splitlines()[2:]}


def commit() -> str:
    """Return the commit that is checked out, or "unknown" outside a clone."""
    try:
        words = ["git", "describe", "--always", "--dirty"]
        return subprocess.check_output(words, cwd=ROOT, text=True).strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def write(name: str, result: Result) -> None:
    """Replace the row of a proof; the rows of other proofs stay."""
    text = DOCUMENT.read_text()
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    assert end, f"{DOCUMENT} has no table"
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    took = f"{result.took / 60:.0f} min" if result.took >= 60 else f"{result.took:.0f} s"
    found = rows(text)
    cells = (name, PROOFS[name].what, today, commit(), result.said, took)
    found[name] = f"| {' | '.join(cells)} |\n"
    table = "".join(found[name] for name in PROOFS if name in found)
    DOCUMENT.write_text(before + start + HEAD + table + end + after)


def named(word: str) -> list[str]:
    """Return the names of the proofs that a word on the command line stands for."""
    if word in WHERE:
        return [name for name, proof in PROOFS.items() if proof.guest == (word == "guests")]
    if word not in PROOFS:
        sys.exit(f"prove: there is no {word}: PROOFS are {' '.join((*WHERE, *PROOFS))}")
    return [word]


def main(arguments: list[str]) -> int:
    """Do what the arguments say."""
    sample = arguments[:1] == ["--sample"]
    names = [name for word in arguments[sample:] or PROOFS for name in named(word)]
    os.environ.pop("MAKEFLAGS", None)
    if sample:
        results = run_samples({name: PROOFS[name].sample for name in names if PROOFS[name].sample})
    else:
        results = run_whole({name: PROOFS[name].command for name in names})
    for name, result in results.items():
        print(f"prove: {name}: {result.said} ({result.took:.0f} s)")
    return 0 if all(result.good for result in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
