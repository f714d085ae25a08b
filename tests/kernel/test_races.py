"""Threads that end at the same moment: a process has one record, whichever of them sends it.

Before v6.16 several threads may each find that no other is left (exit.bpf.c tells why). The first
to ask reports the process; `turned_away` counts the others.
"""

import os
from collections import defaultdict
from pathlib import Path

import pytest
from support.bpf import variables
from support.machine import need, some
from support.truth import assert_same, recorded, run

from exitsnoop import Exit
from exitsnoop.kernel.features import exit_has_memory

PROCESSES = some(300)
ROUNDS = 30

pytestmark = pytest.mark.usefixtures("busy_cpus")


@pytest.mark.parametrize("threads", [2, 9, 40])
@pytest.mark.parametrize("how", ["burst", "crash"])
def test_one_record_for_each_process(endings: Path, how: str, threads: int) -> None:
    with recorded() as exits:
        truth = run(endings, how, PROCESSES, threads)
    assert len(truth) == PROCESSES
    assert_same(exits, truth)
    if how == "crash":
        assert any(os.WCOREDUMP(ending.status) for ending in truth), "no core was written"


@pytest.mark.parametrize("how", ["burst", "crash"])
def test_one_record_for_each_thread(endings: Path, how: str) -> None:
    """One of them has the process's status; all have what it runs, also those that come after."""
    with recorded(per_thread=True, fields=["args"]) as exits:
        truth = run(endings, how, PROCESSES, 9)
    threads: dict[int, list[Exit]] = defaultdict(list)
    for record in exits:
        threads[record.pid].append(record)
    for ending in truth:
        records = threads[ending.pid]
        assert len({record.tid for record in records}) == len(records) == 9
        assert [r.status for r in records if r.last_thread] == [ending.status]
        assert {r.args for r in records} == {(str(endings), how, str(PROCESSES), "9")}


def test_the_race_is_run(endings: Path) -> None:
    """Some threads come too late; where the kernel itself says which is the last, none is asked."""
    need(len(os.sched_getaffinity(0)) > 1, "threads that end at the same moment need two CPUs")
    late = 0
    with recorded() as exits:
        truth = []
        for _ in range(1 if exit_has_memory() else ROUNDS):
            truth += run(endings, "crash", PROCESSES, 9)
            late = variables()["turned_away"]
            if late:
                break
    assert_same(exits, truth)
    assert bool(late) is not exit_has_memory()
