"""`exitsnoop export --parquet`: the files, and that their readers see what `past --json` shows."""

import datetime
import json
import os
import stat
import subprocess
import time
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.dataset
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.any_exits import made_up
from support.disks import small_disk
from support.fakes import HOSTILE
from support.recorded import BOOT, FUZZ, OFFSET_NS, SECOND_NS, START_NS, exits, record, writer

from exitsnoop import Exit
from exitsnoop.cli import main
from exitsnoop.model.batch import Exits
from exitsnoop.model.cause import Cause, Sender
from exitsnoop.model.fields import COLUMNS, FIELDS

DAY_NS = 86_400 * SECOND_NS
KILLED = Cause("killed", "killed", Sender(7, 1, "x", 0, ("x", "token=abc")), "kill")


def export(store: Path, to: Path, *words: str) -> int:
    return main(["export", "--store", str(store), "--parquet", str(to), *words])


def files(to: Path) -> list[Path]:
    return sorted(to.glob("date=*/host=*/*.parquet"))


def rows_of(to: Path) -> list[dict[str, Any]]:
    """The rows of all files, by pyarrow, without what is unknown."""
    table = pyarrow.dataset.dataset(files(to), format="parquet").to_table()
    return [plain(row) for row in table.sort_by("boot_ns").to_pylist()] if table else []


def plain(row: dict[str, Any]) -> dict[str, Any]:
    when = row["time"].astimezone(datetime.timezone.utc)
    row["time"] = when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {name: cell for name, cell in row.items() if cell is not None}


def past(store: Path, capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What `past --json` shows of every field, with a column's name for each part of a cause."""
    capfd.readouterr()
    main(["past", "--store", str(store), "--json", "-o", ",".join(COLUMNS)])
    records = map(json.loads, capfd.readouterr().out.splitlines())
    return [flat(one) for one in records if "pid" in one]


def flat(record: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, known in record.items():
        name = f"{prefix}{key}"
        if isinstance(known, dict):
            found |= flat(known, f"{name}_")
        elif known is not None:
            found[name] = min(known, 2**63 - 1) if key == "limit" else known
    renamed = {"cause_kind": "cause", "container_id": "container"}
    return {renamed.get(name, name): known for name, known in found.items()}


def assert_same(rows: list[dict[str, Any]], shown: list[dict[str, Any]]) -> None:
    """Each field is the same; what a fleet adds is beside it."""
    added = {"cluster", "workload", "host", "host_id", "boot_id", "kernel", "failed", "date"}
    kept = [{name: row[name] for name in row if name not in added} for row in rows]
    expected = sorted(shown, key=lambda one: int(one["boot_ns"]))
    assert len(kept) == len(expected)
    for row, one in zip(kept, expected, strict=True):
        assert {name: row.get(name) for name in {*row, *one}} == {
            name: one.get(name) for name in {*row, *one}
        }


@settings(FUZZ, max_examples=-(-FUZZ.max_examples // 3))
@given(st.lists(made_up, min_size=1, max_size=20, unique_by=lambda one: one.boot_ns))
def test_fuzz_every_field_is_that_of_past(
    tmp_path_factory: pytest.TempPathFactory, made: list[Exit]
) -> None:
    directory = tmp_path_factory.mktemp("fuzz")
    batch = Exits.of(sorted(made, key=lambda one: one.boot_ns))  # of one boot, and one day
    batch = batch.replace(wall_ns=[boot_ns + OFFSET_NS for boot_ns in batch.column("boot_ns")])
    record(directory / "store", batch, since_ns=10**12 - SECOND_NS)
    with pytest.MonkeyPatch.context() as patch:
        written: list[str] = []
        patch.setattr(
            "exitsnoop.cli.output.Output.write", lambda _, text, **__: written.append(text)
        )
        main(["past", "--store", str(directory / "store"), "--json", "-o", ",".join(COLUMNS)])
    shown = [flat(json.loads(line)) for line in "".join(written).splitlines()]
    assert export(directory / "store", directory / "to") == 0
    assert_same(rows_of(directory / "to"), [one for one in shown if "pid" in one])


def test_duckdb_reads_every_field(
    store: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    numbers = range(len(HOSTILE))
    record(
        store,
        exits(
            numbers,
            exe=list(HOSTILE),
            cgroup=[f"/system.slice/docker-{'0123456789abcdef' * 4}.scope", *HOSTILE[1:]],
            args=[(text, text) for text in HOSTILE],
            cause=[KILLED._replace(text=text) for text in HOSTILE],
        ),
    )
    assert export(store, tmp_path / "to") == 0
    assert main(["schema", "duckdb", "--parquet", str(tmp_path / "to")]) == 0
    connection = duckdb.connect()
    connection.execute(capfd.readouterr().out)
    found = connection.execute("SELECT * FROM exits ORDER BY boot_ns")
    names = [name for name, *_ in found.description or ()]
    rows = [plain(dict(zip(names, row, strict=True))) for row in found.fetchall()]
    assert_same(rows, past(store, capfd))
    assert rows[0]["boot_id"] == BOOT.boot_id
    assert rows[0]["workload"] == "docker"


def test_a_directory_for_each_date_and_machine(store: Path, tmp_path: Path) -> None:
    """A machine that was renamed has two; a name is escaped."""
    midnight_ns = (OFFSET_NS // DAY_NS + 2) * DAY_NS
    offset_ns = midnight_ns - START_NS - 5000
    record(store, exits(range(10), offset_ns), boot=BOOT._replace(began_ns=offset_ns))
    other = BOOT._replace(boot_id="0d9c7b1e-0000-4000-8000-000000000002", hostname="a/b=c")
    later_ns = offset_ns + DAY_NS
    record(store, exits(range(3), later_ns), boot=other._replace(began_ns=later_ns))
    assert export(store, tmp_path / "to") == 0
    dates = [
        time.strftime("date=%Y-%m-%d", time.gmtime(midnight_ns // SECOND_NS + day * 86_400))
        for day in (-1, 0, 1)
    ]
    found = {
        str(path.parent.relative_to(tmp_path / "to")): pyarrow.parquet.read_metadata(path).num_rows
        for path in files(tmp_path / "to")
    }
    assert sorted(found) == [
        f"{dates[0]}/host=web1",
        f"{dates[1]}/host=a%2Fb%3Dc",
        f"{dates[1]}/host=web1",
    ]
    assert sorted(found.values()) == [3, 5, 5]
    table = pyarrow.parquet.read_table(tmp_path / "to")  # what was recorded is left out
    assert set(table["host"].to_pylist()) == {"web1", "a/b=c"}
    assert len(table) == 13


def test_the_same_again_replaces_it_and_less_does_not(store: Path, tmp_path: Path) -> None:
    record(store, exits(range(100)))
    assert export(store, tmp_path / "to") == 0
    before = files(tmp_path / "to")
    assert export(store, tmp_path / "to") == 0
    assert files(tmp_path / "to") == before
    assert export(store, tmp_path / "to", "-x") == 0
    assert len(files(tmp_path / "to")) == 2
    assert {pyarrow.parquet.read_metadata(path).num_rows for path in files(tmp_path / "to")} == {
        100,
        20,
    }


def test_filters_and_times(store: Path, tmp_path: Path) -> None:
    recorder = writer(store)
    recorder.add(exits(range(100), boot_ns=[START_NS + n * SECOND_NS for n in range(100)]))
    recorder.close()
    since = (OFFSET_NS + START_NS) // SECOND_NS + 50
    assert export(store, tmp_path / "to", "--since", f"@{since}", "-x") == 0
    assert [row["pid"] for row in rows_of(tmp_path / "to")] == list(range(50, 100, 5))


def test_only_the_owner_reads_arguments(store: Path, tmp_path: Path) -> None:
    record(store, exits(range(3), args=[("job", "token=abc")] * 3, cause=KILLED))
    before = os.umask(0o022)
    try:
        assert export(store, tmp_path / "all", "--redact", "token=(\\S+)") == 0
        assert export(store, tmp_path / "none", "--no-args") == 0
    finally:
        os.umask(before)
    (row, *_) = rows_of(tmp_path / "all")
    assert row["args"] == ["job", "token=***"]
    assert row["cause_sender_args"] == ["x", "token=***"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files(tmp_path / "all")} == {0o600}
    (row, *_) = rows_of(tmp_path / "none")
    assert not {"args", "cause_sender_args"} & row.keys()
    assert {stat.S_IMODE(path.stat().st_mode) for path in files(tmp_path / "none")} == {0o644}


def test_what_was_recorded_is_beside_it(store: Path, tmp_path: Path) -> None:
    recorder = writer(store)
    recorder.add(exits(range(10)), 7)
    recorder.close()
    later = writer(store, since_ns=START_NS + 60 * SECOND_NS)
    later.add(exits(range(3), boot_ns=[START_NS + 61 * SECOND_NS] * 3))
    later.close()
    assert export(store, tmp_path / "to") == 74  # seven exits are missing
    rows = pyarrow.parquet.read_table(tmp_path / "to" / "_coverage").to_pylist()
    assert [(row["kind"], row["why"], row["lost"]) for row in rows] == [
        *[("recorded", "stopped", None), ("lost", "overflow", 7), ("nothing", "stopped", None)],
        *[("recorded", "stopped", None), ("nothing", "stopped", None)],
    ]
    assert {(row["host"], row["host_id"]) for row in rows} == {("web1", "m1")}
    gap = rows[2]
    assert (gap["to_time"] - gap["from_time"]).total_seconds() == pytest.approx(60, abs=0.1)


@pytest.mark.usefixtures("as_root")
def test_the_disk_is_full(store: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing is left of it."""
    record(store, exits(range(9000), args=[(os.urandom(150).hex(),) for _ in range(9000)]))
    with small_disk(tmp_path / "disk", 1) as disk:
        assert export(store, disk / "to") == 74
        assert not [path for path in disk.rglob("*") if path.is_file()]
    assert "exitsnoop: cannot write" in capfd.readouterr().err


def test_what_ends_it_leaves_no_file(store: Path, tmp_path: Path, exitsnoop: str) -> None:
    """SIGTERM removes what is half written; what kill -9 leaves has another name."""
    record(store, exits(range(30_000)))
    for number, to in ((15, tmp_path / "ended"), (2, tmp_path / "told"), (9, tmp_path / "killed")):
        command = [exitsnoop, "export", "--store", str(store), "--parquet", str(to)]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            while not list(to.rglob(".exitsnoop-*")) and process.poll() is None:
                time.sleep(0.01)
            process.send_signal(number)
        assert process.returncode == {15: 143, 2: 130, 9: -9}[number]
        assert not files(to)
        assert len([path for path in to.rglob("*") if path.is_file()]) == (number == 9)


def test_without_pyarrow(store: Path, tmp_path: Path, exitsnoop: str) -> None:
    record(store, exits(range(3)))
    (tmp_path / "pyarrow.py").write_text("raise ModuleNotFoundError(name='pyarrow')")
    run = subprocess.run(
        [exitsnoop, "export", "--store", store, "--parquet", tmp_path / "to"],
        env={"PYTHONPATH": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.returncode == 2
    assert run.stderr == (
        "exitsnoop: --parquet needs pyarrow, which is missing: pip install 'exitsnoop[parquet]'\n"
    )
    assert not (tmp_path / "to").exists()


def test_there_is_a_column_for_every_field() -> None:
    from exitsnoop.fleet.columns import EXITS
    from exitsnoop.store.schema import VIEW

    names = [column.name for column in EXITS]
    assert len(set(names)) == len(names)
    assert {field.name for field in FIELDS.values() if field.title} <= {*names}
    assert {*names} - {*VIEW} == {"cluster", "workload", "host", "host_id", "kernel"}
    assert {*VIEW} - {*names} == {"id"}
