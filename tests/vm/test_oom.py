"""The OOM killer where it may do harm, or where this machine's cgroups do not let it come."""

from typing import Any

import pytest
from support.guests import TESTS, told_in_guest
from support.programs import compile_static

pytestmark = pytest.mark.timeout(1800)  # a kernel may have to be downloaded
MIB = 1 << 20
LIMIT = 32 * MIB
MEMORY_MIB = 512


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What provoke_oom.py told in a guest."""
    program = compile_static(TESTS / "kernel" / "deaths.c", tmp_path_factory.mktemp("vm"))
    results = told_in_guest("provoke_oom.py", program, memory_mib=MEMORY_MIB)
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
    """The OOM killer runs for the process that writes memory.max, in another cgroup."""
    result = told["squeezed"]
    assert_oom(result, told["paths"]["lowered"], LIMIT // 4)
    assert result["trigger"]["pid"] == told["writer"]


def test_someone_asked_for_it(told: dict[str, Any]) -> None:
    """SysRq f: a worker of the kernel calls the OOM killer."""
    result = told["asked"]
    assert_oom(result, None, None)
    assert result["trigger"]["comm"].startswith("kworker")
