"""What recorded exits tell a filter, and what they do not."""

from typing import Any

import pytest
from support.fakes import record

from exitsnoop import Cause, Exit, Filters
from exitsnoop.filters.match import match
from exitsnoop.filters.recorded import RecordedFilters
from exitsnoop.host import cgroups, processes
from exitsnoop.model.batch import Exits
from exitsnoop.model.context import Ancestor

ID = "0123456789abcdef" * 4


def verdicts(exits: list[Exit], **options: Any) -> list[bool | None]:
    return match(Filters(**options), Exits.of(exits))


def test_no_exits_and_no_filters() -> None:
    assert verdicts([]) == []
    assert verdicts([], failed=True, users=[0]) == []
    assert verdicts([record(), record(status=9)]) == [True, True]


@pytest.mark.parametrize(
    ("options", "passes"),
    [
        ({"users": [33]}, {"uid": 33}),
        ({"cgroups": ["/"]}, {"cgroup": "/any"}),
        ({"containers": [ID[:9]]}, {"cgroup": f"/docker/{ID}/inner"}),
    ],
)
def test_what_was_not_recorded_is_unknown(options: dict[str, Any], passes: dict[str, Any]) -> None:
    known, unknown = record(**passes), record()
    assert verdicts([known, unknown], **options) == [True, None]
    assert verdicts([known, unknown], **options, excluding=list(options)) == [False, None]
    # Another filter may be sure.
    assert verdicts([unknown], **options, failed=True) == [False]


def test_not_in_a_container() -> None:
    elsewhere = record(cgroup="/system.slice/docker.service")
    assert verdicts([elsewhere], containers=[ID[:9]]) == [False]
    assert verdicts([elsewhere], containers=[ID[:9]], excluding=["containers"]) == [True]


def test_a_family() -> None:
    below = record(pid=9, ancestors=(Ancestor(8, "a"), Ancestor(7, "b")))
    orphan = record(pid=9, ancestors=(Ancestor(1, "init"),))
    assert verdicts([record(pid=7), below, orphan, record(pid=9)], tree=[7]) == [
        *(True, True),
        *(None, None),
    ]


def test_causes() -> None:
    killed, unsaid = record(status=15, cause=Cause("killed", "by one")), record(status=15)
    ended, thread = record(status=0), record(status=15, last_thread=False)
    exits = [killed, unsaid, ended, thread]
    assert verdicts(exits, causes=["killed"], per_thread=True) == [True, None, False, False]
    crashed = record(status=11, cause=Cause("fault", "so"), last_thread=False)
    assert verdicts([crashed], causes=["fault"], per_thread=True) == [True]
    assert verdicts([crashed], causes=["fault"]) == [False]
    assert verdicts(exits, causes=["exited"]) == [False, False, True, False]
    assert verdicts(exits, causes=["oom"]) == [False, False, False, False]  # it comes with KILL


def test_signals_or_codes() -> None:
    exits = [record(status=9), record(status=15), record(status=3 << 8), record(status=0)]
    assert verdicts(exits, signals=[9], codes=[3]) == [True, False, True, False]
    assert verdicts(exits, signals=[9]) == [True, False, False, False]
    assert verdicts(exits, signals=[9], excluding=["signals"]) == [False, True, False, False]
    assert verdicts(exits, signals=[9], codes=[0], failed=True) == [True, False, False, False]
    assert verdicts([record(status=9 | 0x80)], signals=[9]) == [True]  # core dumped


def test_threads() -> None:
    exits = [record(tid=2, last_thread=False), record(tid=3, last_thread=True)]
    assert verdicts(exits) == [False, True]
    assert verdicts(exits, per_thread=True) == [True, True]


def test_names_are_bytes() -> None:
    exits = [record(comm=b"\xff\xfe"), record(comm="ö".encode()), record(comm=b"")]
    assert verdicts(exits, names=["\udcff?"]) == [True, False, False]
    assert verdicts(exits, names=["??"]) == [True, True, False]
    assert verdicts(exits, names=["*"], excluding=["names"]) == [False, False, False]


def test_cgroups_by_whole_names() -> None:
    exits = [record(cgroup=path) for path in ("/", "/a", "/.../a")]
    assert verdicts(exits, cgroups=["/"]) == [True, True, True]


def in_recording(exits: list[Exit], **options: Any) -> list[bool | None]:
    return match(RecordedFilters(**options), Exits.of(exits))


def test_users_of_a_recording_are_those_that_it_names() -> None:
    exits = [
        record(uid=54321, user="of the other machine"),
        record(uid=7, user="root"),
        record(uid=0),
        record(user=None, uid=None),
    ]
    assert in_recording(exits, users=["of the other machine"]) == [True, False, False, None]
    assert in_recording(exits, users=["root", 54321]) == [True, True, False, None]
    assert in_recording(exits, users=["54321", "0"]) == [True, False, True, None]
    inverted = in_recording(exits, users=["root"], excluding=["users"])
    assert inverted == [True, False, True, None]
    with pytest.raises(ValueError, match="no user -1"):
        RecordedFilters(users=[-1])
    with pytest.raises(ValueError, match="no user '4294967295'"):
        RecordedFilters(users=["4294967295"])
    with pytest.raises(ValueError, match="no user of the other machine"):
        Filters(users=["of the other machine"])


@pytest.mark.parametrize(
    "given", ["/a.slice/gone", "a.slice/gone/", "/sys/fs/cgroup/a.slice/gone", "//a.slice/./gone"]
)
def test_cgroups_of_a_recording_need_not_exist(given: str) -> None:
    exits = [record(cgroup=f"/a.slice/{name}") for name in ("gone", "gone/below", "gone2", "")]
    assert in_recording(exits, cgroups=[given]) == [True, True, False, False]
    everywhere = [record(cgroup="/"), record(cgroup="/a"), record()]
    assert in_recording(everywhere, cgroups=["/"]) == [True, True, None]
    with pytest.raises(ValueError, match=r"without \.\."):
        RecordedFilters(cgroups=[f"{given}/../x"])
    with pytest.raises(ValueError, match="there is no cgroup"):
        Filters(cgroups=["/a.slice/gone"])


def test_the_kernel_does_not_limit_filters_of_a_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the number of cgroups, nor the PID namespace that this process is in."""
    for module in (processes, cgroups):
        monkeypatch.setattr(module, "in_first_namespace", lambda _: False)
    many = [f"/{number}" for number in range(100)]
    exits = [record(cgroup="/99", pid=7), record(cgroup="/100", pid=7)]
    assert in_recording(exits, cgroups=many, pids=[7]) == [True, False]
    for options in ({"cgroups": ["/"]}, {"pids": [7]}):
        with pytest.raises(ValueError, match="namespace"):
            Filters(**options)
    with pytest.raises(ValueError, match="no process can have the age"):
        RecordedFilters(min_age=2, max_age=1)
