"""get-kernel, where the archives do not do what they should."""

import contextlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.machine import need

GET_KERNEL = Path(__file__).with_name("get-kernel")
TIMEOUT_S = 2
# apt requests each file twice, and then another one instead; it waits in between.
AT_MOST_S = 20 * TIMEOUT_S


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def trickling() -> Iterator[int]:
    """The port of a server that answers a byte at a time, without end."""
    ended = threading.Event()
    threads = []

    def answer(client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):  # it has left
            client.recv(65536)
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            while not ended.wait(TIMEOUT_S / 10):
                client.sendall(b"-")

    def serve() -> None:
        with contextlib.suppress(OSError):  # it is closed
            while True:
                threads.append(threading.Thread(target=answer, args=[server.accept()[0]]))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threads.append(threading.Thread(target=serve))
        threads[0].start()
        yield server.getsockname()[1]
        ended.set()
        server.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join()


def get_kernel(port: int, directory: Path, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Get one from archives that are at this port. It must not take long, and leave nothing."""
    need(os.geteuid() == 0, "other sources for apt, of this process alone, need root")
    sources = directory / "apt"
    sources.mkdir()
    host = f"http://127.0.0.1:{port}"
    (sources / "sources.list").write_text(
        f"deb {host}/debian x main\ndeb {host}/debian-security x main\n"
    )
    script = (
        f"mount --bind {sources} /etc/apt && exec {GET_KERNEL} bookworm linux-image-cloud-amd64"
    )
    cache = directory / "cache"
    begun = time.monotonic()
    result = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script],
        env={**os.environ, "XDG_CACHE_HOME": str(cache), **environ},
        capture_output=True,
        text=True,
        timeout=10 * AT_MOST_S,
        check=False,
    )
    assert time.monotonic() - begun < AT_MOST_S
    assert list((cache / "exitsnoop" / "kernels").iterdir()) == []
    return result


def test_an_archive_that_never_answers(silent: int, tmp_path: Path) -> None:
    result = get_kernel(silent, tmp_path, MIRROR_TIMEOUT_S=str(TIMEOUT_S))
    assert result.returncode != 0
    assert f"Failed to fetch http://127.0.0.1:{silent}/debian/" in result.stderr, result.stderr


def test_an_archive_that_never_ends(trickling: int, tmp_path: Path) -> None:
    result = get_kernel(trickling, tmp_path, DOWNLOAD_TIMEOUT_S=str(TIMEOUT_S))
    assert result.returncode != 0
    assert f"not all had come after {TIMEOUT_S} s" in result.stderr, result.stderr
