"""Filters in, what the kernel is given out."""

import struct

import pytest

from exitsnoop.errors import KernelRefused
from exitsnoop.filters.checks import container, text, user
from exitsnoop.filters.filters import Filters
from exitsnoop.filters.keywords import FilterOptions
from exitsnoop.filters.table import FILTERS, Filter
from exitsnoop.kernel import extension, session
from exitsnoop.kernel.features import has_loops
from exitsnoop.kernel.plan import Plan, plan

SITES = {"on_delivery"} if has_loops() else set()


def planned(**options: "object") -> Plan:
    return plan(Filters(**options), unwanted=False)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [
        FilterOptions(),
        FilterOptions(failed=True),
        FilterOptions(pids=[1, 2]),
        FilterOptions(codes=[1], signals=[9]),
        FilterOptions(per_thread=True),
    ],
)
def test_the_plain_trace_is_one_small_program(options: FilterOptions) -> None:
    made = plan(Filters(**options), unwanted=False)
    assert made.variant == "small"
    assert [name for name in made.programs if "missed" not in name] == ["on_exit"]
    assert set(made.maps) <= {"reported", "pids"}


@pytest.mark.parametrize(
    ("options", "programs"),
    [
        (FilterOptions(why=True), {"on_signal", *SITES}),
        (FilterOptions(causes=["oom"]), {"on_signal", *SITES}),
        (FilterOptions(fields=["uid", "ancestors", "cgroup", "user", "container"]), set()),
        (FilterOptions(fields=["args"]), {"on_exec", "on_fork"}),
        (FilterOptions(fields=["exe"]), {"on_exec", "on_fork"}),
        (FilterOptions(tree=[1]), {"on_fork"}),
        (FilterOptions(users=[0], names=["a"], ppids=[1], min_age=1), set()),
    ],
)
def test_programs_are_those_that_are_needed(options: FilterOptions, programs: set[str]) -> None:
    made = plan(Filters(**options), unwanted=False)
    assert made.variant.startswith("full")
    needed = {name for name in made.programs if "missed" not in name}
    assert needed == programs | {"on_exit"}


def test_a_verifier_that_refuses_the_program_for_crash_sites(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The rest is loaded without it; what else is refused stays refused."""
    tried: list[tuple[str, ...]] = []

    def opens(*, programs: tuple[str, ...], **_: object) -> str:
        tried.append(programs)
        if "on_delivery" in programs or "on_fork" in programs:
            raise extension().SessionError("load", 13, "too much")
        return "opened"

    monkeypatch.setattr(session, "stand_in", opens)
    wanted = plan(Filters(why=True), unwanted=False)
    assert "on_delivery" in wanted.programs or not SITES
    opened: object = session.open_session(wanted, ring_bytes=4096)
    assert opened == "opened"
    assert tried[-1] == tuple(name for name in wanted.programs if name != "on_delivery")
    with pytest.raises(KernelRefused):
        session.open_session(plan(Filters(tree=[1]), unwanted=False), ring_bytes=4096)


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


# What a filter changes of the plan besides tunables of its name.
CHANGES = {
    "min_age": "min_age_ns",
    "max_age": "max_age_ns",
    "signals": "signal_set",
    "codes": "code_set",
    "causes": "only_statuses",
}


@pytest.mark.parametrize("row", FILTERS, ids=lambda row: row.name)
def test_every_filter_reaches_the_kernel(row: Filter) -> None:
    if row.name in ("excluding", "fields"):
        return  # of another filter, and of what is collected
    value: object = ["oom"] if row.name == "causes" else ["/"] if row.name == "cgroups" else None
    if value is None:
        value = ["1"] if row.check_one in (container, text, user) else [1] if row.is_list else True
    if row.name.endswith("_age"):
        value = 1.5
    made = planned(**{row.name: value})
    tunable = CHANGES.get(row.name, f"only_{row.name}" if row.is_list else row.name)
    assert tunable in made.tunables
    if f"only_{row.name}" in made.tunables:
        assert row.name in made.maps


def test_cgroups_are_told_the_nearest_first() -> None:
    ((key, value),) = planned(cgroups=["/"]).maps["cgroups"][1]
    assert key == b"\0\0\0\0"
    assert value == struct.pack("=II512s", 1, 0, b"\0")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (FilterOptions(pids=[0]), "not a PID"),
        (FilterOptions(tree=[4_194_305]), "not a PID"),
        (FilterOptions(users=["no such user"]), "no user"),
        (FilterOptions(names=["x" * 16]), "at most 15 bytes"),
        (FilterOptions(cgroups=["/no/such/cgroup"]), "cgroup"),
        (FilterOptions(containers=[""]), "empty"),
        (FilterOptions(excluding=["users"]), "no users to exclude"),
        (FilterOptions(users=[0], excluding=["pids"]), "'pids'"),
        (FilterOptions(min_age=-1), "age"),
        (FilterOptions(min_age=2, max_age=1), "age"),
        (FilterOptions(fields=["colour"]), "not a field"),
        (FilterOptions(signals=[65]), "not a signal"),
        (FilterOptions(codes=[256]), "not an exit code"),
        (FilterOptions(causes=["bored"]), "not a kind"),
        (FilterOptions(failed=True, codes=[0]), "no process"),
        (FilterOptions(causes=["oom"], codes=[1]), "no process"),
    ],
)
def test_nonsense_is_an_error(options: FilterOptions, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Filters(**options)
