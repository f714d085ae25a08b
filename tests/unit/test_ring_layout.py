"""Machines made up of files -> which CPUs share a ring."""

from pathlib import Path

import pytest

from exitsnoop import layout
from exitsnoop.kernel import rings as topology


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("cpu", "node"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(topology, "_SYSTEM", str(tmp_path))
    return tmp_path


def describe(system: Path, possible: str, *nodes: str) -> None:
    (system / "cpu" / "possible").write_text(f"{possible}\n")
    (system / "node" / "online").write_text(f"0-{len(nodes) - 1}\n" if nodes else "\n")
    for number, cpus in enumerate(nodes):
        (system / "node" / f"node{number}").mkdir()
        (system / "node" / f"node{number}" / "cpulist").write_text(f"{cpus}\n")


def test_a_small_machine_has_one_ring(system: Path) -> None:
    describe(system, "0-31", "0-15", "16-31")
    assert topology.rings() == ((-1,), b"")


def test_no_ring_is_shared_by_nodes(system: Path) -> None:
    """As machines number them: the first threads of all cores, then the second ones."""
    describe(system, "0-95", "0-23,48-71", "24-47,72-95")
    nodes, of_cpu = topology.rings()
    assert nodes == (0, 0, 1, 1)
    assert len(of_cpu) == layout.MAX_CPUS
    assert set(of_cpu[0:24] + of_cpu[48:56]) == {0}
    assert set(of_cpu[56:72]) == {1}
    assert set(of_cpu[24:48] + of_cpu[72:80]) == {2}
    assert set(of_cpu[80:96]) == {3}


def test_a_large_machine_has_no_more_rings_than_fit(system: Path) -> None:
    describe(system, "0-8191", *(f"{at}-{at + 511}" for at in range(0, 8192, 512)))
    nodes, of_cpu = topology.rings()
    assert len(nodes) == layout.MAX_RINGS
    assert len(set(of_cpu)) == layout.MAX_RINGS
    assert all(of_cpu.count(ring) == 128 for ring in range(layout.MAX_RINGS))


def test_nodes_without_cpus_have_no_ring(system: Path) -> None:
    describe(system, "0-63", "0-63", "")
    nodes, _ = topology.rings()
    assert nodes == (0, 0)


def test_a_machine_that_tells_nothing_has_one_ring(system: Path) -> None:
    assert topology.rings() == ((-1,), b"")
    describe(system, "0-63")
    assert topology.rings() == ((-1,), b"")


def test_cpus_that_may_come_later_do_not_make_a_second_ring(system: Path) -> None:
    """A virtual machine may have 128 possible CPUs, of which 8 run; only those are in a node."""
    describe(system, "0-127", "0-7")
    assert topology.rings() == ((-1,), b"")
