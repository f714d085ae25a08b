"""`exitsnoop export --jsonl`, and what `exitsnoop export` refuses."""

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest
from support.recorded import exits, record, writer

from exitsnoop.cli import main
from exitsnoop.fleet.columns import EXITS


def export(store: Path, *words: str) -> int:
    return main(["export", "--store", str(store), *words])


def test_a_file_and_what_was_recorded_beside_it(store: Path, tmp_path: Path) -> None:
    recorder = writer(store)
    recorder.add(exits(range(100)), 7)
    recorder.close()
    to = tmp_path / "exits.jsonl"
    to.write_text("old\n")
    assert export(store, "--jsonl", str(to), "-x") == 74  # seven are missing
    rows = [json.loads(line) for line in to.read_text().splitlines()]
    assert [row["pid"] for row in rows] == list(range(0, 100, 5))
    names = [column.name for column in EXITS]
    assert [*rows[0]] == [name for name in names if name in rows[0]]
    assert rows[0]["time"] == "2026-09-21T15:36:40.000000Z"
    assert (rows[0]["host"], rows[0]["cause_sender_args"]) == ("web1", ["x"])
    beside = [
        json.loads(line) for line in (tmp_path / "exits.jsonl.coverage").read_text().splitlines()
    ]
    assert [(row["kind"], row.get("lost")) for row in beside][:2] == [
        ("recorded", None),
        ("lost", 7),
    ]
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("exits*")} == {0o600}
    assert {path.name for path in tmp_path.iterdir()} == {"exits.jsonl", "exits.jsonl.coverage"}


def test_standard_output(store: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    record(store, exits(range(3)))
    assert export(store, "--jsonl", "-", "--coverage", str(tmp_path / "c"), "--cluster", "x") == 0
    out, err = capfd.readouterr()
    assert [json.loads(line)["cluster"] for line in out.splitlines()] == ["x"] * 3
    assert "nothing was recorded since" in err
    assert json.loads((tmp_path / "c").read_text().splitlines()[0])["kind"] == "recorded"


def test_a_pipe_is_written_to_not_replaced(store: Path, tmp_path: Path, exitsnoop: str) -> None:
    record(store, exits(range(3)))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    command = [exitsnoop, "export", "--store", str(store), "--jsonl", str(pipe)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        assert len(pipe.read_text().splitlines()) == 3
    assert process.returncode == 0
    assert pipe.is_fifo()


def test_a_reader_that_leaves_ends_it(store: Path, exitsnoop: str) -> None:
    record(store, exits(range(30_000)))
    command = [exitsnoop, "export", "--store", str(store), "--jsonl", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name one: a DIRECTORY for a copy, --parquet DIR, or --jsonl FILE"),
        (("copy", "--jsonl", "-"), "name one: a DIRECTORY for a copy"),
        (("copy", "-x"), "a copy has everything: only --parquet and --jsonl leave something out"),
        (("copy", "--no-args"), "a copy has everything"),
        (("copy", "--since", "1h"), "a copy has everything"),
        (("copy", "--coverage", "c"), "argument --coverage: it belongs to --jsonl"),
        (("--parquet", "p", "--coverage", "c"), "argument --coverage: it belongs to --jsonl"),
        (("--jsonl", "f", "--cluster", "\udcff"), "argument --cluster: '\\udcff' is not UTF-8"),
        (("--jsonl", "f", "--redact", "("), "argument --redact: '(' is not a regular expression"),
    ],
)
def test_what_makes_no_sense(
    store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    said: str,
) -> None:
    record(store, exits(range(3)))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        export(store, *words)
    assert ended.value.code == 2
    assert said in capfd.readouterr().err
    assert not list(tmp_path.iterdir())


def test_nothing_was_recorded_then(store: Path, tmp_path: Path) -> None:
    record(store, exits(range(3)))
    assert export(store, "--jsonl", str(tmp_path / "f"), "--until", "2001-01-01") == 3
    assert not (tmp_path / "f").exists()


def test_a_directory_that_is_not_writable(
    store: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    record(store, exits(range(3)))
    (tmp_path / "file").touch()
    assert export(store, "--jsonl", str(tmp_path / "file" / "f")) == 74
    assert "exitsnoop: cannot write" in capfd.readouterr().err


def test_only_duckdb_reads_files(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["schema", "clickhouse", "--parquet", "x"])
    assert "only the tables of duckdb read files" in capfd.readouterr().err
