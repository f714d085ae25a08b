"""Which CPUs share a ring buffer, and which NUMA node has its memory."""

from exitsnoop.layout import MAX_CPUS, MAX_RINGS

CPUS_PER_RING = 32  # docs/performance.md says why
POSSIBLE = "cpu/possible"
_SYSTEM = "/sys/devices/system"


def rings() -> tuple[tuple[int, ...], bytes]:
    """Return (nodes, of_cpu): a ring for every CPUS_PER_RING CPUs, but MAX_RINGS at most.

    nodes: for each ring the NUMA node that has its memory; -1 for any. CPUs of different nodes
    never share a ring.
    of_cpu: the ring of each CPU, a byte each; empty if there is only one ring.
    """
    cpus = cpus_in(POSSIBLE)
    if len(cpus) <= CPUS_PER_RING:
        return (-1,), b""
    of_nodes = {node: cpus_in(f"node/node{node}/cpulist") for node in cpus_in("node/online")}
    share = CPUS_PER_RING
    while sum(-(-len(of) // share) for of in of_nodes.values()) > MAX_RINGS:
        share *= 2
    nodes: list[int] = []
    of_cpu = bytearray(MAX_CPUS)  # a CPU that is offline now uses the first ring
    for node, of_node in of_nodes.items():
        for at in range(0, len(of_node), share):
            for cpu in of_node[at : at + share]:
                of_cpu[cpu] = len(nodes)
            nodes.append(node)
    return (tuple(nodes), bytes(of_cpu)) if len(nodes) > 1 else ((-1,), b"")


def cpus_in(name: str) -> list[int]:
    """Return the numbers in a list such as "0-3,8"; none if the file is missing."""
    try:
        with open(f"{_SYSTEM}/{name}", "rb") as file:
            text = file.read()
    except OSError:
        return []
    numbers: list[int] = []
    for part in text.strip().split(b","):
        first, _, last = part.partition(b"-")
        if first:
            numbers += range(int(first), int(last or first) + 1)
    return numbers
