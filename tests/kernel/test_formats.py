"""The formats as the command writes them: what programs read is what happened."""

import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from support import truth
from support.command import run, status_text

from exitsnoop.cli.choice import DEFAULT_JSON
from exitsnoop.model.fields import COLLECTED, COLUMNS
from exitsnoop.model.status import signal_name

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "exit.schema.json").read_text())
ALL = ",".join(COLUMNS)
HOSTILE = [
    b"a\nb\r\n",
    b"\x1b[2J\x1b]0;title\x07",
    b"\"quoted\" 'single' `x` $y",
    b"\xff\xfe\x80 not UTF-8 \xc3",
    b"comma,semicolon;tab\tback\\slash\\n",
    "größe 日本 \u202e \x9b2J \u2028".encode(),
    b"",
    b" ",
    b"{%s} %d",
    b"=1+1",
]


def written(exitsnoop: str, path: Path, *words: str | bytes) -> bytes:
    """Return what exitsnoop writes to a file while it runs COMMAND."""
    subprocess.run(
        [exitsnoop, "--output", path, *words], capture_output=True, timeout=60, check=True
    )
    return path.read_bytes()


def storm(endings: Path, seed: int, told: object) -> list[str]:
    """Return a COMMAND of which 210 processes end in every way; cores stay in its directory."""
    return ["/bin/sh", "-c", f"cd {endings.parent}; exec {endings} storm 210 {seed} >{told}"]


def json_lines(text: str) -> list[dict[str, Any]]:
    """Return the lines, each of which is as the schema says."""
    validator = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
    records = [json.loads(line) for line in text.splitlines()]
    for record in records:
        validator.validate(record)
    return records


def keys_of(columns: list[str]) -> list[str]:
    keys = []
    for name in columns:
        keys += [name, f"{name}_truncated"] if f"{name}_truncated" in COLLECTED else [name]
    return keys


@pytest.mark.no_kernel
@pytest.mark.parametrize(
    ("options", "keys"),
    [
        ([], list(DEFAULT_JSON)),
        (["-t", "--utc"], list(DEFAULT_JSON)),
        (["-w", "-a"], [*DEFAULT_JSON, "cause", "args", "args_truncated"]),
        (["-a", "--why"], [*DEFAULT_JSON, "cause", "args", "args_truncated"]),
        (["-o", "comm,pid"], ["comm", "pid"]),
        (["-t", "-o", "comm"], ["time", "comm"]),
        (["-o", "pid", "-o", "+args,user"], ["pid", "args", "args_truncated", "user"]),
        (["--label", "-o", "pid"], ["label", "pid"]),
        (["--label=x", "-o", ALL], ["label", *keys_of(list(COLUMNS))]),
        (["--per-thread", "-o", ALL], keys_of(list(COLUMNS))),
    ],
)
def test_json_is_as_the_schema_says(
    exitsnoop: str, endings: Path, tmp_path: Path, options: list[str], keys: list[str]
) -> None:
    """Of processes that end in every way."""
    command = storm(endings, 7, "/dev/null")
    records = json_lines(
        written(exitsnoop, tmp_path / "rows", "--json", *options, "--", *command).decode("ascii")
    )
    assert len(records) >= 211
    assert {tuple(record) for record in records} == {tuple(keys)}


# It uses more memory than exitsnoop, which forks it: else its own peak is not known up to 6.15.
TELLS_OF_ITSELF = """\
import json, os, socket, sys
memory = b"x" * (128 << 20)
with open("/proc/self/comm") as comm, open("/proc/self/cgroup") as cgroup:
    facts = {"comm": comm.read().strip(), "cgroups": [l.strip().split(":", 2)[2] for l in cgroup]}
with open("/proc/self/cmdline") as args, open(f"/proc/{os.getppid()}/comm") as parent_comm:
    facts |= {"args": args.read().split("\\0")[:-1], "parent_comm": parent_comm.read().strip()}
facts |= {"pid": os.getpid(), "ppid": os.getppid(), "hostname": socket.gethostname()}
facts |= {"exe": os.readlink("/proc/self/exe"), "uid": os.getuid()}
with open("/proc/self/status") as lines:
    facts["kib"] = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
print(json.dumps(facts))
sys.stdout.flush()
os.kill(os.getpid(), 15)
"""


def test_the_values_are_those_of_the_process(exitsnoop: str) -> None:
    """Against /proc and the status of the command."""
    before, before_boot = time.time(), time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    result = run(exitsnoop, "--json", "-o", ALL, "--", sys.executable, "-c", TELLS_OF_ITSELF)
    after, after_boot = time.time(), time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    said, row = result.stdout.splitlines()
    (record,) = json_lines(row)
    facts = json.loads(said)
    assert result.returncode == 128 + signal.SIGTERM
    assert record["cgroup"] in facts.pop("cgroups")
    assert abs(record["max_rss"] / 1024 - facts.pop("kib")) < 1024
    assert {key: record[key] for key in facts} == facts
    expected = {
        "tid": facts["pid"],
        "exit": "signal 15 (TERM)",
        "exit_code": None,
        "signal": 15,
        "signal_name": "SIGTERM",
        "core_dumped": False,
        "status": 15,
        "last_thread": True,
        "args_truncated": False,
        "user": "root",
        "nspid": facts["pid"],
    }
    assert {key: record[key] for key in expected} == expected
    assert record["cause"]["kind"] == "self"
    assert record["ancestors"][:1] == [{"pid": facts["ppid"], "comm": facts["parent_comm"]}]
    assert os.getpid() in [ancestor["pid"] for ancestor in record["ancestors"]]
    assert before_boot < record["boot_ns"] < after_boot
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(before)), record["time"]
    assert at[0] <= at[1] <= time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(after + 1))
    assert 0 < record["age"] <= (after_boot - before_boot) / 1e9
    assert 0 < record["cpu_user"] + record["cpu_system"] <= record["age"] + 0.01


def test_csv_is_read_as_it_happened(exitsnoop: str, endings: Path, tmp_path: Path) -> None:
    happened = tmp_path / "happened"
    command = storm(endings, 3, happened)
    options = ["--csv", "--label=a,b", "-o", ALL]
    text = written(exitsnoop, tmp_path / "rows", *options, "--", *command).decode()
    assert text.count("\n") == text.count("\r\n")
    header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert header == ["label", *COLUMNS]
    assert {len(row) for row in rows} == {len(header)}
    records = [dict(zip(header, row, strict=True)) for row in rows]
    assert {record["label"] for record in records} == {"a,b"}
    (command_pid,) = {e.ppid for e in truth.parse(happened.read_text())}
    children = sorted((int(r["pid"]), r["exit"]) for r in records if r["ppid"] == str(command_pid))
    assert children == sorted(
        (e.pid, status_text(e.status, signal_name)) for e in truth.parse(happened.read_text())
    )


@pytest.mark.no_kernel
@pytest.mark.parametrize(
    ("options", "titles"),
    [
        (["-o", "pid,comm"], "PID PCOMM"),
        (["-o", "+args,user"], "PCOMM PID PPID TID AGE(s) EXIT_CODE ARGS USER"),
        (["-a"], "PCOMM PID PPID TID AGE(s) EXIT_CODE ARGS"),
        (["-w", "-a"], "PCOMM PID PPID TID AGE(s) EXIT_CODE CAUSE ARGS"),
        (["-a", "-w", "--label"], "LABEL PCOMM PID PPID TID AGE(s) EXIT_CODE CAUSE ARGS"),
        (["--cause", "exited"], "PCOMM PID PPID TID AGE(s) EXIT_CODE CAUSE"),
        (["--cause", "exited", "-o", "pid"], "PID"),
        (["--utc", "-o", "exit", "--label"], "TIME-UTC LABEL EXIT_CODE"),
    ],
)
def test_columns_of_the_table(exitsnoop: str, options: list[str], titles: str) -> None:
    result = run(exitsnoop, *options, "--", "true")
    header, row = result.stdout.splitlines()
    assert header.split() == titles.split()
    assert row


def test_help_on_columns_and_one_that_is_not_there(exitsnoop: str) -> None:
    result = run(exitsnoop, "-o", "help")
    assert (result.returncode, result.stderr) == (0, "")
    assert [line.split()[0] for line in result.stdout.splitlines()] == list(COLUMNS)
    result = run(exitsnoop, "-o", "pid,contaner")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.endswith("'contaner' is not a column; the nearest is 'container'\n")


@pytest.fixture(params=HOSTILE)
def hostile(request: pytest.FixtureRequest, endings: Path) -> tuple[bytes, list[bytes]]:
    """A name, and the command that has it as it ends, with hostile arguments."""
    name = request.param
    return name, [os.fsencode(endings), b"name", name, *HOSTILE, b"last"]


def assert_printable(text: str, *line_ends: str) -> None:
    assert not [c for c in text if not c.isprintable() and c not in line_ends]


@pytest.mark.no_kernel
def test_no_name_breaks_json(
    exitsnoop: str, hostile: tuple[bytes, list[bytes]], tmp_path: Path
) -> None:
    name, command = hostile
    text = written(exitsnoop, tmp_path / "rows", "--json", "-o", ALL, "--", *command)
    assert_printable(text.decode("ascii"), "\n")
    (record,) = json_lines(text.decode("ascii"))
    assert record["comm"] == name[:15].decode("utf-8", "replace")
    assert record["args"] == [word.decode("utf-8", "replace") for word in command]


@pytest.mark.no_kernel
def test_no_name_breaks_csv(
    exitsnoop: str, hostile: tuple[bytes, list[bytes]], tmp_path: Path
) -> None:
    _, command = hostile
    text = written(exitsnoop, tmp_path / "rows", "--csv", "-o", ALL, "--", *command).decode()
    assert_printable(text, "\r", "\n")
    assert text.count("\r") == text.count("\r\n") == text.count("\n") == 2
    header, row = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert len(header) == len(row) == len(COLUMNS)
    words = re.findall(r"(?:\\.|[^ ])+", row[header.index("args")], re.DOTALL)
    assert len(words) == len(command)


@pytest.mark.no_kernel
def test_no_name_breaks_the_table(
    exitsnoop: str, hostile: tuple[bytes, list[bytes]], tmp_path: Path
) -> None:
    _, command = hostile
    text = written(exitsnoop, tmp_path / "rows", "-a", "--", *command).decode()
    assert_printable(text, "\n")
    assert text.count("\n") == 2
    words = re.findall(r"(?:\\.|\S)+", text.splitlines()[1])
    assert words[-1] == "last"
    assert words[-len(command) - 1] == "0"  # EXIT_CODE


@pytest.mark.parametrize("form", ["--json", "--csv", "--label=x"])
def test_arguments_of_100_kib(exitsnoop: str, tmp_path: Path, form: str) -> None:
    """Shown as far as they were kept, or as a row has room for, and marked."""
    long = "x\n\x1b" * 34133
    text = written(exitsnoop, tmp_path / "rows", form, "-o", "args", "--", "true", long).decode()
    assert_printable(text, "\r", "\n")
    row = text.splitlines()[-1]
    if form == "--json":
        (record,) = json_lines(row)
        assert record["args_truncated"] is True
        assert ["true", long] != record["args"] == ["true", long[: len(record["args"][1])]]
        assert len(record["args"][1]) > 16000
    else:
        assert row.endswith(" ...")
        assert row.count("x\\n\\033") > 2000  # some 16,384 characters, with escapes


def test_json_says_how_many_were_lost(exitsnoop: str, endings: Path, tmp_path: Path) -> None:
    """Rows and losses are together all that ended while it was stopped."""
    count, path = 60_000, tmp_path / "rows"
    waker, storm = (tmp_path / f"{letter}{os.getpid()}" for letter in "ws")
    for program in (waker, storm):
        shutil.copy(endings, program)
    with path.open("w") as rows:
        names = f"{waker.name},{storm.name}"
        tracer = subprocess.Popen(
            [exitsnoop, "--json", "-n", names], stdout=rows, stderr=subprocess.PIPE, text=True
        )
        try:
            while not path.stat().st_size:  # not attached yet
                subprocess.run([waker, "name", waker.name], check=True)
                assert tracer.poll() is None
            tracer.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, tracer.pid, os.WSTOPPED)
            subprocess.run([storm, "vforks", str(count)], stdout=subprocess.DEVNULL, check=True)
            tracer.send_signal(signal.SIGCONT)
            tracer.send_signal(signal.SIGTERM)
            _, errors = tracer.communicate(timeout=60)
        finally:
            tracer.kill()
            tracer.communicate()
    records = [json.loads(line) for line in path.read_text().splitlines()]
    shown = sum(record.get("comm") == storm.name for record in records)
    losses = [json.dumps(record) for record in records if "lost" in record]
    lost = sum(record["lost"] for record in json_lines("\n".join(losses)))
    assert tracer.returncode == 74
    assert lost > 0
    assert shown + lost == count + 1
    assert f"exitsnoop: {lost} exits were lost in all; " in errors
