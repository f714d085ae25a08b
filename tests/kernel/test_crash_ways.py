"""Many crashes of one program: each has its own stack, also if others came the same way before."""

import platform
import subprocess
import time
from itertools import product
from pathlib import Path

import pytest
from support.machine import kernel_has
from support.truth import record_of, recorded
from support.waiting import until

if platform.machine() != "x86_64":
    pytest.skip("registers are read on x86-64 only", allow_module_level=True)
if not kernel_has("bpf_loop"):
    pytest.skip("the kernel has no bpf_loop()", allow_module_level=True)

# Each letter of the argument is a call. The frame of one function has a size of its own each time.
SOURCE = r"""
#include <stdlib.h>
#define FUNCTION __attribute__((noinline, noclone)) int
static FUNCTION next(const char *way, volatile char *room);

FUNCTION left(const char *way)
{
	volatile char room[40];
	return next(way, room) + room[0];
}
FUNCTION right(const char *way)
{
	volatile char room[16 + *way];
	return next(way, room) + room[1];
}
FUNCTION none(volatile char *room)
{
	if (room[0])
		abort();
	return *(volatile int *)8;
}
static FUNCTION next(const char *way, volatile char *room)
{
	room[0] = *way == 'a';
	return (*way == 'l' ? left(way + 1) : *way == 'r' ? right(way + 1) : none(room)) + 1;
}
int main(int count, char **words)
{
	return left(words[1]) + count;
}
"""
CHANGED_S = 0.1
CALLS = {"l": "left", "r": "right"}


def build(program: Path, source: str, *flags: str) -> Path:
    """Compile it. What was changed just before a crash might have been changed since: so wait."""
    words = ["cc", "-O1", "-fno-optimize-sibling-calls", *flags, "-x", "c", "-", "-o", str(program)]
    subprocess.run(words, input=source, text=True, check=True)
    until(lambda: time.time() > program.stat().st_ctime + CHANGED_S)
    return program


def expected(way: str) -> list[str]:
    """The functions of the program, from that which failed to main()."""
    calls = ["main", "left"]
    for letter in way.removesuffix("a"):
        calls += ["next", CALLS[letter]]
    return [*reversed([*calls, "next", "none"])]


@pytest.mark.parametrize("flags", [[], ["-static"], ["-fno-omit-frame-pointer"]])
def test_each_crash_has_its_own_stack(tmp_path: Path, flags: list[str]) -> None:
    program = build(tmp_path / "program", SOURCE, *flags)
    ways = ["".join(way) for most in range(4) for way in product("lr", repeat=most)]
    ran = []
    with recorded(why=True) as exits:
        for way in [*ways, *(f"{way}a" for way in ways)] * 2:
            process = subprocess.Popen([program, way])
            assert process.wait(timeout=60) < 0
            ran.append((process.pid, way))
    for pid, way in ran:
        cause = record_of(exits, pid).cause
        assert cause
        assert cause.kind == ("abort" if way.endswith("a") else "fault")
        assert cause.stack
        assert cause.stack_complete
        own = [at.function for at in cause.stack if at.module == str(program)]
        begin, end = own.index("none"), own.index("main")
        assert own[begin : end + 1] == expected(way), way


def test_a_program_that_takes_the_place_of_another_has_its_own_functions(tmp_path: Path) -> None:
    """Its code is at the same addresses, in a file of the same name."""
    program = tmp_path / "program"
    found = []
    with recorded(why=True) as exits:
        for name in ("left", "gauche", "left", "links"):
            program.unlink(missing_ok=True)
            build(program, SOURCE.replace("left", name))
            process = subprocess.Popen([program, "r"])
            assert process.wait(timeout=60) < 0
            until(lambda: process.pid in [one.pid for one in exits])  # noqa: B023 - now
            found.append((process.pid, name))
    for pid, name in found:
        cause = record_of(exits, pid).cause
        assert cause
        assert cause.stack
        own = [at.function for at in cause.stack if at.module == str(program)]
        assert own[:6] == ["none", "next", "right", "next", name, "main"]
