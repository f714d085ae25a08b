"""An unprivileged user does all that costs exitsnoop most, beside a load that must not suffer.

    python tests/soak/attacker.py SECONDS

The user (nobody) starts 100 processes a second with 16 KB of control characters as arguments, has
500 killed at one stroke each second, and floods processes that block all signals with 16,000 of
them, over and over. Beside that, root's processes exit, or are killed. Prints what exitsnoop used,
and what it wrote about the load; the status is 1 if that does not add up, if the sender of a kill
is unknown, or if exitsnoop used more than a fifth of a CPU.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from signal import SIGTERM

sys.path[0] = str(Path(__file__).parents[1])  # not this folder, where soak is a module

from soak.costly import COSTLY, RATE, cpu_s, tracing  # noqa: E402
from support.programs import compile_static  # noqa: E402

NOBODY = {"user": 65534, "group": 65534, "extra_groups": []}
MOST_OF_A_CPU = 0.2


def over_and_over(do: Callable[[], None], every_s: float, over: threading.Event) -> None:
    while not over.is_set():
        began = time.monotonic()
        do()
        over.wait(max(0, began + every_s - time.monotonic()))


def costly() -> None:
    subprocess.run(["true", COSTLY], env={}, check=True, **NOBODY)  # type: ignore[call-overload]


class Load:
    """Root's processes, children of this one.

    Attributes:
        ends: the PID of each, and the status that waitpid gave; in a minute PIDs come again.
    """

    def __init__(self) -> None:
        self.ends: list[tuple[int, int]] = []

    def once(self) -> None:
        """Have one exit, and one killed."""
        exits = os.posix_spawn("/bin/sh", ["sh", "-c", f"exit {len(self.ends) % 250}"], {})
        killed = os.posix_spawn("/bin/sleep", ["sleep", "1000"], {})
        os.kill(killed, SIGTERM)
        self.ends += [os.waitpid(pid, 0) for pid in (exits, killed)]


def attacks(strokes: Path) -> list[tuple[Callable[[], None], float]]:
    """Return what nobody does, and how often."""

    def stroke(*words: str) -> Callable[[], None]:
        def do() -> None:
            nothing = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
            subprocess.run([strokes, *words], check=True, **nothing, **NOBODY)  # type: ignore[call-overload]

        return do

    return [
        (costly, 1 / RATE),
        (stroke("kill", "0", "500"), 1),
        (stroke("flood", "300"), 2),
    ]


def main() -> int:
    """Do it; return the status."""
    seconds = float(sys.argv[1])
    load, over = Load(), threading.Event()
    with tempfile.TemporaryDirectory() as made:
        os.chmod(made, 0o755)
        strokes = compile_static(Path(__file__).parents[1] / "kernel" / "strokes.c", Path(made))
        rows = Path(made, "rows")
        options = [
            "-w",
            "-a",
            "-o",
            "+uid,user,container,exe,status",
            "--json",
            "--output",
            str(rows),
        ]
        todo = [*attacks(strokes), (load.once, 0.02)]
        with tracing(*options) as tracer, ThreadPoolExecutor(len(todo)) as pool:
            before = cpu_s(tracer.pid)
            doing = [pool.submit(over_and_over, *one, over) for one in todo]
            wait(doing, seconds, FIRST_EXCEPTION)
            over.set()
            for one in doing:
                one.result()
            used = (cpu_s(tracer.pid) - before) / seconds
            told = time.monotonic()
            tracer.terminate()
            _, complaints = tracer.communicate()
            ended_s = time.monotonic() - told
        written = [json.loads(line) for line in rows.read_text().splitlines()]
    return report(load, written, complaints, used, ended_s)


def report(
    load: Load, written: list[dict[str, object]], complaints: str, used: float, ended_s: float
) -> int:
    """Print what came of it; return the status."""
    lost = sum(int(str(row["lost"])) for row in written if "lost" in row)
    rows = [row for row in written if row.get("uid") == 0 and row["ppid"] == os.getpid()]
    ends = Counter(load.ends)
    found = Counter((int(str(row["pid"])), int(str(row["status"]))) for row in rows)
    missing, wrong = (ends - found).total(), (found - ends).total()
    causes = Counter(str(dict(row["cause"])["kind"]) for row in rows)  # type: ignore[call-overload]
    adds_up = not wrong and missing <= lost and causes.keys() <= {"exited", "killed"}
    good = adds_up and used <= MOST_OF_A_CPU
    lines = [
        f"{len(written)} rows, {lost} lost",
        f"of the load: {ends.total()} by waitpid, {missing} missing, {wrong} wrong; {dict(causes)}",
        f"{100 * used:.1f} % of a CPU; ended after {ended_s:.2f} s",
        *(f"  {line}" for line in complaints.splitlines()),
        "all adds up" if good else "it does not add up",
    ]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return int(not good)


sys.exit(main())
