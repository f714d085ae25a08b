"""What is counted of exits, and under which names: over exits that are made up."""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.recorded import FUZZ

from exitsnoop import Exit
from exitsnoop.model.batch import Exits
from exitsnoop.model.cause import Cause, Oom, Sender
from exitsnoop.ship.counts import Counts
from exitsnoop.ship.families import BUCKETS, EXITS
from exitsnoop.ship.workloads import IDLE_NS, MOST, NONE, OTHER, Workload, Workloads, workload
from exitsnoop.testing import make_exit

SECOND_NS = 1_000_000_000
WALL_NS = 1_790_000_000 * SECOND_NS
ID = "a" * 64
TRIGGER = Sender(7, 1, "hog", 0)


def of_unit(unit: str, **known: Any) -> Exit:
    known = {"wall_ns": WALL_NS, "cause": Cause("exited", "exit"), **known}
    return make_exit(cgroup=f"/system.slice/{unit}", **known)


def counted(exits: Sequence[Exit]) -> Counts:
    counts = Counts()
    counts.add(Exits.of(exits))
    return counts


@pytest.mark.parametrize(
    ("cgroup", "expected"),
    [
        ("/system.slice/api.service", "api.service"),
        ("/system.slice/system-getty.slice/getty@tty1.service", "getty@.service"),
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/x.service", "user@.service"),
        ("/user.slice/user-0.slice/session-12.scope", "session.scope"),
        ("/user.slice/user-0.slice/session-c3.scope", "session.scope"),
        ("/system.slice/run-u42.service", "run.service"),
        ("/system.slice/run-rc0ffee0123456789c0ffee0123456789.scope", "run.scope"),
        ("/system.slice/run-p4711-i4712.service", "run.service"),
        ("/system.slice/openvpn-2.service", "openvpn-2.service"),
        ("/system.slice/dev-2.mount", "dev-2.mount"),
        (f"/system.slice/docker-{ID}.scope", "docker"),
        ("/lxc.payload.web/system.slice/x.service", "web"),
        ("/", "none"),
        (None, "none"),
    ],
)
def test_a_workload_is_a_unit_without_its_instance(cgroup: str | None, expected: str) -> None:
    assert workload(cgroup) == Workload("", expected)


def test_containers_are_named_as_people_name_them() -> None:
    path = f"/system.slice/docker-{ID}.scope"
    assert workload(path, "api", "shop") == Workload("shop", "api")
    assert workload(path, "api") == Workload("", "api")


def test_each_exit_is_counted_once_in_each_family() -> None:
    of_cgroup = Cause("oom", "", oom=Oom(1, 2, 3, "/system.slice/api.service", 64, TRIGGER))
    of_system = Cause("oom", "", oom=Oom(1, 2, 3, None, None, TRIGGER))
    by_daemon = Cause("killed", "", Sender(8, 1, "earlyoom", 0))
    counts = counted(
        [
            of_unit("api.service", age=0.5, cpu_user=0.25, cpu_system=0.5),
            of_unit("api.service", exit_code=3, age=30, cpu_user=1.0),
            of_unit("api.service", signal=9, cause=of_cgroup, pid=7),
            of_unit("db@1.service", signal=9, cause=of_system),
            of_unit("db@2.service", signal=15, cause=by_daemon),
            of_unit("api.service", exit_code=1, last_thread=False),
        ]
    )
    values = counts.values
    assert sum(values["exits"].values()) == 5
    assert values["exits"]["exited", "ok"] == 1
    assert values["exits"]["exited", "code"] == 1
    assert values["exits"]["oom", "signal"] == 2
    assert values["deaths"]["exited", "", "api.service"] == 1
    assert values["deaths"]["oom", "", "db@.service"] == 1
    assert sum(values["deaths"].values()) == 4
    assert values["signals"]["SIGKILL",] == 2
    assert values["signals"]["SIGTERM",] == 1
    assert values["oom_kills"]["cgroup", "", "api.service"] == 1
    assert values["oom_kills"]["system", "", "db@.service"] == 1
    assert values["oom_kills"]["daemon", "", "db@.service"] == 1
    assert values["exited_cpu_seconds"]["user", "", "api.service"] == 1.25
    assert values["exited_cpu_seconds"]["system", "", "api.service"] == 0.5
    assert values["last_death_timestamp_seconds"]["oom",] == WALL_NS / SECOND_NS
    assert counts.examples["oom_kills"]["cgroup", "", "api.service"].pid == 7


def test_containers_are_counted_by_name_and_namespace() -> None:
    """Whatever container of that name it is."""
    in_pod = {"container_name": "api", "namespace": "shop", "exit_code": 1}
    exits = [of_unit(f"docker-{digit * 64}.scope", **in_pod) for digit in "abc"]
    assert counted(exits).values["deaths"]["exited", "shop", "api"] == 3


def test_series_begin_at_0() -> None:
    """A series whose first sample is 1 has no increase: Prometheus would not see the first."""
    values = Counts().values
    assert set(values["exits"]) >= {("exited", "ok"), ("exited", "code"), ("oom", "signal")}
    assert ("exited", "signal") not in values["exits"]
    assert ("SIGKILL",) in values["signals"]
    assert ("SIGCHLD",) not in values["signals"]
    assert not any(value for series in values.values() for value in series.values())
    values = counted([of_unit("api.service")]).values
    assert values["deaths"]["oom", "", "api.service"] == 0
    assert values["oom_kills"]["cgroup", "", "api.service"] == 0


@pytest.mark.parametrize(
    ("age", "bucket"), [(0.0005, 0), (0.001, 0), (0.0011, 1), (10, 4), (86_400, 9), (1e6, 10)]
)
def test_lifetimes_are_in_the_bucket_that_they_fit_in(age: float, bucket: int) -> None:
    lifetimes = counted([of_unit("api.service", age=age)]).lifetimes["ok"]
    assert [lifetimes.index(1), len(lifetimes)] == [bucket, len(BUCKETS) + 2]
    assert lifetimes[-1] == pytest.approx(age)


def test_ten_thousand_workloads_stay_within_the_bound() -> None:
    counts = counted([of_unit(f"job{nth:05}x.service", exit_code=1) for nth in range(10_000)])
    deaths = counts.values["deaths"]
    assert len({labels[1:] for labels in deaths}) == MOST + 2  # with none, and other
    assert deaths["exited", "", OTHER.name] == 10_000 - MOST
    assert sum(deaths.values()) == 10_000
    assert sum(map(len, counts.values.values())) < 10 * MOST
    assert len(counts.loops(WALL_NS)) == MOST + 2


def test_a_workload_that_is_gone_gives_its_place_to_a_new_one() -> None:
    """So machines that run for years, with ever new names, go on counting by name."""
    old = [of_unit(f"job{nth}x.service", exit_code=1) for nth in range(MOST)]
    counts = counted([*old, of_unit("late.service", exit_code=1, wall_ns=WALL_NS + IDLE_NS - 1)])
    assert ("exited", "", "late.service") not in counts.values["deaths"]
    counts.add(Exits.of([of_unit("job0x.service", wall_ns=WALL_NS + IDLE_NS)]))
    counts.add(Exits.of([of_unit("late.service", exit_code=1, wall_ns=WALL_NS + IDLE_NS)]))
    deaths = counts.values["deaths"]
    assert deaths["exited", "", "late.service"] == 1
    assert deaths["exited", "", "job0x.service"] == 1  # it ended last
    assert ("exited", "", "job1x.service") not in deaths
    assert not [labels for labels in counts.examples["deaths"] if labels[2] == "job1x.service"]


def death(at_s: float, unit: str = "api.service", **known: Any) -> Exit:
    at_ns = round(at_s * SECOND_NS)
    known = {"exit_code": 3, **known}
    return of_unit(unit, boot_ns=9_000 * SECOND_NS + at_ns, wall_ns=WALL_NS + at_ns, **known)


def test_a_crash_loop_is_seen_until_it_is_over() -> None:
    api = Workload("", "api.service")
    counts = counted([death(0), death(5)])
    assert counts.loops(WALL_NS + 6 * SECOND_NS)[api] is False
    counts.add(Exits.of([death(10), death(11, "calm.service")]))
    loops = counts.loops(WALL_NS + 12 * SECOND_NS)
    assert {one for one, looping in loops.items() if looping} == {api}
    assert counts.loops(WALL_NS + 60 * SECOND_NS)[api] is True
    assert counts.loops(WALL_NS + 90 * SECOND_NS)[api] is False
    assert counts.loops(WALL_NS + 12 * SECOND_NS)[api] is False  # it was forgotten


def test_counting_goes_on_from_a_state_without_loops() -> None:
    counts = counted([of_unit("api.service")])
    state = json.loads(json.dumps(counts.state()))
    del state["looping"]
    again = Counts(state)
    assert again.values == counts.values
    again.add(Exits.of([of_unit("api.service")]))
    assert sum(again.values[EXITS.name].values()) == 2


def test_a_crash_loop_goes_on_though_ship_is_restarted() -> None:
    """Else its alert would end with each restart of ship, and fire again."""
    begun = counted([death(at, args=("api", "-v")) for at in (0, 5, 10)])
    begun.add(Exits.of([death(at, "calm.service", args=("calm",)) for at in (1, 6)]))
    script = (
        "import json, sys\n"
        "from exitsnoop.ship.counts import Counts\n"
        "json.dump(Counts(json.load(sys.stdin)).state(), sys.stdout)"
    )
    run = subprocess.run(  # another process, as its hash() has other values
        [sys.executable, "-c", script],
        input=json.dumps(begun.state()),
        capture_output=True,
        text=True,
        check=True,
    )
    again = Counts(json.loads(run.stdout))
    now_ns = WALL_NS + 12 * SECOND_NS
    assert {one.name for one, loops in again.loops(now_ns).items() if loops} == {"api.service"}
    again.add(Exits.of([death(11, "calm.service", args=("calm",))]))
    assert again.loops(now_ns)[Workload("", "calm.service")] is True
    assert again.loops(WALL_NS + 90 * SECOND_NS)[Workload("", "api.service")] is False


def test_what_a_script_asks_again_and_again_is_no_loop() -> None:
    asked = [death(at, comm="grep", exit_code=1, parent_comm="bash") for at in range(0, 50, 5)]
    worker = [death(at, comm="worker", exit_code=1, parent_comm="bash") for at in range(0, 50, 5)]
    assert not any(counted(asked).loops(WALL_NS + 51 * SECOND_NS).values())
    assert any(counted(worker).loops(WALL_NS + 51 * SECOND_NS).values())


units = st.sampled_from(["a.service", "b@1.service", "session-3.scope", 'q"\\.service'])
causes = st.sampled_from(["exited", "killed", "oom", "fault", "unknown"])


@FUZZ
@given(st.lists(st.tuples(units, causes, st.integers(0, 3), st.floats(0, 1e6)), max_size=40))
def test_counters_go_on_where_they_were(made: list[tuple[str, Any, int, float]]) -> None:
    """Whether or not ship was restarted in between, the counters are the same."""
    exits = [
        of_unit(unit, exit_code=code, cause=Cause(kind, kind), age=age)
        for unit, kind, code, age in made
    ]
    half = len(exits) // 2
    begun = counted(exits[:half])
    begun.lost = 7
    again = Counts(json.loads(json.dumps(begun.state())))
    again.add(Exits.of(exits[half:]))
    whole = counted(exits)
    assert again.values == whole.values
    assert again.lifetimes == whole.lifetimes
    assert again.lost == 7
    assert again.state()["workloads"] == whole.state()["workloads"]


@pytest.mark.parametrize("damage", [{}, {"format": 99}, {"format": 1, "values": 3}, []])
def test_a_state_that_is_damaged_is_refused(damage: Any) -> None:
    with pytest.raises(ValueError, match="the counters cannot be read"):
        Counts(damage)


def test_workloads_are_admitted_in_the_order_in_which_they_come() -> None:
    workloads = Workloads()
    assert workloads.admit(Workload("", "a"), 1) == (Workload("", "a"), None)
    assert workloads.admit(Workload("ns", "a"), 2) == (Workload("ns", "a"), None)
    workloads.admit(Workload("", "a"), 3)
    assert workloads.known() == [(Workload("ns", "a"), 2), (Workload("", "a"), 3)]
    assert NONE != OTHER
