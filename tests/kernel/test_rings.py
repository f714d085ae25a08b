"""Several rings, as on a machine of many CPUs: here, one for each CPU."""

import os
import select
import shutil
import subprocess
from pathlib import Path

import pytest
from support.machine import need, some, steps
from support.truth import assert_same, recorded, run

from exitsnoop import Tracer
from exitsnoop.kernel import rings as topology

CPUS = sorted(os.sched_getaffinity(0))


@pytest.fixture(autouse=True)
def _a_ring_for_each_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    need(len(CPUS) > 1, "several rings need several CPUs")
    monkeypatch.setattr(topology, "CPUS_PER_RING", 1)
    nodes, of_cpu = topology.rings()
    assert len(nodes) == len(set(of_cpu[: len(CPUS)])) > 1


@pytest.mark.parametrize("seed", range(some(5)))
@pytest.mark.usefixtures("busy_cpus")
def test_a_storm_is_told_whole_and_in_order(endings: Path, seed: int) -> None:
    with recorded() as exits:
        truth = run(endings, "storm", some(4200), seed)
    assert_same(exits, truth)


@pytest.mark.usefixtures("busy_cpus")
def test_what_was_told_on_one_cpu_belongs_to_an_exit_on_another() -> None:
    """Fork, execs and exit on different CPUs: what counts is the last of them in time."""
    hops = [word for cpu in CPUS[:2] * 3 for word in ("taskset", "--cpu-list", str(cpu))]
    with recorded(fields=["args", "ancestors"], why=True, ppids=[os.getpid()]) as exits:
        shells = []
        numbers = steps(some(200))
        for number in numbers:
            shell = subprocess.Popen([*hops, "sh", "-c", "kill -9 $$", str(number)])
            assert shell.wait() == -9
            shells.append(shell.pid)
    by_number = {record.args[-1]: record for record in exits if record.args}
    for number, pid in zip(numbers, shells, strict=True):
        record = by_number[str(number)]  # beside a storm a PID comes again
        assert record.pid == pid
        assert record.args == ("sh", "-c", "kill -9 $$", str(number))
        assert record.cause
        assert record.cause.kind == "self"
        assert record.ancestors
        assert record.ancestors[0].pid == os.getpid()


@pytest.mark.parametrize("cpu", CPUS[:2])
def test_every_ring_wakes_the_reader(cpu: int) -> None:
    with Tracer() as tracer:
        poll = select.poll()
        poll.register(tracer.fileno(), select.POLLIN)
        pids: list[int] = []
        child = subprocess.Popen(["taskset", "--cpu-list", str(cpu), "true"])
        while child.pid not in pids:
            assert poll.poll(10_000)
            pids += [record.pid for record in tracer.read()]
        child.wait()


def test_losses_of_all_rings_count(endings: Path, tmp_path: Path) -> None:
    program = Path(shutil.copy(endings, tmp_path / f"ring-{os.getpid()}"))  # no other has its name
    with Tracer(ring_bytes=4096, names=[program.name]) as tracer:
        for cpu in CPUS[:2]:
            subprocess.run(
                ["taskset", "--cpu-list", str(cpu), program, "vforks", "200"],
                stdout=subprocess.DEVNULL,
                check=True,
            )
        lost = tracer.lost
        tracer.stop()
        records = list(tracer)
    assert len(records) == 2 * (4096 // 56)
    assert lost + len(records) == 402
