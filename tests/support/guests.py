"""Runs what could harm the machine in a QEMU guest with a Debian kernel."""

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import exitsnoop
from support.machine import need

TESTS = Path(__file__).parents[1]
VM = TESTS / "vm"
LINUX_6_12 = ("bookworm", "linux-image-6.12-cloud-amd64")


def debian_kernel(release: str, package: str) -> str:
    """Return the directory of a kernel for run-in-guest."""
    need(os.geteuid() == 0, "a guest sees this machine's root, which takes root")
    need(platform.machine() == "x86_64", "the guest's kernel is for x86")
    need(bool(shutil.which("qemu-system-x86_64")), "a guest needs qemu-system-x86")
    need(bool(shutil.which("apt-get")), "the guest's kernel comes from Debian")
    command = [str(VM / "get-kernel"), release, package]
    return subprocess.check_output(command, text=True).strip()


def told_in_guest(
    script: str,
    *arguments: object,
    memory_mib: int = 512,
    kernel: tuple[str, str] = LINUX_6_12,
    **more: str,
) -> dict[str, Any]:
    """Run a script of tests/vm in a guest; return what it prints last, as JSON.

    more: further variables for run-in-guest.
    """
    directory = debian_kernel(*kernel)
    # The interpreter itself: a wrapper may be slow under emulation.
    packages = [str(Path(file).parents[1]) for file in (exitsnoop.__file__, pytest.__file__)]
    command = [VM / "run-in-guest", directory, Path(sys.executable).resolve(), "-B", VM / script]
    guest = subprocess.run(
        [*map(str, (*command, *arguments))],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ
        | {"PYTHONPATH": ":".join([str(TESTS), *packages]), "MEMORY_MIB": str(memory_mib)}
        | more,
        check=False,
    )
    assert guest.returncode == 0, guest.stdout
    last = guest.stdout.splitlines()[-1]
    # What takes long shows that it works, on the guest's terminal, and clears the line again.
    results: dict[str, Any] = json.loads(last.removeprefix("\x1b[K"))
    return results
