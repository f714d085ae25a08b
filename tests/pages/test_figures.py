"""The figures of a report, against other counts of the same recording."""

import re
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pages.conftest import END_NS, WEEK_NS, Week
from support import fortnight
from support.recorded import SECOND_NS

from exitsnoop.model.exit import Exit
from exitsnoop.model.outcomes import outcome
from exitsnoop.pages import heat, lifetimes
from exitsnoop.pages.axis import Axis
from exitsnoop.pages.failing import signature
from exitsnoop.reports.overview import failures, lives
from exitsnoop.reports.overview.asking import Asking
from exitsnoop.reports.overview.headline import findings, label
from exitsnoop.reports.overview.lives import EDGES_S
from exitsnoop.reports.overview.whose import OTHERS, Whose
from exitsnoop.store.query import Query


@pytest.fixture(scope="module")
def exits(week: Week) -> list[Exit]:
    """The exits of the week, read one by one."""
    query = Query(since_ns=week.period.from_ns, until_ns=week.period.to_ns - 1)
    return [one for batch in week.recording.select(query).batches() for one in batch]


def kind(one: Exit) -> str:
    assert one.cause
    return one.cause.kind


def place_of(one: Exit) -> str | None:
    """The function where it crashed, or the one that called abort()."""
    assert one.cause
    if kind(one) == "abort":
        assert one.cause.stack
        return one.cause.stack[2].function
    return one.cause.at.function if one.cause.at else None


def ask(store: Path, sql: str) -> list[Any]:
    """The rows of a statement over the only segment, without any of our views."""
    (segment,) = store.glob("exits-*.db")
    with closing(sqlite3.connect(f"file:{segment}?immutable=1", uri=True)) as connection:
        return connection.execute(sql).fetchall()


def test_every_exit_is_counted_once(week: Week, exits: list[Exit]) -> None:
    of = week.of
    failed = [one for one in exits if one.status]
    assert len(failed) > 300
    assert sum(of.exits) == len(exits)
    assert of.failed == sum(one.times for one in of.ways) == len(failed)
    counts = Counter(outcome(kind(one)).name for one in failed)
    assert {name: bins.total() for name, bins in heat.counts(of).items()} == counts
    ((before, failed_before),) = ask(
        week.store,
        "SELECT sum(count), sum(count * (status <> 0)) FROM hours "
        f"WHERE hour * 3600 BETWEEN {(END_NS - 2 * WEEK_NS) // SECOND_NS - 3599} "
        f"AND {(END_NS - WEEK_NS) // SECOND_NS - 3600}",
    )
    assert (of.before.exits, of.before.failed) == (before, failed_before)


def test_each_bin(week: Week, exits: list[Exit]) -> None:
    period = week.period
    assert period.bin_ns == 3 * 3600 * SECOND_NS
    ended = Counter((one.wall_ns - period.first_ns) // period.bin_ns for one in exits)
    assert dict(enumerate(week.of.exits)) == {nth: ended[nth] for nth in range(period.bins)}
    for name, bins in heat.counts(week.of).items():
        assert bins == Counter(
            (one.wall_ns - period.first_ns) // period.bin_ns
            for one in exits
            if one.status and outcome(kind(one)).name == name
        )


def test_each_way_to_fail(week: Week, exits: list[Exit]) -> None:
    truth = Counter((one.comm, kind(one), one.status) for one in exits if one.status)
    found: Counter[tuple[str, str, int]] = Counter()
    for one in week.of.ways:
        found[one.whose.comm, one.cause, one.status] += one.times
        of = [
            it.wall_ns
            for it in exits
            if (it.comm, it.status) == (one.whose.comm, one.status) and kind(it) == one.cause
        ]
        assert one.last_ns == max(of)
        assert one.first_ns <= min(of)
        assert sum(one.parts.values()) == one.times
    assert found == truth


def test_too_many_programs_are_counted_together(
    week: Week, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The largest stay; nothing is lost."""
    monkeypatch.setattr(failures, "MOST", 3)
    monkeypatch.setattr(lives, "MOST", 4)
    asking = Asking(week.recording, week.period, lambda _: None)
    some = failures.tallies(asking)
    assert sum(one.times for one in some) == week.of.failed
    found = {one.whose for one in some}
    assert 3 < len(found) <= 7
    sizes: Counter[Whose] = Counter()
    for one in week.of.tallies:
        sizes[one.whose] += one.times
    (largest, _), *_ = sizes.most_common()
    assert {largest, OTHERS} <= found
    assert sum(one.times for one in some if one.whose == largest) == sizes[largest]
    _, used = lives.lives(asking)
    assert used[0] == week.of.used[0]
    assert len(used) <= 8


def test_what_is_new(week: Week) -> None:
    new = {label(one.whose) for one in week.of.ways if one.first_ns >= week.period.from_ns}
    assert new == {
        "api.service",
        "resizer in images.service",
        "postgresql@15-main.service",
        "migrate in the pod 0f4ce0a4",
        "sh in cron.service",
    }
    (worker,) = (one for one in week.of.ways if one.whose.comm == "worker")
    assert (worker.times, worker.before) == (46, 12)
    assert week.of.before.recorded > 0.99


def test_killers_limits_and_crashes(week: Week, exits: list[Exit]) -> None:
    of = week.of
    assert {(one.sender, one.comm, one.signal): one.times for one in of.kills} == Counter(
        (one.cause.sender.comm, one.comm, one.signal_name)
        for one in exits
        if one.cause and one.cause.kind == "killed" and one.cause.sender
    )
    taken = [one for one in exits if kind(one) == "oom"]
    counts = Counter(one.cause.oom.cgroup for one in taken if one.cause and one.cause.oom)
    assert {one.cgroup: one.times for one in of.full} == counts
    assert of.full[0].cgroup == "/system.slice/api.service"
    assert of.full[0].limit == fortnight.LIMIT
    assert of.full[0].pid == max(taken, key=lambda one: one.wall_ns).pid
    crashed = Counter(
        (one.exe, one.signal_name, place_of(one))
        for one in exits
        if kind(one) in ("fault", "abort", "self")
    )
    assert {(one.exe, one.signal, one.function): one.times for one in of.crashes} == crashed
    assert {signature(one) for one in of.crashes} == {
        "SIGSEGV in parse_header of worker",
        "SIGABRT by abort() called in check_size of thumbnailer",
        "SIGABRT by abort() called in read_exif of thumbnailer",
        "SIGSEGV SEGV_MAPERR (read)",
    }
    ((first_ns,),) = ask(
        week.store,
        "SELECT min(e.boot_ns + t.offset_ns) FROM rows e JOIN causes c ON c.id = e.cause "
        "JOIN times t ON t.id = (SELECT max(id) FROM times WHERE id <= e.id) "
        "JOIN origins o ON o.id = e.origin JOIN texts n ON n.id = o.name "
        "WHERE c.kind = 'fault' AND n.text = 'worker'",
    )
    (worker,) = (one for one in of.crashes if one.exe == "/usr/bin/worker")
    assert (worker.before, worker.first_ns) == (12, first_ns)


def test_crash_loops(week: Week) -> None:
    found = {label(one.whose): one.loop for one in week.of.loops}
    assert {name: loop.deaths for name, loop in found.items()} == {
        "api.service": 14,
        "migrate in the pod 0f4ce0a4": 60,
        "worker.service": 46,
    }
    assert found["api.service"].cause == "oom"
    assert found["api.service"].every_s == pytest.approx(32.4, abs=0.01)


def test_lifetimes_and_what_was_used(week: Week, exits: list[Exit]) -> None:
    lived = week.of.lived
    edges = (0.0, *EDGES_S, float("inf"))
    for nth, count in enumerate(lived.well):
        within = [one for one in exits if edges[nth] <= one.age < edges[nth + 1]]
        assert count == sum(not one.status for one in within)
        assert sum(bins[nth] for bins in lived.failed.values()) == len(within) - count
    used = {one.whose: one for one in week.of.used}
    (converted,) = (one for of, one in used.items() if of.comm == "convert")
    same = [one for one in exits if one.comm == "convert" and one.age <= 60]
    assert converted.processes == len(same)
    assert converted.max_rss == max(one.max_rss or 0 for one in same)
    cpu_s = sum((one.cpu_user or 0) + (one.cpu_system or 0) for one in same)
    assert converted.cpu_s == pytest.approx(cpu_s)


def test_the_last_deaths(week: Week, exits: list[Exit]) -> None:
    failed = [one for one in exits if one.status]
    assert [told.exit for told in week.of.latest] == failed[::-1][:50]
    assert "cgroup reached its limit of 2.0G" in " ".join(week.of.latest[0].text.split())
    assert max(len(line) for told in week.of.latest for line in told.text.splitlines()) <= 80


def test_the_headline(week: Week) -> None:
    now, new, *missing = findings(week.of)
    assert now.text.startswith("api.service has been in a crash loop since ")
    assert now.text.endswith(": 14 OOM kills, one every 32 s; its limit is 2.0G.")
    assert "api.service, 14 OOM kills, first at" in new.text
    assert new.text.endswith("; 3 more.")
    assert [one.text.rpartition("(")[2] for one in missing] == [
        "the recorder was stopped).",
        "reboot).",
    ]


def test_nobody_looked_is_not_nothing_died(week: Week) -> None:
    """A bin is missing as far as it was not recorded; where nothing died, it is not."""
    period = week.period
    missing = heat.unseen(week.of)
    begin_ns, end_ns = (
        END_NS + (1 - fortnight.LENGTH_S + at) * SECOND_NS for at in fortnight.UNSEEN_S
    )
    inside = [nth for nth in range(period.bins) if _is_within(period.edges(nth), begin_ns, end_ns)]
    assert inside
    assert all(missing[nth] == pytest.approx(1, abs=0.001) for nth in inside)
    assert sum(missing) * 3 == pytest.approx(8 + 2 / 60, abs=0.1)
    assert sum(part > 0 for part in missing) <= len(inside) + 4


def _is_within(edges: tuple[int, int], begin_ns: int, end_ns: int) -> bool:
    return begin_ns <= edges[0] and edges[1] <= end_ns


def test_the_number_stands_over_the_highest_bar() -> None:
    """Also where the highest is one: each bar has the same height then, or none."""
    stacks: list[list[tuple[str, int]]] = [[("crash", 0)], [("crash", 0)], [("crash", 1)]]
    drawn = lifetimes.row("failed", 1, stacks)
    (bar,) = re.findall(r'<rect class="o-crash" x="([\d.]+)%" width="([\d.]+)%"', drawn)
    (number,) = re.findall(r'<text x="([\d.]+)%"', drawn)
    assert float(number) == pytest.approx(float(bar[0]) + float(bar[1]) / 2, abs=0.01)


def test_losses_are_not_hatched(week: Week) -> None:
    """Nothing is hatched where exits were lost: so the legend does not say that, either."""
    of = week.of
    lost = of._replace(gaps=[of.gaps[0]._replace(lost=3, why="ring")])
    assert "hatched" in heat.drawn(of, Axis(of))
    assert "hatched" not in heat.drawn(lost, Axis(lost))
