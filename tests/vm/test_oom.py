"""The OOM killer where it may do harm, or where this machine's cgroups do not let it come."""

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from needs import need

import exitsnoop

HERE = Path(__file__).parent
TESTS = HERE.parent
MIB = 1 << 20
LIMIT = 32 * MIB
MEMORY_MIB = 512


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What provoke_oom.py told in a guest."""
    need(os.geteuid() == 0, "a guest sees this machine's root, which takes root")
    need(platform.machine() == "x86_64", "the guest's kernel is for x86")
    need(bool(shutil.which("qemu-system-x86_64")), "a guest needs qemu-system-x86")
    need(bool(shutil.which("apt-get")), "the guest's kernel comes from Debian")
    program = tmp_path_factory.mktemp("vm") / "deaths"
    subprocess.run(
        ["cc", "-O1", "-static", "-pthread", "-o", program, TESTS / "kernel" / "deaths.c"],
        check=True,
    )
    kernel = subprocess.run(
        [HERE / "get-kernel", "bookworm", "linux-image-6.12-cloud-amd64"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout.strip()
    # The interpreter itself: what is in its place may be slow under emulation.
    packages = [str(Path(file).parents[1]) for file in (exitsnoop.__file__, pytest.__file__)]
    guest = subprocess.run(
        [
            *(HERE / "run-in-guest", kernel),
            *(Path(sys.executable).resolve(), HERE / "provoke_oom.py", program),
        ],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ
        | {"PYTHONPATH": ":".join([str(TESTS), *packages]), "MEMORY_MIB": str(MEMORY_MIB)},
        check=False,
    )
    assert guest.returncode == 0, guest.stdout
    results: dict[str, Any] = json.loads(guest.stdout.splitlines()[-1])
    assert set(results["statuses"]) == {-9}
    return results


def assert_oom(told: dict[str, Any], path: str | None, limit: int | None) -> None:
    assert told["kind"] == "oom", told
    assert (told["cgroup"], told["limit"]) == (path, limit), told


@pytest.mark.parametrize(("name", "path"), [("alone", "alone"), ("nested", "outer")])
def test_a_limit_of_cgroup2(told: dict[str, Any], name: str, path: str) -> None:
    result = told[name]
    assert_oom(result, told["paths"][path], LIMIT)
    assert 0.8 * LIMIT <= result["anon"] <= LIMIT + MIB
    assert (result["trigger"]["pid"], result["trigger"]["comm"]) == (result["pid"], "deaths")


def test_all_of_a_cgroup_with_oom_group(told: dict[str, Any]) -> None:
    """memory.oom.group: each of them is a victim of the same limit."""
    trigger, *others = told["members"]
    for result in told["members"]:
        assert_oom(result, told["paths"]["group"], LIMIT)
        assert result["trigger"]["pid"] == trigger["pid"]
    assert 0.8 * LIMIT <= trigger["anon"] <= LIMIT + MIB
    assert all(0 <= other["anon"] < MIB for other in others)  # the counters lag


def test_the_whole_machine(told: dict[str, Any]) -> None:
    result = told["whole"]
    assert_oom(result, None, None)
    assert 0.3 * MEMORY_MIB * MIB <= result["anon"] <= MEMORY_MIB * MIB
    assert result["trigger"]["pid"] > 0
    assert "out of memory: system" in result["text"]


def test_a_limit_that_was_lowered(told: dict[str, Any]) -> None:
    """The OOM killer comes in the context of who writes memory.max, from another cgroup."""
    result = told["squeezed"]
    assert_oom(result, told["paths"]["lowered"], LIMIT // 4)
    assert result["trigger"]["pid"] == told["writer"]


def test_someone_asked_for_it(told: dict[str, Any]) -> None:
    """SysRq f: a worker of the kernel calls the OOM killer."""
    result = told["asked"]
    assert_oom(result, None, None)
    assert result["trigger"]["comm"].startswith("kworker")
