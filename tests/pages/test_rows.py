"""The commands of a page: each gives the rows of its figure."""

import json
import shlex

import pytest
from pages.conftest import Week

from exitsnoop import cli
from exitsnoop.model.outcomes import OUTCOMES
from exitsnoop.pages.failing import crash_rows
from exitsnoop.pages.killers import kill_rows
from exitsnoop.pages.memory import limit_rows
from exitsnoop.pages.usage import used_rows
from exitsnoop.reports.overview import rows
from exitsnoop.reports.overview.period import period
from exitsnoop.reports.overview.whose import Whose, whose


def count(week: Week, capfd: pytest.CaptureFixture[str], command: str) -> int:
    """How many rows a command gives."""
    program, verb, *words = shlex.split(command)
    assert program == "exitsnoop"
    capfd.readouterr()
    assert cli.main([verb, "--store", str(week.store), "--json", *words]) == 0, command
    return len([json.loads(line) for line in capfd.readouterr().out.splitlines()])


def test_ways_to_fail(week: Week, capfd: pytest.CaptureFixture[str]) -> None:
    chosen = week.period
    for one in week.of.ways:
        command = rows.past(
            chosen.from_ns, chosen.to_ns, of=one.whose, causes=[one.cause], status=one.status
        )
        assert count(week, capfd, command) == one.times, command


def test_bins_and_causes(week: Week, capfd: pytest.CaptureFixture[str]) -> None:
    chosen = week.period
    assert count(week, capfd, rows.past(chosen.from_ns, chosen.to_ns)) == week.of.failed
    every = rows.past(chosen.from_ns, chosen.to_ns, failed=False)
    assert count(week, capfd, every) == sum(week.of.exits)
    nth = max(range(chosen.bins), key=week.of.exits.__getitem__)
    assert count(week, capfd, rows.past(*chosen.edges(nth), failed=False)) == week.of.exits[nth]
    for outcome in OUTCOMES:
        if any(outcome.kinds):
            command = rows.past(chosen.from_ns, chosen.to_ns, causes=outcome.kinds)
            kinds = outcome.kinds
            assert count(week, capfd, command) == sum(
                one.times for one in week.of.tallies if one.cause in kinds
            )


def test_what_past_has_no_filter_for(week: Week, capfd: pytest.CaptureFixture[str]) -> None:
    for kills in week.of.kills:
        assert count(week, capfd, kill_rows(week.of, kills)) == kills.times
    for full in week.of.full:
        assert count(week, capfd, limit_rows(week.of, full)) == full.times
    for crash in week.of.crashes:
        assert count(week, capfd, crash_rows(week.of, crash)) == crash.times
    for used in week.of.used[:5]:
        assert count(week, capfd, used_rows(week.of, used)) == used.processes


@pytest.mark.parametrize(
    ("comm", "pattern"),
    [
        ("nginx", "nginx"),
        ("a b", "'a b'"),
        ("[kworker]", r"'\[kworker\]'"),
        ("!x*", r"'\!x\*'"),
        ("a,b\n", "'a?b?'"),
        ("$(reboot)", "'$(reboot)'"),
        ("\ufffdx", "'*x'"),
    ],
)
def test_names(comm: str, pattern: str) -> None:
    command = rows.past(0, 1, of=Whose(comm, None, None, None, None))
    assert f" -n {pattern} --since" in command
    assert command.isprintable()


def test_hostile_names_in_sql() -> None:
    chosen = period(10**18, 2 * 10**18, 10**18, 2 * 10**18)
    command = rows.sql(chosen, {"comm": "'; DROP\n$(x)\"`", "uid": 0, "pod": None})
    assert command.isprintable()
    statement = shlex.split(command)[-1]
    text = "'''; DROP' || char(10) || '$(x)\"`'"
    assert statement.endswith(f"WHERE failed = 1 AND comm = {text} AND uid = 0 AND pod IS NULL")


def test_whose() -> None:
    slice_ = "/user.slice/user-1000.slice"
    assert whose("sh", f"{slice_}/session-4.scope") == Whose("sh", None, None, None, slice_)
    assert whose("sh", None) == whose("sh", "/") == Whose("sh", None, None, None, None)
    assert whose("x", "/demo/a") == Whose("x", None, None, None, "/demo/a")
    web = "/system.slice/web.service"
    assert whose("x", f"{web}/workers") == Whose("x", "web.service", None, None, web)
    container = f"/system.slice/docker-{'a' * 64}.scope"
    assert whose("x", f"{container}/init").within == container
    uid = "0f4ce0a4-c939-4d1e-9b8e-54ae37403a20"
    pod = f"/kubepods.slice/kubepods-pod{uid.replace('-', '_')}.slice"
    assert whose("x", f"{pod}/cri-containerd-{'a' * 64}.scope") == Whose("x", None, None, uid, pod)
