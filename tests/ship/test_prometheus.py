"""`exitsnoop ship --metrics`, `--metrics-file`: by HTTP, by promtool, by a real Prometheus."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import pytest
from support.command import UNPRIVILEGED
from support.machine import need_to_trace, times
from support.prometheus import (
    OPEN_METRICS,
    get,
    prometheus,
    recorded,
    responds,
    samples,
    shipping,
)
from support.recorded import START_NS, exits, record
from support.recorder import recording
from support.services import free_port, listens, need_program, service
from support.waiting import until

from exitsnoop.model.batch import Exits
from exitsnoop.model.cause import Cause
from exitsnoop.ship.counts import Counts
from exitsnoop.ship.gatherer import Gatherer, Standing, registry
from exitsnoop.ship.workloads import MOST


def made(numbers: range, **columns: Any) -> Exits:
    """Return exits that ended just now, each of several units."""
    units = [f"/system.slice/job@{number % 3}.service" for number in numbers]
    columns = {"cgroup": units, **columns}
    return exits(numbers, time.time_ns() - START_NS - 10_000_000_000, **columns)


STORM = """
for nth in $(seq 40); do ./deathsx -c 'exit 3'; ./deathsx -c 'exit 0'; done
for nth in $(seq 10); do ./deathsx -c 'kill -KILL $$'; ./deathsx -c 'kill -SEGV $$'; done
"""


@pytest.mark.timeout(1800)
def test_a_real_prometheus_has_the_counts_of_the_recording(
    exitsnoop: str, store: Path, tmp_path: Path
) -> None:
    """Processes end, and are recorded; ship is killed and started again, and nothing is missing."""
    need_to_trace("a recording")
    shutil.copy("/bin/sh", tmp_path / "deathsx")
    port = free_port()
    ended = 0
    with (
        prometheus(tmp_path, {"exitsnoop": port}) as server,
        recording(exitsnoop, store, "--name", "deathsx"),
    ):
        for _ in range(times(1)):
            with shipping(exitsnoop, store, "--metrics", f"127.0.0.1:{port}") as ship:
                server.until("sum(exitsnoop_exits_total)", {"": ended})
                subprocess.run(["sh", "-c", STORM], cwd=tmp_path, stderr=DEVNULL, check=False)
                ended += 100
                server.until("sum(exitsnoop_exits_total)", {"": ended})
                deaths = "SELECT cause, count(*) FROM exits WHERE failed GROUP BY 1"
                expected = recorded(store, deaths)
                server.until("sum(exitsnoop_deaths_total) by (cause) > 0", expected)
                signals = "SELECT signal_name, count(*) FROM exits WHERE signal GROUP BY 1"
                server.until("exitsnoop_signals_total > 0", recorded(store, signals))
                ship.kill()
                ship.wait()
            subprocess.run(["sh", "-c", STORM], cwd=tmp_path, stderr=DEVNULL, check=False)
            ended += 100
        with shipping(exitsnoop, store, "--metrics", f"127.0.0.1:{port}"):
            server.until("sum(exitsnoop_exits_total)", {"": ended})
            server.until("exitsnoop_ship_lag_seconds", {"metrics": 0})
            server.until(
                'exitsnoop_ship_records_total{outcome="delivered"}', {"delivered metrics": ended}
            )
            assert server.ask("exitsnoop_recorder_running") == {"": 1}
            assert server.ask("sum(resets(exitsnoop_exits_total[1h]))") == {"": 0}
            assert server.ask("sum(resets(exitsnoop_deaths_total[1h]))") == {"": 0}


def test_a_new_series_is_0_once() -> None:
    """Then its first value is an increase."""
    counts = Counts()
    standing = Standing("1", 0, is_recorded=True)
    gatherer = Gatherer(counts, lambda: standing, dict, time.time_ns)
    counts.add(made(range(5, 6), cgroup="/x.slice/a.service", cause=Cause("pipe", ""), status=13))

    def value() -> float | None:
        labels = {"cause": "pipe", "namespace": "", "workload": "a.service"}
        return registry(gatherer).get_sample_value("exitsnoop_deaths_total", labels)

    assert [value(), value()] == [0, 1]
    gatherer.go_on(Counts(counts.state()))
    assert value() == 1


def test_10_000_workloads_stay_within_the_bound(
    exitsnoop: str, store: Path, tmp_path: Path
) -> None:
    """The last of them is seen to loop, too; a scrape takes less than a second."""
    port = free_port()
    numbers = range(1, 10_001)
    units = [f"/system.slice/job{number:05}x.service" for number in numbers]
    record(store, made(numbers, cgroup=units, status=[256] * len(units)))
    with (
        prometheus(tmp_path, {"exitsnoop": port}) as server,
        shipping(exitsnoop, store, "--metrics", f"127.0.0.1:{port}"),
    ):
        server.until("sum(exitsnoop_deaths_total)", {"": 10_000})
        workloads = "count(count by (workload) (exitsnoop_deaths_total))"
        assert server.ask(workloads) == {"": MOST + 2}
        others = 'exitsnoop_deaths_total{workload="other"} > 0'
        assert sum(server.ask(others).values()) == 10_000 - MOST
        assert server.ask("scrape_samples_scraped < 7000")
        until(lambda: bool(server.ask("scrape_duration_seconds < 1")))  # others have the CPUs, too


@pytest.fixture(scope="module")
def url(exitsnoop: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Where the metrics of a recording are."""
    store = tmp_path_factory.mktemp("metrics") / "store"
    evil = [b'a"\n\\{\x1b}'.ljust(16, b"\0")] * 6
    record(store, made(range(5, 35, 5), raw_comm=evil))
    port = free_port()
    with shipping(exitsnoop, store, "--metrics", f"127.0.0.1:{port}"):
        until(lambda: responds(f"http://127.0.0.1:{port}/metrics"))
        yield f"http://127.0.0.1:{port}/metrics"


def test_promtool_has_nothing_to_say_against_the_names(url: str) -> None:
    words = [need_program("promtool"), "check", "metrics"]
    run = subprocess.run(words, input=get(url), capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_exemplars_name_the_process_that_counted_last(url: str) -> None:
    """Only OpenMetrics has them. A name of a process cannot break a line."""
    assert " # {" not in get(url)
    text = get(url, OPEN_METRICS)
    assert text.endswith("# EOF\n")
    (line,) = [
        line
        for line in text.splitlines()
        if line.startswith("exitsnoop_deaths_total") and "pid" in line
    ]
    assert 'workload="job@.service"} 6.0 # {comm="a\\"\\n\\\\{\x1b}",pid="30"} 1.0 1' in line
    assert samples(text)['exitsnoop_exits_total{cause="exited",result="code"}'] == 6


def test_a_client_that_says_nothing_keeps_nobody_waiting(url: str) -> None:
    port = int(url.rpartition(":")[2].partition("/")[0])
    with (
        socket.create_connection(("127.0.0.1", port), 60),
        socket.create_connection(("127.0.0.1", port), 60) as half,
    ):
        half.sendall(b"GET /met")
        assert responds(url)


def test_it_needs_no_privileges_and_ends_soon(exitsnoop: str, store: Path) -> None:
    record(store, made(range(1, 101)))
    for path in (store, *store.iterdir()):
        os.chown(path, 65534, 65534)
    port = free_port()
    state = store.with_name("store-ship")
    state.mkdir()
    os.chown(state, 65534, 65534)
    words = [*UNPRIVILEGED, exitsnoop, "ship", "--store", str(store)]
    words += ["--state", str(state), "--metrics", f"127.0.0.1:{port}"]
    ship = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: responds(f"http://127.0.0.1:{port}/metrics"))
        began = time.monotonic()
        ship.send_signal(signal.SIGTERM)
        _, said = ship.communicate(timeout=60)
        assert ship.returncode == 0, said
        assert time.monotonic() - began < 10
    finally:
        ship.kill()
        ship.communicate()


@pytest.mark.parametrize("options", [["--metrics", "127.0.0.1:0"], ["--metrics-file", "x.prom"]])
def test_where_it_may_start_no_thread_it_says_so(
    exitsnoop: str, store: Path, tmp_path: Path, options: list[str]
) -> None:
    record(store, made(range(1, 101)))
    for path in (store, *store.iterdir(), tmp_path):
        os.chown(path, 65534, 65534)
    words = ["prlimit", "--nproc=0:0", *UNPRIVILEGED, exitsnoop, "ship", "--store", str(store)]
    words += ["--state", str(tmp_path / "state"), *options]
    run = subprocess.run(
        words, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False
    )
    assert run.returncode == 70
    assert run.stderr.splitlines()[-1].startswith("exitsnoop: this process may start no thread")


def test_the_node_exporter_reads_the_file(exitsnoop: str, store: Path, tmp_path: Path) -> None:
    record(store, made(range(1, 101)))
    directory = tmp_path / "textfile"
    directory.mkdir()
    file, port = directory / "exitsnoop.prom", free_port()
    options = ("--metrics-file", str(file), "--once")
    with shipping(exitsnoop, store, *options) as ship:
        assert ship.wait(timeout=60) == 0
    assert file.stat().st_mode & 0o777 == 0o644
    assert list(directory.iterdir()) == [file]
    words = [
        need_program("prometheus-node-exporter"),
        f"--web.listen-address=127.0.0.1:{port}",
        "--collector.disable-defaults",
        "--collector.textfile",
        f"--collector.textfile.directory={directory}",
    ]
    with service(words, lambda: listens(port)):
        text = get(f"http://127.0.0.1:{port}/metrics")
    found = samples(text)
    assert found["node_textfile_scrape_error"] == 0
    assert found['exitsnoop_exits_total{cause="exited",result="ok"}'] == 80
    assert f'node_textfile_mtime_seconds{{file="{file}"}}' in found


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--metrics", "9787"], 2, "'9787' is not ADDRESS:PORT"),
        (["--metrics", "::1:9787"], 2, "put the address in brackets"),
        (["--metrics", "127.0.0.1:99999"], 2, "is not ADDRESS:PORT"),
        (["--metrics", "a..b:9787"], 2, "there can be no host of this name"),
        (["--metrics", f"{'a' * 64}:9787"], 2, "there can be no host of this name"),
        (["--metrics", "\udcff:9787"], 2, "there can be no host of this name"),
        (["--metrics-file", ""], 2, "--metrics-file: name a file"),
        (["--metrics-file", "/"], 2, "--metrics-file: name a file"),
        (["--metrics", "192.0.2.1:9787"], 74, "Cannot assign requested address"),
        (["--metrics-file", "/no/such/directory/x.prom"], 74, "/no/such/directory"),
        ([], 2, "name a destination"),
    ],
)
def test_what_cannot_be_done_is_refused_at_once(
    exitsnoop: str, store: Path, options: list[str], status: int, words: str
) -> None:
    record(store, made(range(1, 11)))
    with shipping(exitsnoop, store, *options) as ship:
        _, said = ship.communicate(timeout=60)
    assert ship.returncode == status
    assert words in said
    assert "Traceback" not in said


def test_without_the_library_it_says_what_to_install(
    exitsnoop: str, store: Path, tmp_path: Path
) -> None:
    record(store, made(range(1, 11)))
    (tmp_path / "prometheus_client.py").write_text("raise ImportError('none', name=__name__)\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    words = [exitsnoop, "ship", "--store", str(store), "--metrics", "127.0.0.1:0"]
    run = subprocess.run(
        words, capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert run.returncode == 2
    assert run.stderr.splitlines()[-1].endswith("pip install 'exitsnoop[prometheus]'")
