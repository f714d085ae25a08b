"""`exitsnoop ship` as a command: its options, its end, its rights."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command import run
from support.machine import within
from support.otlp import OK, Handler, Received, answer, partial, receiving
from support.recorded import START_NS, record, without_rights, writer
from support.shipping import AGO_NS, made

from exitsnoop import cli
from exitsnoop.store.directory import adm

USAGE, NOT_RECORDED, LOST = 2, 3, 74


def words(store: Path, *more: str) -> list[str]:
    """Return the words of a command that delivers a recording."""
    return ["ship", "--store", str(store), "--state", str(store.parent / "state"), *more]


def ship(
    exitsnoop: str, store: Path, *more: str, env: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Deliver all that is there."""
    return run(exitsnoop, *words(store, "--once", *more), env={**os.environ, **(env or {})})


@contextlib.contextmanager
def shipping(exitsnoop: str, store: Path, *more: str) -> "Iterator[subprocess.Popen[str]]":
    """Deliver until the block ends."""
    process = subprocess.Popen([exitsnoop, *words(store, *more)], stderr=subprocess.PIPE, text=True)
    with process:
        try:
            yield process
        finally:
            process.kill()


def pids(records: list[Received]) -> list[int]:
    """Return the PIDs of records."""
    return [one.attributes["process.pid"] for one in records]


def test_failures_by_default_all_if_asked(exitsnoop: str, store: Path) -> None:
    record(store, made(range(1, 101)))
    with receiving() as receiver:
        failed = ship(exitsnoop, store, "--otlp", receiver.url)
        assert pids(receiver.records) == list(range(5, 101, 5))
        assert failed.returncode == 0
        url = f"{receiver.url}/v1/logs"
        assert failed.stderr == f"exitsnoop: otlp {url}: 20 delivered, 0 s behind\n"
    with receiving() as receiver:
        more = ["--select", "all", "--cluster", "blue"]
        ship(exitsnoop, store, *more, "--otlp", env={"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url})
        assert pids(receiver.records) == list(range(1, 101))
        assert receiver.records[0].resource["k8s.cluster.name"] == "blue"


@pytest.mark.parametrize(
    ("more", "args", "of_sender"),
    [
        ([], None, None),
        (["--args"], ["job", "50"], ["x"]),
        (["--args", "--redact", "5|x"], ["job", "***0"], ["***"]),
    ],
)
def test_arguments(
    exitsnoop: str,
    store: Path,
    more: list[str],
    args: list[str] | None,
    of_sender: list[str] | None,
) -> None:
    record(store, made(range(50, 51)))
    with receiving() as receiver:
        ship(exitsnoop, store, "--otlp", receiver.url, *more)
    (one,) = receiver.records
    assert one.attributes.get("process.command_args") == args
    assert one.attributes.get("exitsnoop.sender.args") == of_sender


def test_headers_come_from_a_file(exitsnoop: str, store: Path, tmp_path: Path) -> None:
    record(store, made(range(1, 11)))
    token = tmp_path / "token"
    token.write_text("Authorization: Bearer secret\n")
    with receiving() as receiver:
        ship(exitsnoop, store, "--otlp", receiver.url, "--header", f"@{token}")
    assert receiver.requests[0]["Authorization"] == "Bearer secret"
    wrong = ship(exitsnoop, store, "--otlp", "--header", "Authorization: Bearer secret")
    assert wrong.returncode == USAGE
    assert "write it to a file, and give @FILE" in wrong.stderr
    assert "secret" not in wrong.stderr


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ([], "name a destination: --otlp"),
        (["--cluster", "blue"], "--cluster is for --otlp"),
        (["--otlp", "collector"], "'collector' is not the address of a receiver"),
        (["--otlp", "--redact", "x"], "--redact is for --args"),
        (["--otlp", "--args", "--redact", "("], "argument --redact: '(' is not a regular"),
        (["--otlp", "--max-lag", "soon"], "argument --max-lag: 'soon' is not a duration"),
        (["--otlp", "--ca", "/none.pem"], "cannot read"),
    ],
)
def test_usage(exitsnoop: str, store: Path, more: list[str], message: str) -> None:
    if "--ca" in more:
        more = ["--otlp", "https://localhost", "--ca", "/none.pem"]
    found = ship(exitsnoop, store, *more)
    assert found.returncode == USAGE
    assert message in found.stderr


def test_without_the_library(store: Path) -> None:
    script = "import sys; sys.modules['opentelemetry'] = None; from exitsnoop.cli import main"
    command = [sys.executable, "-c", f"{script}; main(sys.argv[1:])"]
    found = run(*command, *words(store, "--otlp"))
    assert found.returncode == USAGE
    assert "--otlp needs a library: pip install 'exitsnoop[otlp]'" in found.stderr


def test_without_a_recording(exitsnoop: str, store: Path) -> None:
    assert ship(exitsnoop, store, "--otlp").returncode == NOT_RECORDED


def test_what_is_rejected_is_in_the_status(exitsnoop: str, store: Path) -> None:
    record(store, made(range(1, 101)))
    with receiving(partial(3, "too old \x1b[2J")) as receiver:
        found = ship(exitsnoop, store, "--otlp", receiver.url)
    assert found.returncode == LOST
    name = f"exitsnoop: otlp {receiver.url}/v1/logs"
    assert found.stderr.splitlines() == [
        f"{name}: 3 records were rejected, for good: too old \\033[2J",
        f"{name}: 17 delivered, 3 rejected, 0 s behind",
    ]


def test_a_cursor_that_cannot_be_written(exitsnoop: str, store: Path) -> None:
    record(store, made(range(1, 11)))
    (store.parent / "state").write_text("a file")
    found = ship(exitsnoop, store, "--otlp")
    assert found.returncode == LOST
    assert "name one that is (--state)" in found.stderr


def test_what_comes_is_delivered_until_the_end(exitsnoop: str, store: Path) -> None:
    recorder = writer(store, since_ns=START_NS + AGO_NS)
    recorder.add(made(range(1, 6)))
    recorder.commit()
    with receiving() as receiver, shipping(exitsnoop, store, "--otlp", receiver.url) as process:
        assert receiver.arrived.wait(60)
        receiver.arrived.clear()
        recorder.add(made(range(6, 11)))
        recorder.commit()
        assert receiver.arrived.wait(60)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    recorder.close()
    assert process.returncode == 0
    assert pids(receiver.records) == [5, 10]
    assert "2 delivered, 0 s behind" in said


def test_it_ends_soon_though_no_answer_comes(exitsnoop: str, store: Path) -> None:
    record(store, made(range(1, 11)))

    def nothing(handler: Handler) -> None:
        receiver.arrived.set()
        handler.connection.recv(1)
        handler.close_connection = True

    with receiving(nothing) as receiver:
        with shipping(exitsnoop, store, "--otlp", receiver.url) as process:
            assert receiver.arrived.wait(60)
            started = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
            # Within 2 s on an idle machine; an answer would be waited for 10 s.
            assert time.monotonic() - started < within(6.0)
        assert ship(exitsnoop, store, "--otlp", receiver.url).returncode == 0
    assert pids(receiver.records) == [5, 10]


def test_a_second_one_is_refused(exitsnoop: str, store: Path) -> None:
    record(store, made(range(1, 11)))
    with receiving() as receiver, shipping(exitsnoop, store, "--otlp", receiver.url):
        assert receiver.arrived.wait(60)
        second = ship(exitsnoop, store, "--otlp", receiver.url)
        assert second.returncode == USAGE
        assert "another exitsnoop ship delivers to" in second.stderr
        assert ship(exitsnoop, store, "--otlp", f"{receiver.url}/2").returncode == 0


@pytest.mark.usefixtures("as_root")
def test_the_group_adm_may_run_it(store: Path) -> None:
    record(store, made(range(1, 11)))
    state = store.parent / "state"
    state.mkdir()
    state.chmod(0o777)
    group = adm()
    assert group is not None

    def deliver() -> None:
        assert cli.main(words(store, "--once", "--otlp", receiver.url)) == 0

    with receiving(OK) as receiver:
        without_rights(deliver, groups=(group,))
    assert pids(receiver.records) == [5, 10]


def test_it_works_without_the_extension(store: Path) -> None:
    """It runs on a machine where BPF is not possible."""
    record(store, made(range(1, 11)))
    script = (
        "import sys\n"
        "sys.modules['exitsnoop._native'] = None\n"
        "from exitsnoop.cli import main\n"
        "assert main(sys.argv[1:]) == 0"
    )
    with receiving(answer(503, Retry_After="0"), OK) as receiver:
        command = [sys.executable, "-c", script, *words(store, "--once", "--otlp", receiver.url)]
        subprocess.run(command, check=True, timeout=60)
    assert pids(receiver.records) == [5, 10]
