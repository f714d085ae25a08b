"""Filters -> what the kernel side is told."""

import struct
from typing import TYPE_CHECKING

import pytest

from exitsnoop.filters import Filters
from exitsnoop.plan import Plan, plan

if TYPE_CHECKING:
    from exitsnoop.filters import Options
else:
    Options = dict


def planned(**options: "object") -> Plan:
    return plan(Filters.checked(**options), unwanted=False)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [
        Options(),
        Options(failed=True),
        Options(pids=[1, 2]),
        Options(codes=[1], signals=[9]),
        Options(per_thread=True),
    ],
)
def test_the_plain_trace_is_one_small_program(options: Options) -> None:
    made = plan(Filters.checked(**options), unwanted=False)
    assert made.variant == "small"
    assert [name for name in made.programs if "missed" not in name] == ["on_exit"]
    assert set(made.maps) <= {"reported", "pids"}


@pytest.mark.parametrize(
    ("options", "programs"),
    [
        (Options(why=True), {"on_signal"}),
        (Options(causes=["oom"]), {"on_signal"}),
        (Options(fields=["uid", "ancestors", "cgroup", "user", "container"]), set()),
        (Options(fields=["args"]), {"on_exec", "on_fork"}),
        (Options(fields=["exe"]), {"on_exec", "on_fork"}),
        (Options(tree=[1]), {"on_fork"}),
        (Options(users=[0], names=["a"], ppids=[1], min_age=1), set()),
    ],
)
def test_programs_are_those_that_are_needed(options: Options, programs: set[str]) -> None:
    made = plan(Filters.checked(**options), unwanted=False)
    assert made.variant.startswith("full")
    needed = {name for name in made.programs if "missed" not in name}
    assert needed == programs | {"on_exit"}


def test_statuses_are_bits() -> None:
    tunables = planned(signals=[1, 64], codes=[0, 63, 64, 255]).tunables
    assert struct.unpack("=Q", tunables["signal_set"]) == (1 | 1 << 63,)
    assert struct.unpack("=4Q", tunables["code_set"]) == (1 | 1 << 63, 1, 0, 1 << 63)


def test_what_is_excluded_has_a_tunable_of_its_own() -> None:
    wanted, excluded = planned(users=[0]), planned(users=[0], excluding=["users"])
    assert "only_users" in wanted.tunables
    assert "not_users" not in wanted.tunables
    assert "not_users" in excluded.tunables
    assert "only_users" not in excluded.tunables
    assert wanted.maps["users"] == excluded.maps["users"] == (1, [(b"\0\0\0\0", b"\1")])


def test_cgroups_are_told_the_nearest_first() -> None:
    ((key, value),) = planned(cgroups=["/"]).maps["cgroups"][1]
    assert key == b"\0\0\0\0"
    assert value == struct.pack("=I512s", 1, b"\0")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (Options(pids=[0]), "not a PID"),
        (Options(tree=[4_194_305]), "not a PID"),
        (Options(users=["no such user"]), "no user"),
        (Options(names=["x" * 16]), "at most 15 bytes"),
        (Options(cgroups=["/no/such/cgroup"]), "cgroup"),
        (Options(containers=[""]), "empty"),
        (Options(excluding=["users"]), "no users to exclude"),
        (Options(users=[0], excluding=["pids"]), "'pids'"),
        (Options(min_age=-1), "age"),
        (Options(min_age=2, max_age=1), "age"),
        (Options(fields=["colour"]), "not a field"),
        (Options(signals=[65]), "not a signal"),
        (Options(codes=[256]), "not an exit code"),
        (Options(causes=["bored"]), "not a kind"),
        (Options(failed=True, codes=[0]), "no process"),
        (Options(causes=["oom"], codes=[1]), "no process"),
    ],
)
def test_nonsense_is_an_error(options: Options, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Filters.checked(**options)
