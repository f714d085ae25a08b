"""What a Tracer attaches, as bpftool tells; and all that it can collect, together."""

import os
from pathlib import Path
from signal import SIGKILL
from typing import Any

import pytest
from support.bpf import attached_programs
from support.processes import kill_off
from support.stage import Stage
from support.truth import recorded

from exitsnoop import Tracer
from exitsnoop.kernel.features import (
    has_loops,
    perf_events_are_allowed,
    tracepoints_are_preemptible,
)
from exitsnoop.model.fields import COLLECTED

OFFERED = {"on_exit", "on_exec"}


@pytest.mark.parametrize(
    ("options", "more"),
    [
        ({}, set()),
        ({"failed": True, "signals": [9], "names": ["a*"], "min_age": 1}, set()),
        ({"per_thread": True}, set()),
        ({"fields": ["uid", "ancestors", "cgroup"], "users": ["root"]}, set()),
        ({"why": True}, {"on_signal"}),
        ({"tree": [os.getpid()]}, {"on_fork"}),
        ({"fields": ["args"]}, {"on_exec", "on_fork"}),
        ({"fields": ["exe"], "pids": [os.getpid()]}, {"on_exec"}),
        ({"fields": ["exe"], "why": True}, {"on_exec", "on_fork", "on_signal"}),
    ],
)
def test_no_more_is_attached_than_needed(options: dict[str, Any], more: set[str]) -> None:
    assert attached_programs() == []
    with Tracer(**options):
        programs = {"on_exit"} | more
        if "on_signal" in programs and has_loops():
            programs.add("on_delivery")
        if tracepoints_are_preemptible():
            last = "unpreempted" if perf_events_are_allowed() else "if_missed_3"
            standing_by = ("if_missed_1", "if_missed_2", last)
            programs |= {f"{name}_{by}" for name in programs & OFFERED for by in standing_by}
            if "on_fork" in programs:
                programs = programs - {"on_fork"} | {"on_fork_unpreempted"}
        assert sorted(attached_programs()) == sorted(programs)
    assert attached_programs() == []


def test_every_verifier_accepts_everything_at_once() -> None:
    """Up to 6.1 it gives up after a million instructions. Each field alone takes far fewer."""
    fields = [name for name in COLLECTED if name != "cause"]
    many: dict[str, Any] = {"names": ["a*"], "users": [0], "ppids": [1]}
    for options in ({}, {"per_thread": True}, many):
        for why in (False, True):
            Tracer(fields=fields, why=why, **options).close()


@pytest.mark.parametrize("leader_first", [False, True])
def test_a_killed_process_by_its_threads(life: Stage, leader_first: bool) -> None:
    fields = ("args", "exe", "uid", "nspid", "cpu_user", "ancestors")
    with recorded(per_thread=True, why=True, fields=fields) as exits:
        puppet = life.puppet(arguments=[b"argument"])
        if leader_first:
            puppet.ask("hand_over")
        puppet.ask("keep_threads", 5, 10, 4096)
        tids = {int(task.name) for task in Path(f"/proc/{puppet.pid}/task").iterdir()}
        kill_off(puppet.pid)
    records = [record for record in exits if record.pid == puppet.pid]
    assert {record.tid for record in records} == tids
    assert len(records) == len(tids) == 6 + leader_first
    for record in records:
        assert record.args == (str(life.program), "argument")
        assert (record.exe, record.uid, record.nspid) == (str(life.program), 0, puppet.pid)
        assert record.cpu_user is not None
        assert record.ancestors
        assert record.ancestors[0].pid == os.getpid()
        assert record.cause
        if leader_first and record.tid == puppet.pid:
            assert record.cause.text == "exit 0"  # it had left by itself
            continue
        assert record.cause.kind == "killed"
        assert record.cause.sender
        assert record.cause.sender.pid == os.getpid()
    (last,) = [record for record in records if record.last_thread]
    # Not always records[-1]: another thread may be preempted on its way to its event (5.10, 7.x).
    assert not (leader_first and last.tid == puppet.pid)
    assert last.signal == SIGKILL
