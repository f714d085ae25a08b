"""Traces and records a mixed load for long, and says whether all adds up and nothing grows.

    python tests/soak/soak.py [SECONDS [RATE]]      3600 seconds, 1000 exits a second

Three run at once. One tracer is plain and filters by the names of the load's programs; another
collects every field and the cause of each end, for the whole tree of the load; a recorder records
the named programs and one that fails again and again, into a store that is soon full, while others
read it. It ends by itself. The status is 0 if, for each, rows and reported losses together are the
exits that waitpid saw, if neither memory nor descriptors grew after the first fifth of the time
(checked if that is at least a minute), if the plain tracer never had more than 25 MB and the
recorder 40, if the store was never above its bound, and if `exitsnoop why` knows the crash loop.

Memory is VmRSS. The process's own memory (RssAnon) is shown apart. The rest is the part of the ring
that is mapped, and the pages of the interpreter's files.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

sys.path[0] = str(Path(__file__).parents[1])
from soak.recorder import CrashLoop, Recorder  # noqa: E402
from soak.tracer import EXITSNOOP, Tracer, say  # noqa: E402

HERE = Path(__file__).parent
TESTS = HERE.parent
SAMPLE_S = 1.0


def programs(directory: Path) -> dict[str, Path]:
    """Compile those of the load, with names that no other process has."""
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
    failing = directory / f"soak{os.getpid() % 100000}f"
    shutil.copy(made["endings"], failing)
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
    names = [program.name for program in made.values()]
    plain = Tracer("plain", "--csv", "-n", ",".join(names))
    whole = Tracer("everything", "--json", "-w", "-o", everything, "--tree", str(load.pid))
    record = Recorder([*names, failing.name], directory / "store")
    tracers = (plain, whole, record)
    try:
        for tracer in tracers:
            tracer.await_attached()
        assert load.stdin
        started = time.monotonic()
        with record.read(), CrashLoop(failing) as loop:
            load.stdin.write("go\n")
            load.stdin.flush()
            while load.poll() is None:
                for tracer in tracers:
                    tracer.sample(time.monotonic() - started)
                time.sleep(SAMPLE_S)
        assert load.stdout
        told = json.loads(load.stdout.read())
        for process in (plain.process, record.process):
            process.terminate()
        losses = [tracer.finish() for tracer in tracers]  # the tree has ended
    finally:
        load.kill()
        load.wait()
        for tracer in tracers:
            tracer.process.kill()
            tracer.process.wait()
    took = time.monotonic() - started
    say(f"{took:.0f} s, {told['all'] / took:.0f} exits a second")
    wrong = [f"load: {failure}" for failure in told["failures"]]
    truths = (told["named"], told["all"], told["named"] + loop.deaths)
    for tracer, truth, lost in zip(tracers, truths, losses, strict=True):
        wrong += tracer.report(seconds, truth, lost)
    return wrong + loop.judge(record.store)


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
