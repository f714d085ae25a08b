"""A real Prometheus that scrapes, and the real `exitsnoop ship` for it."""

import contextlib
import json
import re
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from exitsnoop.store.recording import Recording
from support.services import free_port, need_program, service
from support.waiting import until

_DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


def get(url: str, accept: str = "text/plain") -> str:
    """Return what is at a URL of this machine."""
    request = urllib.request.Request(url, headers={"Accept": accept})
    with _DIRECTLY.open(request, timeout=60) as answer:
        text: str = answer.read().decode()
    return text


class Prometheus:
    """A Prometheus that runs, and scrapes every second."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1/query?"

    def ask(self, expression: str) -> dict[str, float]:
        """Return the value of each series, by its labels in their order: "fault api.service"."""
        text = get(self._url + urllib.parse.urlencode({"query": expression}))
        found = {}
        for series in json.loads(text)["data"]["result"]:
            labels = {
                name: label
                for name, label in series["metric"].items()
                if name not in ("__name__", "instance", "job")
            }
            found[" ".join(labels[name] for name in sorted(labels))] = float(series["value"][1])
        return found

    def until(self, expression: str, expected: dict[str, float]) -> None:
        """Wait until the answer is this one."""
        found: dict[str, float] = {}

        def is_there() -> bool:
            nonlocal found
            found = self.ask(expression)
            return found == expected

        try:
            until(is_there)
        except AssertionError:
            raise AssertionError(f"{expression}: {found}, not {expected}") from None


@contextlib.contextmanager
def prometheus(directory: Path, targets: dict[str, int]) -> Iterator[Prometheus]:
    """Scrape the ports of these jobs every second, while the block runs."""
    port = free_port()
    jobs = [
        {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{at}"]}]}
        for job, at in targets.items()
    ]
    settings = {"scrape_interval": "1s", "scrape_timeout": "1s"}
    configuration = directory / "prometheus.yml"
    configuration.write_text(json.dumps({"global": settings, "scrape_configs": jobs}))
    words = [
        need_program("prometheus"),
        f"--config.file={configuration}",
        f"--storage.tsdb.path={directory / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]
    with service(words, lambda: responds(f"http://127.0.0.1:{port}/-/ready")):
        yield Prometheus(port)


@contextlib.contextmanager
def shipping(command: str, store: Path, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """Run `exitsnoop ship` for a recording while the block runs."""
    words = [command, "ship", "--store", str(store), "--state", f"{store}-ship", *options]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def responds(url: str) -> bool:
    """Whether a URL of this machine has something, and no error."""
    with contextlib.suppress(OSError):
        return bool(get(url))
    return False


def samples(text: str) -> dict[str, float]:
    """Return the samples of a page of metrics, by their names and labels."""
    found = re.findall(r"^([^# \n]+(?:\{.*\})?) ([^ #\n]+)(?: #.*)?$", text, re.M)
    return {name: float(value) for name, value in found}


def recorded(store: Path, sql: str) -> dict[str, float]:
    """Return what SQL finds in a recording: the last column, by the others."""
    connection = Recording(store).connect(sql)
    try:
        rows = connection.execute(sql).fetchall()
    finally:
        connection.close()
    return {" ".join(map(str, names)): float(value) for *names, value in rows}
