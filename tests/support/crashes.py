"""tests/kernel/crashes.c: built, run until it crashes, and compared with what it said before."""

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from exitsnoop.model.cause import At, Cause
from support.truth import record_of, recorded

_SOURCE = Path(__file__).parents[1] / "kernel" / "crashes.c"
_FLAGS = ["-O1", "-g", "-pthread", "-fno-optimize-sibling-calls", "-Wno-stringop-overflow"]


def build(program: Path, *flags: str) -> Path:
    """Compile the program with these flags, so that each of its calls has a frame."""
    subprocess.run(["cc", *_FLAGS, *flags, "-o", program, _SOURCE], check=True)
    return program


class Told(NamedTuple):
    """What the program said before it crashed, and what was traced."""

    pid: int
    tid: int
    address: int
    maps: list[tuple[int, int, str, int, str]]  # start, end, permissions, offset, path
    cause: Cause

    def mapping(self, address: int) -> tuple[int, int, str, int, str] | None:
        return next((one for one in self.maps if one[0] <= address < one[1]), None)


def crash(program: Path, *words: str, file: Path | None = None) -> Told:
    with recorded(why=True) as exits:
        process = subprocess.Popen(
            [program, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "CRASH_FILE": str(file)},
        )
        out, _ = process.communicate(timeout=60)
    assert process.returncode < 0, (process.returncode, words)
    first, *lines = out.splitlines()
    address, tid = first.split()
    maps = []
    for line in lines:
        found = re.fullmatch(r"(\w+)-(\w+) (\S+) (\w+) \S+ \d+\s*(.*)", line)
        assert found, line
        start, end, permissions, offset, path = found.groups()
        maps.append((int(start, 16), int(end, 16), permissions, int(offset, 16), path))
    cause = record_of(exits, process.pid).cause
    assert cause
    return Told(process.pid, int(tid), int(address, 16), maps, cause)


def functions(program: Path, places: list[At]) -> list[str]:
    """What addr2line says of places in the program. Of callers, where they call."""
    headers = subprocess.check_output(["readelf", "-lW", program], text=True)
    loads = [
        tuple(int(word, 16) for word in line.split()[1:6])
        for line in headers.splitlines()
        if line.split()[:1] == ["LOAD"]
    ]
    found = []
    for nth, place in enumerate(places):
        assert place.offset is not None
        offset = place.offset - bool(nth)
        ((at, address),) = [(o, a) for o, a, _, size, _ in loads if o <= offset < o + size]
        wanted = hex(offset - at + address)
        out = subprocess.check_output(["addr2line", "-fe", program, wanted], text=True)
        found.append(out.splitlines()[0])
    return found


def assert_stack(told: Told, program: Path, *innermost: str) -> None:
    """The stack has these functions, and those that every way has; all are as addr2line says."""
    assert told.cause.stack is not None
    own = [one for one in told.cause.stack if one.module == str(program)]
    names = [one.function for one in own]
    first = "main" if told.tid == told.pid else "in_thread"
    expected = [*innermost, "middle", "outer", first]
    assert names[: len(expected)] == expected, told.cause
    assert told.cause.stack_complete is True, told.cause
    called = [one for one in own if one.function in expected]
    if innermost[0] != "middle" and told.cause.at and told.cause.at.module == own[0].module:
        assert functions(program, called) == [one.function for one in called]


def assert_thread(told: Told, program: Path) -> None:
    assert told.cause.thread
    assert told.cause.thread.tid == told.tid
    comm = "io-3" if told.tid != told.pid else program.name[:15]
    assert told.cause.thread.comm == comm
    assert (f"thread {comm}[{told.tid}]" in told.cause.text) == (told.tid != told.pid)
