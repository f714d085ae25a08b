"""The ten queries that docs/recorder.md shows and `exitsnoop sql --examples` prints."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.recorded import SECOND_NS, SMALL, START_NS, exits, read, writer

from exitsnoop import Exit, cli
from exitsnoop.cli.queries import EXAMPLES
from exitsnoop.model.batch import Exits
from exitsnoop.model.cause import At, Cause, Oom, Sender
from exitsnoop.model.derived import timestamps

KILLER = Sender(712, 1, "pkill", 1000)
OOM = Oom(62 << 20, 1, 0, "/system.slice/nginx.service", 64 << 20, KILLER)
ENDS: list[tuple[int, Cause]] = [
    (0, Cause("exited", "exit code 0")),
    (256, Cause("exited", "exit code 1")),
    (15, Cause("killed", "killed by pkill[712] uid 1000 (SIGTERM)", KILLER, "kill", "SI_USER")),
    (139, Cause("fault", "segfault at 0x8", si_code="SEGV_MAPERR", address=8)),
    (9, Cause("oom", "out of memory", oom=OOM)),
    (139, Cause("fault", "segfault at 0x9", at=At("/usr/lib/libjob.so", function="parse"))),
    (0, Cause("exited", "exit code 0")),
]
UNITS = ("nginx.service", "backup.service", None)


def varied(count: int) -> Exits:
    """Exits with an answer for every query: one every three seconds."""
    numbers = range(count)
    return exits(
        numbers,
        boot_ns=[START_NS + number * 3 * SECOND_NS for number in numbers],
        start_boot_ns=[
            START_NS + number * 3 * SECOND_NS - number % 4 * 700_000_000 for number in numbers
        ],
        status=[ENDS[number % 7][0] for number in numbers],
        cause=[ENDS[number % 7][1] for number in numbers],
        cgroup=[
            f"/system.slice/{unit}" if unit else "/"
            for unit in (UNITS[number % 3] for number in numbers)
        ],
        exe=[f"/usr/bin/job{number % 2}" for number in numbers],
        parent_comm=[("sh", "make")[number % 5 == 0] for number in numbers],
        max_rss=[number << 20 for number in numbers],
    )


def when(one: Exit) -> str:
    (text,) = timestamps([one.wall_ns])
    return text


def kind(one: Exit) -> str:
    assert one.cause
    return one.cause.kind


def check_counts(rows: list[Any], key: Callable[[Any], Any], truth: "Counter[Any]") -> None:
    """Check rows that count something, the most frequent first; the order of equals is free."""
    times = [row[len(key(row))] for row in rows]
    assert times == sorted(truth.values(), reverse=True)[: len(rows)]
    assert len(rows) == min(10, len(truth)) or len(rows) == len(truth)
    assert all(truth[key(row)] == count for row, count in zip(rows, times, strict=True))


def check_0(rows: list[Any], found: list[Exit]) -> None:
    truth = Counter((one.comm, one.unit, one.exit) for one in found if one.status)
    check_counts(rows, lambda row: row[:3], truth)


def check_1(rows: list[Any], found: list[Exit]) -> None:
    of_unit = [one for one in found[::-1] if one.unit == "nginx.service"]
    assert rows == [
        (when(one), one.comm, one.pid, one.exit, one.cause and one.cause.text)
        for one in of_unit[:10]
    ]


def check_2(rows: list[Any], found: list[Exit]) -> None:
    truth = Counter((one.unit, kind(one)) for one in found if one.status and one.unit)
    check_counts(rows, lambda row: row[:2], truth)


def check_3(rows: list[Any], found: list[Exit]) -> None:
    assert rows == [
        (when(one), one.comm, one.pid, one.unit, 62, 64, "/system.slice/nginx.service")
        for one in found[::-1]
        if kind(one) == "oom"
    ]


def check_4(rows: list[Any], found: list[Exit]) -> None:
    truth = Counter(("pkill", 1000, one.comm, "SIGTERM") for one in found if one.signal == 15)
    check_counts(rows, lambda row: row[:4], truth)


def check_5(rows: list[Any], found: list[Exit]) -> None:
    truth = Counter(
        (
            one.exe,
            one.signal_name,
            cause.at and cause.at.module,
            cause.at and cause.at.function,
        )
        for one in found
        if (cause := one.cause) and cause.kind in ("fault", "abort")
    )
    assert len(truth) == 4
    check_counts(rows, lambda row: row[:4], truth)


def check_6(rows: list[Any], found: list[Exit]) -> None:
    tens = Counter((one.comm, one.unit, when(one)[:15] + "0") for one in found if one.status)
    assert {row[:3]: row[3] for row in rows} == {
        key: times for key, times in tens.items() if times >= 5
    }


def check_7(rows: list[Any], found: list[Exit]) -> None:
    minutes = Counter(when(one)[:16] for one in found)
    failed = Counter(when(one)[:16] for one in found if one.status)
    assert rows == [(minute, minutes[minute], failed[minute]) for minute in sorted(minutes)]


def check_8(rows: list[Any], found: list[Exit]) -> None:
    times = Counter(one.comm for one in found)
    cpu = {
        comm: sum((one.cpu_user or 0) + (one.cpu_system or 0) for one in found if one.comm == comm)
        for comm in times
    }
    peaks = {comm: max(one.max_rss or 0 for one in found if one.comm == comm) for comm in times}
    assert len(rows) == len(cpu)
    assert [row[2] for row in rows] == sorted([row[2] for row in rows], reverse=True)
    for comm, count, cpu_s, peak in rows:
        assert (count, peak) == (times[comm], peaks[comm] >> 20)
        assert cpu_s == pytest.approx(cpu[comm], abs=0.006)


def check_9(rows: list[Any], found: list[Exit]) -> None:
    truth = Counter((one.parent_comm, one.comm) for one in found if one.age < 1)
    check_counts(rows, lambda row: row[:2], truth)
    assert all(row[3] <= 1 for row in rows)


CHECKS = (
    *(check_0, check_1, check_2, check_3, check_4),
    *(check_5, check_6, check_7, check_8, check_9),
)


@pytest.mark.parametrize("nth", range(10))
def test_the_ten_queries(store: Path, capfd: pytest.CaptureFixture[str], nth: int) -> None:
    """Each answers what its question asks; counted again without SQL."""
    recorder = writer(store, limits=SMALL)
    recorder.add(varied(1000))
    recorder.close()
    assert cli.main(["sql", "--store", str(store), "--json", EXAMPLES[nth].sql]) == 0
    rows = [tuple(json.loads(line).values()) for line in capfd.readouterr().out.splitlines()]
    assert rows
    CHECKS[nth](rows, list(read(store)))


def test_the_document_has_the_ten_queries(capfd: pytest.CaptureFixture[str]) -> None:
    document = (Path(__file__).parents[2] / "docs" / "recorder.md").read_text()
    assert len(EXAMPLES) == 10
    for question, statement in EXAMPLES:
        assert f"{question}\n\n```sql\n{statement}\n```\n" in document
    assert cli.main(["sql", "--examples"]) == 0
    assert capfd.readouterr().out.count("-- ") == 10
