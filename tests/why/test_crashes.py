"""Where a process crashed: the live trace, the recording, and the answer agree."""

import json
import platform
import subprocess
from pathlib import Path

import pytest
from support.flight import Answers, Flight
from support.machine import kernel_has

if platform.machine() != "x86_64" or not kernel_has("bpf_loop"):
    pytest.skip("the machine or its kernel has no stacks", allow_module_level=True)

SOURCE = Path(__file__).parents[1] / "kernel" / "crashes.c"


def test_the_stack_outlives_the_program(
    exitsnoop: str, answers: Answers, flight: Flight, tmp_path: Path
) -> None:
    program = tmp_path / "crashes"
    flags = ["-O1", "-pthread", "-fno-optimize-sibling-calls", "-Wno-stringop-overflow"]
    subprocess.run(["cc", *flags, "-o", program, SOURCE], check=True)
    with flight():
        traced = subprocess.run(
            [exitsnoop, "--json", "-w", "--", program, "write_constant", "thread"],
            capture_output=True,
            text=True,
            check=False,
        )
    program.unlink()
    line = next(one for one in traced.stdout.splitlines() if one.startswith("{"))
    live = json.loads(line)
    past = subprocess.check_output(
        [exitsnoop, "past", "--store", answers.store, "--json", "-w", "-P", str(live["ppid"])],
        text=True,
    )
    (recorded,) = [one for one in map(json.loads, past.splitlines()) if one["pid"] == live["pid"]]
    assert recorded["cause"] == live["cause"]
    cause = live["cause"]
    assert cause["at"]["function"] == "die_write"
    assert cause["stack_complete"] is True
    assert cause["mapping"]["path"] == str(program)
    text = answers.ask(live["pid"])
    where = text[text.index("\nWhere ") :].splitlines()
    tid = cause["thread"]["tid"]
    assert where[1] == f"Where     in the thread io-3[{tid}]:"
    named = [one.split("+")[0].strip() for one in where[2:6]]
    assert named == ["die_write", "middle", "outer", "in_thread"]
    assert f"Theaddressisin{program}." in "".join(text.split())  # a long path is wrapped
