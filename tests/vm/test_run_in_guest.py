"""A guest that dies: as it boots, it is started again; once a test has begun, it is not."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support.guests import LINUX_6_12, VM, debian_kernel

pytestmark = pytest.mark.timeout(900)  # a kernel may have to be downloaded

Run = Callable[..., "subprocess.CompletedProcess[str]"]
AGAIN = "the guest died as it booted, and is started again"

# QEMU, but the kernel of the first guests finds no program to start with, and panics.
EMULATOR = """\
#!/bin/bash
echo >>{began}
if [ "$(wc -l <{began})" -le {dying} ]; then
	while [ "$1" != -append ]; do
		words+=("$1")
		shift
	done
	set -- "${{words[@]}}" -append "$2 rdinit=/nowhere root=/nowhere" "${{@:3}}"
fi
exec {qemu} "$@"
"""


@pytest.fixture
def run_dying(tmp_path: Path) -> Run:
    """Run a script in a guest of which the first ones die at boot."""
    kernel = debian_kernel(*LINUX_6_12)

    def run_dying(dying: int, script: str) -> "subprocess.CompletedProcess[str]":
        emulator = tmp_path / "qemu-system-x86_64"
        words = {"began": tmp_path / "began", "dying": dying, "qemu": shutil.which(emulator.name)}
        emulator.write_text(EMULATOR.format(**words))
        emulator.chmod(0o755)
        return subprocess.run(
            [VM / "run-in-guest", kernel, "sh", "-c", script],
            env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )

    return run_dying


def test_a_guest_that_dies_at_boot_is_started_again(run_dying: Run) -> None:
    """But not when COMMAND, which has begun, ends the kernel."""
    ran = run_dying(1, "echo ran; echo c >/proc/sysrq-trigger")
    assert (ran.returncode, ran.stdout.split()) == (125, ["ran"])
    assert ran.stderr.count(AGAIN) == 1
    first, last = ran.stderr.split("run-in-guest: ")[1:]
    assert "Unable to mount root fs" in first
    assert last.startswith("the guest did not come to an end")


def test_it_is_started_three_times_at_most(run_dying: Run, tmp_path: Path) -> None:
    ran = run_dying(9, "echo ran")
    assert (ran.returncode, ran.stdout) == (125, "")
    assert ran.stderr.count(AGAIN) == 2
    assert (tmp_path / "began").read_text() == "\n" * 3
