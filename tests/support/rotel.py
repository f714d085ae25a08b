"""rotel, a receiver of OTLP that others wrote: it passes on what it receives."""

import contextlib
import socket
import subprocess
from pathlib import Path

import pytest

from support.machine import need
from support.services import free_port
from support.waiting import until


def answers(port: int) -> bool:
    """Return whether somebody listens there."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


class Rotel:
    """A rotel that runs until it is killed.

    Args:
        to: the address that it passes on to.

    Attributes:
        port: where it takes logs over HTTP.
    """

    def __init__(self, to: str) -> None:
        package = pytest.importorskip("rotel", reason="rotel has wheels for x86-64 only")
        agent = Path(package.__file__).with_name("rotel-agent")
        self.port = free_port()
        words = ["start", "--otlp-http-endpoint", f"127.0.0.1:{self.port}"]
        words += ["--otlp-grpc-endpoint", f"127.0.0.1:{free_port()}", "--exporter", "otlp"]
        words += ["--otlp-exporter-endpoint", to, "--otlp-exporter-protocol", "http"]
        words += ["--otlp-exporter-request-timeout", "60s", "--batch-timeout", "100ms"]
        self._process = subprocess.Popen(
            [agent, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            until(lambda: answers(self.port) or self._process.poll() is not None)
            need(self._process.poll() is None, "rotel does not run here")
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """Kill it, and wait until it is gone."""
        self._process.kill()
        self._process.wait()
