"""A fault that a program survives is not why it ends later; one whose handler still runs is."""

import platform
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from signal import SIGABRT

import pytest
from support.machine import kernel_has
from support.programs import compiled
from support.truth import record_of, recorded

from exitsnoop.model.cause import Cause

FINDS_PLACES = platform.machine() == "x86_64" and kernel_has("bpf_loop")
EXITS = {"exit": 3, "abort": -SIGABRT}


@pytest.fixture(scope="module")
def returns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The program returns.c."""
    yield from compiled(Path(__file__).with_name("returns.c"), tmp_path_factory.mktemp("returns"))


def cause_of(program: Path, handler: str, end: str, where: list[str]) -> Cause:
    with recorded(why=True) as exits:
        process = subprocess.Popen([program, handler, end, *where])
        assert process.wait() == EXITS[end]
    cause = record_of(exits, process.pid).cause
    assert cause
    assert cause.kind == ("exited" if end == "exit" else "abort")
    assert cause.after
    return cause


@pytest.mark.parametrize("where", [[], ["thread"]])
@pytest.mark.parametrize("end", EXITS)
def test_a_fault_that_the_program_survived(returns: Path, end: str, where: list[str]) -> None:
    cause = cause_of(returns, "goes_on", end, where)
    assert cause.after
    assert (cause.after.address, cause.after.seconds > 0.2) == (8, True)
    assert "after" not in cause.text
    assert cause.after.text is None


@pytest.mark.parametrize("where", [[], ["thread"]])
@pytest.mark.parametrize("end", EXITS)
@pytest.mark.parametrize("handler", ["stays", "looks_around", "has_others"])
def test_a_fault_whose_handler_runs(
    returns: Path, handler: str, end: str, where: list[str]
) -> None:
    """A fault in the handler does not take its place, nor do those of other threads."""
    cause = cause_of(returns, handler, end, where)
    assert cause.after
    assert cause.after.address == 8
    assert re.search(r", \d+\.\d+ s after a segfault (writing|at) 0x8 ", cause.text), cause
    assert cause.after.text
    assert cause.text.endswith(f" s after {cause.after.text}")
    assert cause.after.thread
    # Where code lies is seen only as a signal ends the process.
    if FINDS_PLACES and end == "abort":
        assert cause.after.at
        assert cause.after.at.module == str(returns)
