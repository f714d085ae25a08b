"""A machine with 72 possible CPUs, of which four run: the maps have room for all.

Under Linux 5.10, or the KERNELS of the environment, by their names in vm/kernels.py.
"""

import os
from pathlib import Path

import pytest
from support.guests import TESTS, told_in_guest
from support.programs import compile_static
from vm.kernels import KERNELS

pytestmark = pytest.mark.timeout(1800)  # a kernel may have to be downloaded


@pytest.mark.parametrize("kernel", (os.environ.get("KERNELS") or "5.10").split())
def test_on_the_last_of_72_cpus(tmp_path: Path, kernel: str) -> None:
    """Up to v6.15, where a map forgets the oldest, each possible CPU takes 128 entries of it.

    Under 7.x all programs but the last are preempted at times.
    """
    told = told_in_guest(
        "provoke_cpus.py",
        compile_static(TESTS / "kernel" / "strokes.c", tmp_path),
        memory_mib=1536,
        kernel=KERNELS[kernel],
        CPUS="72",
        APPEND="maxcpus=2",
        TIMEOUT_S="1500",
    )
    assert (told["possible"], told["highest"]) == (72, [71, 70])
