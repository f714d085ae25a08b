"""Traces very many exits with the default columns, or records them: does memory stay?

    python tests/soak/many.py [EXITS [record]]      10,000,000

Two processes fork one child after the other, as fast as they can. The status is 0 if rows and
reported losses together are the exits that waitpid saw, if memory is the same at the end as after
the first 100,000 (of a recorder: 1,000,000, after which all that it remembers is full), and if a
recorder never had more than 40 MB.
"""

import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

sys.path[0] = str(Path(__file__).parents[1])
from soak.recorder import Recorder  # noqa: E402
from soak.soak import SAMPLE_S, judge, programs  # noqa: E402
from soak.tracer import GROWTH, SLACK_KB, Tracer, say  # noqa: E402

FIRST, FIRST_RECORDED = 100_000, 1_000_000
WORKERS = 2


def run(program: Path, exits: int, tracer: Tracer) -> int:
    """Have so many end; return how many did, by waitpid, those that forked them included."""
    started = time.monotonic()
    words = [str(program), "forks", str(exits // WORKERS)]
    workers = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(WORKERS)]
    try:
        while any(worker.poll() is None for worker in workers):
            tracer.sample(time.monotonic() - started)
            time.sleep(SAMPLE_S)
    finally:
        for worker in workers:
            worker.kill()
    counts = [int(worker.communicate()[0]) for worker in workers]
    took = time.monotonic() - started
    say(f"{sum(counts) + WORKERS} exits in {took:.0f} s")
    return sum(counts) + WORKERS


def many(exits: int, directory: Path, *, records: bool) -> list[str]:
    """Do it; return what is wrong."""
    program = programs(directory)["loads"]
    tracer = (
        Recorder([program.name], directory / "store")
        if records
        else Tracer("plain", "-n", program.name)
    )
    first = FIRST_RECORDED if records else FIRST
    try:
        tracer.await_attached()
        truth = run(program, first, tracer)
        tracer.samples.clear()
        tracer.sample(0)
        ((_, before),) = tracer.samples
        truth += run(program, exits - truth, tracer)
        tracer.process.terminate()
        lost = tracer.finish()
    finally:
        tracer.process.kill()
        tracer.process.wait()
    wrong = tracer.report(0, truth, lost)
    most = max(sample.rss for _, sample in tracer.samples)
    if most > GROWTH * before.rss + SLACK_KB:
        wrong.append("memory grows")
    say(f"memory in KB: {before.rss} after the first {first}, {most} at most since")
    return wrong


def main() -> NoReturn:
    """Do what the arguments say."""
    exits = int(sys.argv[1]) if sys.argv[1:] else 10_000_000
    records = sys.argv[2:] == ["record"]
    judge(lambda directory: many(exits, directory, records=records))


if __name__ == "__main__":
    main()
