"""In a guest, with few PIDs: have them used again and again; print what was mixed up, as JSON."""

import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

from exitsnoop import Exit, Tracer

PIDS, CHILDREN = 400, 1500
FIELDS = ("args", "exe", "ancestors", "nspid", "parent_comm")


def wrong(
    record: Exit, number: int, status: int, parent: int, words: list[str], *, per_thread: bool
) -> list[str]:
    """Return what a record has of another process than the one it should be of."""
    program, *rest = words
    executed = number % 4 != 3
    args = (program, "end", str(number), *rest[2:]) if executed else tuple(words)
    name = os.path.basename(program)
    expected = {
        "status": status,
        "comm": f"r{number}",
        "args": args,
        "exe": program,
        "ppid": parent,
        "nspid": record.pid,
        "parent_comm": name,
    }
    found = [
        f"{number}: {part} is {getattr(record, part)!r}, not {value!r}"
        for part, value in expected.items()
        if getattr(record, part) != value
    ]
    kind = ("exited", "self", "killed")[number % 3]
    if per_thread and record.cause and (record.cause.kind, kind) == ("other_thread", "exited"):
        by = record.cause.thread
        if (
            not by
            or by.comm != f"r{number}"
            or not record.cause.text.endswith(f": exit {record.exit_code}")
        ):
            found.append(f"{number}: {record.cause} is that of another process")
    elif not record.cause or record.cause.kind != kind:
        found.append(f"{number}: {record.cause} is not {kind}")
    elif kind == "killed":
        sender = record.cause.sender
        if not sender or (sender.pid, sender.comm) != (parent, name):
            found.append(f"{number}: {sender} sent it, not {parent}")
    if not record.ancestors or record.ancestors[0].pid != parent:
        found.append(f"{number}: {record.ancestors} are its ancestors")
    return found


def traced(program: Path, *, per_thread: bool, threads: bool, late: bool) -> dict[str, object]:
    """Trace children, and compare. late: nothing is read before all have ended."""
    words = [str(program), "reuse", str(CHILDREN), *(["threads"] if threads else [])]
    records: list[Exit] = []
    with Tracer(why=True, fields=FIELDS, per_thread=per_thread) as tracer:
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as load:
            assert load.stdout
            told = []
            for line in load.stdout:
                told.append(tuple(map(int, line.split())))
                if not late and len(told) % 20 == 0:
                    records += tracer.read()
        tracer.stop()
        records += tracer
        lost = tracer.lost
    by_pid = defaultdict(list)
    for record in records:
        if record.last_thread and record.comm != program.name[:15]:
            by_pid[record.pid].append(record)
    mixed = []
    for pid, number, status in told:
        if not by_pid[pid]:
            mixed.append(f"{number}: no record")
            continue
        mixed += wrong(by_pid[pid].pop(0), number, status, load.pid, words, per_thread=per_thread)
    times = Counter(pid for pid, _, _ in told)
    return {"lost": lost, "ends": len(told), "times": max(times.values()), "mixed": mixed[:20]}


def main(program: Path) -> None:
    Path("/proc/sys/kernel/pid_max").write_text(str(PIDS))
    results = {
        "read as they come": traced(program, per_thread=False, threads=False, late=False),
        "read at last": traced(program, per_thread=False, threads=False, late=True),
        "leaders gone": traced(program, per_thread=False, threads=True, late=True),
        "per thread": traced(program, per_thread=True, threads=True, late=True),
    }
    print(json.dumps(results))  # noqa: T201 - to the host


main(Path(sys.argv[1]))
